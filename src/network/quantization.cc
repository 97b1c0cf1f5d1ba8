#include "network/quantization.h"

#include <cmath>
#include <string_view>

#include "kernels/int8_weights.h"

namespace rnn {
namespace {

std::string_view last_part(std::string_view name) { return name.substr(name.rfind('/') + 1); }

/// A convolution's kernel [K,I,U] is the matrix [K*I,U] of its product.
Index columns_of(const Shape& shape) { return shape[shape.rank() - 1]; }

}  // namespace

std::optional<QuantizedMatrix> quantize(const NamedTensor& parameter) {
  // "kernel", "forward_recurrent_kernel", "tail_0_projection" ...
  const std::string_view kind = last_part(parameter.name);
  const bool by_row = kind.ends_with("embeddings") || kind == "ngrams";
  const Tensor& w = parameter.tensor;
  if (w.shape().rank() < 2 || w.empty()) return {};
  if (!by_row && !kind.ends_with("kernel") && !kind.ends_with("projection")) return {};
  const Index columns = columns_of(w.shape()), rows = w.size() / columns;
  QuantizedMatrix result{std::vector<std::int8_t>(static_cast<std::size_t>(w.size())),
                         Tensor(by_row ? Shape{rows, 1} : Shape{1, columns})};
  Tensor& scales = result.scales;
  const auto scale_of = [&](Index i) -> float& {
    return scales[by_row ? i / columns : i % columns];
  };
  for (Index i = 0; i < w.size(); ++i) scale_of(i) = int8_larger(scale_of(i), w[i]);
  for (Index i = 0; i < scales.size(); ++i) {
    scales[i] = int8_scale(scales[i]);
    if (std::isnan(scales[i])) return {};
  }
  for (Index i = 0; i < w.size(); ++i) {
    result.values[static_cast<std::size_t>(i)] = int8_value(w[i], scale_of(i));
  }
  return result;
}

Tensor dequantize(const Shape& shape, const std::int8_t* values, const Tensor& scales) {
  Tensor result(shape);
  const Index columns = columns_of(shape);
  const bool by_row = scales.extent(1) == 1 && scales.extent(0) == result.size() / columns;
  for (Index i = 0; i < result.size(); ++i) {
    result[i] = static_cast<float>(values[i]) * scales[by_row ? i / columns : i % columns];
  }
  return result;
}

void round_to_int8(Parameters& parameters) {
  for (NamedTensor& parameter : parameters) {
    if (const auto q = quantize(parameter)) {
      parameter.tensor = dequantize(parameter.tensor.shape(), q->values.data(), q->scales);
    }
  }
  parameters.changed();
}

}  // namespace rnn
