// Precision: in which numbers products are computed.
#pragma once

#include <string_view>

#include "rnn/export.h"

namespace rnn {

/// What the operands of products are. Parameters, gradients, states and everything element-wise are
/// fp32 in all of them, and so are the sums of products, but for int8, whose sums are whole numbers
/// of 32 bits until they are scaled. Files hold fp32 whatever computes, unless `rnn quantize` wrote
/// them.
enum class Precision {
  kFp32,
  kBf16,  ///< the upper half of an fp32: its range, 8 bits of significand
  kInt8,  ///< inference only: whole numbers with a scale per column of weights and row of inputs
};

constexpr std::string_view name_of(Precision precision) {
  switch (precision) {
    case Precision::kBf16:
      return "bf16";
    case Precision::kInt8:
      return "int8";
    default:
      return "fp32";
  }
}

/// "fp32", "bf16" or "int8". Throws ConfigError.
RNN_API Precision parse_precision(std::string_view name);

}  // namespace rnn
