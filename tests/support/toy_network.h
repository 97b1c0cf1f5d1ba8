// Small networks of every cell and batches of random symbols for them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "rnn/batch.h"
#include "rnn/dropout.h"
#include "rnn/embedding.h"
#include "rnn/recurrent.h"
#include "rnn/sequential.h"
#include "rnn/softmax.h"
#include "support/cells.h"

namespace rnn::test {

/// A recurrent layer of that cell with default options.
inline Part recurrent_part(Cell cell, Index units) {
  switch (cell) {
    case Cell::kLstm:
      return LSTM({.units = units});
    case Cell::kGru:
      return GRU({.units = units});
    case Cell::kGruResetBefore:
      return GRU({.units = units, .reset_after = false});
    case Cell::kRnnTanh:
      return SimpleRNN({.units = units});
    default:
      return SimpleRNN({.units = units, .relu = true});
  }
}

struct ToyOptions {
  Cell cell = Cell::kLstm;
  Index symbols = 6, units = 5;
  int layers = 1;
  float dropout = 0;
  bool tied = false;
};

/// Embedding, recurrent layers with dropout between if asked for, softmax: a language model.
inline Sequential toy_network(const ToyOptions& options = {}) {
  std::vector<Part> parts{Embedding({.input_dim = options.symbols,
                                     .output_dim = options.units,
                                     .initializer = Initializer::uniform(0.5f)})};
  for (int layer = 0; layer < options.layers; ++layer) {
    parts.push_back(recurrent_part(options.cell, options.units));
    if (options.dropout > 0) parts.push_back(Dropout({.rate = options.dropout}));
  }
  parts.push_back(Softmax({.units = options.symbols, .tied_to = options.tied ? "embedding" : ""}));
  return Sequential(parts);
}

/// Random symbols and targets, all steps of all sequences.
inline Batch random_batch(Index time, Index batch, Index symbols, std::uint64_t seed) {
  Batch made{.time = time, .batch = batch};
  const Random random(seed);
  for (Index i = 0; i < time * batch; ++i) {
    const auto draw = [&](std::uint64_t stream) {
      return static_cast<std::int32_t>(random.fold(stream).uniform(static_cast<std::uint64_t>(i)) *
                                       static_cast<float>(symbols));
    };
    made.ids.push_back(draw(1));
    made.targets.push_back(draw(2));
  }
  for (Index b = 0; b < batch; ++b) made.examples.push_back(static_cast<std::uint32_t>(b));
  return made;
}

/// Steps [start, start + steps) of a batch without lengths.
inline Batch window_of(const Batch& whole, Index start, Index steps) {
  Batch part{.time = steps, .batch = whole.batch, .examples = whole.examples};
  const auto from = static_cast<std::ptrdiff_t>(start * whole.batch);
  const auto to = static_cast<std::ptrdiff_t>((start + steps) * whole.batch);
  part.ids.assign(whole.ids.begin() + from, whole.ids.begin() + to);
  part.targets.assign(whole.targets.begin() + from, whole.targets.begin() + to);
  return part;
}

}  // namespace rnn::test
