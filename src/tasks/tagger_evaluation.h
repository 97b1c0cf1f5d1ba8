// Tagging many sentences, and counting what is right.
#pragma once

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
  /// `labels`: those of every sentence, or empty.
  SortedSentences(const TaggerVocabulary& vocabulary,
                  std::span<const std::vector<std::string>> sentences,
                  std::span<const std::vector<std::int32_t>> labels);

  bool empty() const { return order_.empty(); }
  /// How many batches they make.
  std::int64_t batches() const;
  /// The best labels of every sentence, in the order given; and the loss of all, if asked for.
  std::vector<std::vector<std::int32_t>> best(TagWorkers& workers, LossSum* loss = nullptr) const;
  /// Where a sentence of a batch stood among those given.
  std::size_t place(std::uint32_t example) const { return order_[example]; }
  const WordForms& forms() const { return data_.forms; }
  TaggerDataset batches(const TaggerInputs& inputs) const;

 private:
  const TaggerVocabulary& vocabulary_;
  std::size_t sentences_;  // given
  std::vector<std::size_t> order_;
  TaggerSentences data_;
};

/// A part that models are evaluated on, after every epoch or once.
class TaggerValidation {
 public:
  /// All must live as long.
  TaggerValidation(const TaggedPart& part, const TaggerVocabulary& vocabulary,
                   const TaggerLabels& labels);

  TaggerEvaluation evaluate(TagWorkers& workers) const;
  std::int64_t size() const { return sorted_.batches(); }
  /// What `evaluate` goes through.
  TaggerDataset batches(const TaggerInputs& inputs) const { return sorted_.batches(inputs); }
  /// Words whose tag, or an entity in whose sentence, training has not seen.
  std::int64_t unseen_tags() const { return unseen_; }

 private:
  const TaggedPart& part_;
  const TaggerVocabulary& vocabulary_;
  const TaggerLabels& labels_;
  std::int64_t unseen_ = 0;
  SortedSentences sorted_;
};

}  // namespace rnn
