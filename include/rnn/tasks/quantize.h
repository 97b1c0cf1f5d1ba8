// A smaller copy of a model, for int8.
#pragma once

#include <string>

#include "rnn/export.h"

namespace rnn {

struct QuantizedModel {
  std::size_t bytes_before = 0, bytes_after = 0;  ///< of model.safetensors
};

/// Writes a copy of the model directory `from`, of any task, as `to`, whose weight matrices are
/// whole numbers of 8 bits with a scale for each column (for tables of embeddings, each row): a
/// quarter of the size. The copy is loaded like any model and computes in int8: the same bits as
/// the original with `--precision int8`. It can be the beginning of another training, but its own
/// cannot be resumed. Throws IoError or FormatError for a model that cannot be read, and
/// ConfigError when it is quantized already or something stands at `to` other than what a copying
/// that was killed has left.
RNN_API QuantizedModel quantize_model(const std::string& from, const std::string& to);

}  // namespace rnn
