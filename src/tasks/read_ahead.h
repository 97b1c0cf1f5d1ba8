#pragma once

#include <memory>
#include <utility>

#include "rnn/batch.h"
#include "rnn/text/prefetch.h"

namespace rnn {

/// A source for a training with so many threads. It is read ahead, but not for one thread, which
/// would become two. Batches and positions are the same.
inline std::unique_ptr<BatchSource> read_ahead(std::unique_ptr<BatchSource> source, int threads) {
  if (threads == 1) return source;
  return std::make_unique<PrefetchSource>(std::move(source));
}

}  // namespace rnn
