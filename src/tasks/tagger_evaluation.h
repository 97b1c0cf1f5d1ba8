// Tagging many sentences, and counting what is right.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "rnn/tasks/tagger.h"
#include "tasks/tag_workers.h"
#include "tasks/tagger_dataset.h"
#include "tasks/tagger_labels.h"

namespace rnn {

/// Sentences in an order that wastes little on padding: by length. Those without words are left
/// out.
class SortedSentences {
 public:
  /// Sentences without labels. They are in memory, so their numbers are too.
  SortedSentences(const TaggerVocabulary& vocabulary,
                  std::span<const std::vector<std::string>> sentences);
  /// `lengths` of the sentences; `add(data, i)` adds sentence `i` to the data.
  SortedSentences(const TaggerVocabulary& vocabulary, std::span<const std::int32_t> lengths,
                  const std::function<void(TaggerSentences& data, std::size_t i)>& add,
                  const Storage& storage);

  bool empty() const { return order_.empty(); }
  /// Calls `take(example, labels)` with the best labels of every sentence, from several threads at
  /// once; adds the loss of all to `loss`, if given.
  void decode(
      TagWorkers& workers,
      const std::function<void(std::uint32_t example, std::span<const std::int32_t> labels)>& take,
      LossSum* loss = nullptr) const;
  /// Where a sentence of a batch stood among those given.
  std::size_t place(std::uint32_t example) const { return order_[example]; }
  /// Whether the vocabulary lacks word `t` of a sentence of a batch.
  bool is_unknown(std::uint32_t example, std::int64_t t) const {
    return data_.forms.is_unknown(data_.sequences.id(example, t));
  }
  TaggerDataset batches(const TaggerInputs& inputs) const;

 private:
  const TaggerVocabulary& vocabulary_;
  std::vector<std::uint32_t> order_;
  TaggerSentences data_;
};

/// A part that models are evaluated on, after every epoch or once.
class TaggerValidation {
 public:
  /// All must live as long.
  TaggerValidation(const TaggedPart& part, const TaggerVocabulary& vocabulary,
                   const TaggerLabels& labels, const Storage& storage);

  TaggerEvaluation evaluate(TagWorkers& workers) const;
  /// What `evaluate` goes through.
  TaggerDataset batches(const TaggerInputs& inputs) const { return sorted_.batches(inputs); }
  /// Words whose tag, or an entity in whose sentence, training has not seen.
  std::int64_t unseen_tags() const { return unseen_; }

 private:
  const TaggedPart& part_;
  const TaggerLabels& labels_;
  std::int64_t unseen_ = 0;
  SortedSentences sorted_;
};

}  // namespace rnn
