// Weight matrices as whole numbers of 8 bits in files and in int8 inference.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "rnn/parameters.h"

namespace rnn {

/// A matrix as q * scale, exactly what int8 kernels make of it (kernels/int8_weights.h).
struct QuantizedMatrix {
  std::vector<std::int8_t> values;  ///< as the matrix, row by row
  Tensor scales;                    ///< [1,C] one for each column, or [R,1] one for each row
};

/// Of a matrix that products use, which is told by its name: kernels of all kinds and projections
/// by column, tables of embeddings by row, so that one which a softmax is tied to serves both. None
/// for anything else, whose numbers stay fp32, and for matrices with numbers that are not finite.
std::optional<QuantizedMatrix> quantize(const NamedTensor& parameter);

/// values * scales, exact.
Tensor dequantize(const Shape& shape, const std::int8_t* values, const Tensor& scales);

/// Every parameter becomes what a quantized file of it would hold.
void round_to_int8(Parameters& parameters);

}  // namespace rnn
