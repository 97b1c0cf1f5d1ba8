#pragma once

#include <string>

namespace rnn {

/// Where a training keeps its texts as numbers (see CorpusOptions::directory): as TMPDIR asks,
/// otherwise on the disk where the model will be, which was chosen to hold much, as /tmp often is
/// not.
std::string numbers_folder(const std::string& model);

}  // namespace rnn
