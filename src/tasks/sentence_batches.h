// Sentences side by side, each from its own beginning.
#pragma once

#include <span>
#include <vector>

#include "rnn/batch.h"

namespace rnn {

/// Sentences worked on together: enough to fill a kernel's rows, few enough to stay in the cache.
inline constexpr std::size_t kSentencesTogether = 32;

/// A batch of sentences for scoring: inputs begin with the end of a sentence, targets end with it.
/// `sentences` are ids without that end.
void fill_sentences(std::span<const std::span<const std::int32_t>> sentences, std::int32_t end_id,
                    Batch& batch);

/// The sentences of a text in their order. `ids` must live as long as this.
class SentenceBatches : public BatchSource {
 public:
  SentenceBatches(std::span<const std::int32_t> ids, std::int32_t end_id)
      : ids_(ids), end_id_(end_id) {}

  bool next(Batch& batch) override;
  void seek(const Position& position) override;
  Position position() const override { return {0, delivered_}; }

 private:
  std::span<const std::int32_t> ids_;
  std::int32_t end_id_;
  std::size_t place_ = 0;
  std::int64_t delivered_ = 0;
  std::vector<std::span<const std::int32_t>> together_;
};

}  // namespace rnn
