// Standard input for what must be read more than once.
#pragma once

#include <string>

namespace rnn {

/// A path under which standard input can be opened as often as one likes, always from its
/// beginning. A pipe is copied to a nameless temporary file first, which takes its place.
/// Throws IoError.
std::string reopenable_standard_input();

}  // namespace rnn
