#include "tasks/tagger_evaluation.h"

#include <algorithm>
#include <mutex>

namespace rnn {
namespace {

/// Enough to fill a kernel's rows. Not part of the result.
constexpr BucketDatasetOptions kEvaluationBatches{.batch = 64, .maximum_steps = 4096};

std::vector<std::int32_t> lengths_of(std::span<const std::vector<std::string>> sentences) {
  std::vector<std::int32_t> lengths;
  for (const auto& words : sentences) lengths.push_back(static_cast<std::int32_t>(words.size()));
  return lengths;
}

std::vector<std::int32_t> lengths_of(const TaggedPart& part) {
  std::vector<std::int32_t> lengths;
  for (std::int64_t i = 0; i < part.size(); ++i) {
    lengths.push_back(static_cast<std::int32_t>(part.length(i)));
  }
  return lengths;
}

}  // namespace

SortedSentences::SortedSentences(const TaggerVocabulary& vocabulary,
                                 std::span<const std::vector<std::string>> sentences)
    : SortedSentences(
          vocabulary, lengths_of(sentences),
          [&](TaggerSentences& data, std::size_t i) {
            data.add(sentences[i], std::vector<std::int32_t>(sentences[i].size(), -1));
          },
          Storage::memory_alone()) {}

SortedSentences::SortedSentences(
    const TaggerVocabulary& vocabulary, std::span<const std::int32_t> lengths,
    const std::function<void(TaggerSentences& data, std::size_t i)>& add, const Storage& storage)
    : vocabulary_(vocabulary), data_(vocabulary, storage) {
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] > 0) order_.push_back(static_cast<std::uint32_t>(i));
  }
  std::stable_sort(order_.begin(), order_.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return lengths[a] > lengths[b]; });
  for (const std::uint32_t i : order_) add(data_, i);
}

TaggerDataset SortedSentences::batches(const TaggerInputs& inputs) const {
  return TaggerDataset(data_, vocabulary_, {.batches = kEvaluationBatches, .inputs = inputs});
}

void SortedSentences::decode(
    TagWorkers& workers,
    const std::function<void(std::uint32_t example, std::span<const std::int32_t> labels)>& take,
    LossSum* loss) const {
  if (empty()) return;
  const auto open = [&] { return batches(workers.inputs()); };
  std::vector<LossSum> losses(static_cast<std::size_t>(*open().batches_per_epoch()));
  workers.run(open, [&](TagDecoder& decoder, const Batch& batch, std::int64_t number) {
    for (Index b = 0; b < batch.batch; ++b) {
      take(batch.examples[static_cast<std::size_t>(b)], decoder.best(b));
    }
    if (loss) losses[static_cast<std::size_t>(number)] = decoder.loss(batch);
  });
  if (loss) {
    for (const LossSum& part : losses) *loss += part;
  }
}

TaggerValidation::TaggerValidation(const TaggedPart& part, const TaggerVocabulary& vocabulary,
                                   const TaggerLabels& labels, const Storage& storage)
    : part_(part),
      labels_(labels),
      sorted_(
          vocabulary, lengths_of(part),
          [&](TaggerSentences& data, std::size_t i) {
            const auto at = static_cast<std::int64_t>(i);
            TaggedSentence sentence;
            part.get(at, sentence);
            const std::vector<std::int32_t> numbers = labels.labels_of(sentence, part.file_of(at));
            unseen_ += std::count(numbers.begin(), numbers.end(), -1);
            data.add(sentence.words, numbers);
          },
          storage) {}

TaggerEvaluation TaggerValidation::evaluate(TagWorkers& workers) const {
  TaggerEvaluation result{.entities = labels_.entities()};
  std::mutex mutex;
  sorted_.decode(
      workers,
      [&](std::uint32_t example, std::span<const std::int32_t> best) {
        TaggedSentence sentence;
        part_.get(static_cast<std::int64_t>(sorted_.place(example)), sentence);
        const std::vector<std::string> tags = labels_.tags_of(best);
        const std::lock_guard lock(mutex);  // only sums: their order does not matter
        result.scores.add(sentence.tags, tags);
        for (std::size_t t = 0; t < tags.size(); ++t) {
          if (!sorted_.is_unknown(example, static_cast<std::int64_t>(t))) continue;
          ++result.unknown;
          result.unknown_correct += tags[t] == sentence.tags[t];
        }
      },
      &result.loss);
  for (std::int64_t i = 0; i < part_.size(); ++i) {
    if (part_.length(i) == 0) result.scores.add({}, {});
  }
  return result;
}

}  // namespace rnn
