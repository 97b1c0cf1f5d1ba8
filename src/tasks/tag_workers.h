// TagWorkers: decoders side by side, one a thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "tasks/tag_decoder.h"

namespace rnn {

/// Decoders for the threads of a backend.
class TagWorkers {
 public:
  /// Network and parameters must live as long.
  TagWorkers(const Network& network, const Parameters& parameters,
             std::shared_ptr<const Backend> backend, const std::vector<std::uint8_t>& allowed)
      : network_(network),
        parameters_(parameters),
        backend_(std::move(backend)),
        allowed_(allowed),
        decoders_(static_cast<std::size_t>(backend_->threads())) {}

  /// The first of them.
  TagDecoder& one() { return decoder(0); }
  /// What batches must have.
  TaggerInputs inputs() const { return TaggerInputs::of(network_); }
  /// Calls `work(decoder, batch, number)` for every batch of the first epoch of a data set, after
  /// the decoder has run on it; `open` makes the data set anew for each worker. Calls come from
  /// several threads at once. Throws what the first batch to fail threw.
  void run(const std::function<TaggerDataset()>& open,
           const std::function<void(TagDecoder&, const Batch&, std::int64_t)>& work);

 private:
  TagDecoder& decoder(int worker);

  const Network& network_;
  const Parameters& parameters_;
  std::shared_ptr<const Backend> backend_;
  std::vector<std::uint8_t> allowed_;
  std::vector<std::unique_ptr<TagDecoder>> decoders_;  // of each thread, made when it has work
};

}  // namespace rnn
