#include "tasks/sentence_batches.h"

#include <algorithm>

namespace rnn {

void fill_sentences(std::span<const std::span<const std::int32_t>> sentences, std::int32_t end_id,
                    Batch& batch) {
  batch.clear();
  batch.batch = static_cast<Index>(sentences.size());
  for (const auto& ids : sentences) {
    batch.time = std::max(batch.time, static_cast<Index>(ids.size()) + 1);
    batch.lengths.push_back(static_cast<std::int32_t>(ids.size()) + 1);
  }
  batch.ids.assign(static_cast<std::size_t>(batch.time * batch.batch), end_id);
  batch.targets.assign(batch.ids.size(), -1);
  for (std::size_t b = 0; b < sentences.size(); ++b) {
    const auto& ids = sentences[b];
    for (std::size_t t = 0; t <= ids.size(); ++t) {
      const std::size_t place = t * sentences.size() + b;
      if (t > 0) batch.ids[place] = ids[t - 1];
      batch.targets[place] = t < ids.size() ? ids[t] : end_id;
    }
  }
}

bool SentenceBatches::next(Batch& batch) {
  together_.clear();
  while (together_.size() < kSentencesTogether && place_ < ids_.size()) {
    const auto rest = ids_.subspan(place_);
    const auto length =
        static_cast<std::size_t>(std::find(rest.begin(), rest.end(), end_id_) - rest.begin());
    together_.push_back(rest.first(length));
    place_ += length + 1;
  }
  if (together_.empty()) return false;
  fill_sentences(together_, end_id_, batch);
  ++delivered_;
  return true;
}

void SentenceBatches::seek(const Position& position) {
  place_ = 0;
  delivered_ = 0;
  Batch skipped;
  while (delivered_ < position.batch && next(skipped)) {
  }
}

}  // namespace rnn
