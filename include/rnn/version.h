#pragma once

namespace rnn {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace rnn
