#pragma once

#include <string_view>

namespace rnn {

/// The page of `rnn classify serve`, apps/page/classify.html as it was at build.
extern const std::string_view kClassifyPage;

}  // namespace rnn
