// Tagging many sentences, and counting what is right.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "rnn/tasks/tagger.h"
#include "tasks/tag_decoder.h"
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
  /// Where a sentence of a batch stood among those given.
  std::size_t place(std::uint32_t example) const { return order_[example]; }
  const WordForms& forms() const { return data_.forms; }
  TaggerDataset batches() const;

 private:
  const TaggerVocabulary& vocabulary_;
  std::vector<std::size_t> order_;
  TaggerSentences data_;
};

/// The best labels of every sentence, in the order given.
std::vector<std::vector<std::int32_t>> tag_sentences(
    TagDecoder& decoder, const TaggerVocabulary& vocabulary,
    std::span<const std::vector<std::string>> sentences);

/// A part that models are evaluated on, after every epoch or once.
class TaggerValidation {
 public:
  /// All must live as long.
  TaggerValidation(const TaggedPart& part, const TaggerVocabulary& vocabulary,
                   const TaggerLabels& labels);

  TaggerEvaluation evaluate(TagDecoder& decoder) const;
  /// What `evaluate` goes through.
  TaggerDataset batches() const { return sorted_.batches(); }
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
