// TagWorkers: decoders side by side, one a thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "rnn/thread_pool.h"
#include "tasks/tag_decoder.h"

namespace rnn {

/// Sentences are short and many: a thread does more with batches of its own than with a share of
/// each kernel. The bits are the same, as they are for any number of threads.
class TagWorkers {
 public:
  /// As many as the options have threads, but at most `limit`, each with a backend of one thread.
  /// Network and parameters must live as long.
  TagWorkers(const Network& network, const Parameters& parameters, const BackendOptions& options,
             const std::vector<std::uint8_t>& allowed, std::int64_t limit);

  /// The first of them.
  TagDecoder& one() { return *decoders_.front(); }
  /// What batches must have.
  TaggerInputs inputs() const { return decoders_.front()->inputs(); }
  /// Calls `work(decoder, batch, number)` for every batch of the first epoch of a data set, after
  /// the decoder has run on it; `open` makes the data set anew for each worker. Calls come from
  /// several threads at once. Throws what a call threw.
  void run(const std::function<TaggerDataset()>& open,
           const std::function<void(TagDecoder&, const Batch&, std::int64_t)>& work);

 private:
  ThreadPool pool_;
  std::vector<std::unique_ptr<TagDecoder>> decoders_;
};

}  // namespace rnn
