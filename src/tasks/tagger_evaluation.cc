#include "tasks/tagger_evaluation.h"

#include <algorithm>

namespace rnn {
namespace {

/// Enough to fill a kernel's rows. Not part of the result.
constexpr BucketDatasetOptions kEvaluationBatches{.batch = 64, .maximum_steps = 4096};

std::vector<std::vector<std::string>> words_of(const TaggedPart& part) {
  std::vector<std::vector<std::string>> words;
  for (const TaggedSentence& sentence : part.sentences) words.push_back(sentence.words);
  return words;
}

std::vector<std::vector<std::int32_t>> labels_of(const TaggedPart& part,
                                                 const TaggerLabels& labels) {
  std::vector<std::vector<std::int32_t>> numbers;
  for (std::size_t i = 0; i < part.sentences.size(); ++i) {
    numbers.push_back(labels.labels_of(part.sentences[i], part.file_of(i)));
  }
  return numbers;
}

}  // namespace

SortedSentences::SortedSentences(const TaggerVocabulary& vocabulary,
                                 std::span<const std::vector<std::string>> sentences,
                                 std::span<const std::vector<std::int32_t>> labels)
    : vocabulary_(vocabulary), sentences_(sentences.size()), data_(vocabulary) {
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    if (!sentences[i].empty()) order_.push_back(i);
  }
  std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
    return sentences[a].size() > sentences[b].size();
  });
  for (const std::size_t i : order_) {
    data_.add(sentences[i],
              labels.empty() ? std::vector<std::int32_t>(sentences[i].size(), -1) : labels[i]);
  }
}

TaggerDataset SortedSentences::batches(const TaggerInputs& inputs) const {
  return TaggerDataset(data_, vocabulary_, {.batches = kEvaluationBatches, .inputs = inputs});
}

std::vector<std::vector<std::int32_t>> SortedSentences::best(TagWorkers& workers,
                                                             LossSum* loss) const {
  std::vector<std::vector<std::int32_t>> labels(sentences_);
  if (empty()) return labels;
  const auto open = [&] { return batches(workers.inputs()); };
  std::vector<LossSum> losses(static_cast<std::size_t>(*open().batches_per_epoch()));
  workers.run(open, [&](TagDecoder& decoder, const Batch& batch, std::int64_t number) {
    for (Index b = 0; b < batch.batch; ++b) {
      labels[place(batch.examples[static_cast<std::size_t>(b)])] = decoder.best(b);
    }
    if (loss) losses[static_cast<std::size_t>(number)] = decoder.loss(batch);
  });
  if (loss) {
    for (const LossSum& part : losses) *loss += part;
  }
  return labels;
}

std::int64_t SortedSentences::batches() const {
  return empty() ? 0 : *batches({}).batches_per_epoch();
}

TaggerValidation::TaggerValidation(const TaggedPart& part, const TaggerVocabulary& vocabulary,
                                   const TaggerLabels& labels)
    : part_(part),
      vocabulary_(vocabulary),
      labels_(labels),
      sorted_(vocabulary, words_of(part), labels_of(part, labels)) {
  for (const auto& sentence : labels_of(part, labels)) {
    unseen_ += std::count(sentence.begin(), sentence.end(), -1);
  }
}

TaggerEvaluation TaggerValidation::evaluate(TagWorkers& workers) const {
  TaggerEvaluation result{.entities = labels_.entities()};
  const std::vector<std::vector<std::int32_t>> best = sorted_.best(workers, &result.loss);
  WordForms forms(vocabulary_);
  for (std::size_t i = 0; i < best.size(); ++i) {
    const TaggedSentence& sentence = part_.sentences[i];
    const std::vector<std::string> tags = labels_.tags_of(best[i]);
    result.scores.add(sentence.tags, tags);
    for (std::size_t t = 0; t < tags.size(); ++t) {
      if (!forms.is_unknown(forms.add(sentence.words[t]))) continue;
      ++result.unknown;
      result.unknown_correct += tags[t] == sentence.tags[t];
    }
  }
  return result;
}

}  // namespace rnn
