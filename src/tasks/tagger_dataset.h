// TaggerDataset: sentences as batches of what a tagger's network reads.
#pragma once

#include <vector>

#include "rnn/network.h"
#include "rnn/random.h"
#include "rnn/text/bucket_dataset.h"
#include "tasks/tagger_words.h"

namespace rnn {

/// Sentences as sequences of forms; their targets are labels, or -1 where there are none.
struct TaggerSentences {
  explicit TaggerSentences(const TaggerVocabulary& vocabulary, const Storage& storage = {})
      : forms(vocabulary), sequences(storage) {}

  void add(std::span<const std::string> words, const std::vector<std::int32_t>& labels) {
    sequences.add(forms.add(words), labels);
  }

  WordForms forms;
  Sequences sequences;
};

/// Names of the inputs of a tagger's network.
inline constexpr const char *kWords = "words", *kShapes = "shapes", *kCharacters = "characters",
                            *kSpelling = "spelling";

/// What a tagger's network reads beside words.
struct TaggerInputs {
  bool shapes = false, characters = false;
  static TaggerInputs of(const Network& network);
};

struct TaggerDatasetOptions {
  BucketDatasetOptions batches{};
  // In training, words are taken for unknown: each with the first probability, and those that the
  // vocabulary has counted once with the second on top of that.
  float word_dropout = 0, singleton_dropout = 0;
  TaggerInputs inputs{};
};

/// The batches of a BucketDataset. Which words are taken for unknown is a function of (seed, epoch,
/// sentence, place).
class TaggerDataset final : public BatchSource {
 public:
  /// Both must live as long as the data set and not change.
  TaggerDataset(const TaggerSentences& sentences, const TaggerVocabulary& vocabulary,
                const TaggerDatasetOptions& options);

  bool next(Batch& batch) override;
  void seek(const Position& position) override { batches_.seek(position); }
  Position position() const override { return batches_.position(); }
  std::optional<std::int64_t> batches_per_epoch() const override {
    return batches_.batches_per_epoch();
  }
  std::optional<std::int64_t> targets_per_epoch() const override {
    return batches_.targets_per_epoch();
  }

 private:
  std::int32_t word_id(std::int32_t form, const Random& draws, std::uint32_t place) const;
  void add_spelling(Batch& batch);

  const TaggerSentences& sentences_;
  const Vocabulary& words_;
  TaggerDatasetOptions options_;
  BucketDataset batches_;
  std::vector<std::int32_t> rows_;      // of each form: its number among the batch's, or -1
  std::vector<std::int32_t> distinct_;  // forms of the batch
};

}  // namespace rnn
