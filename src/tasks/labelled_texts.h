// Labelled texts of a classifier as numbers.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "rnn/text/bucket_dataset.h"
#include "tasks/source_texts.h"
#include "tasks/text_encoder.h"

namespace rnn {

/// Texts as numbers. Memory does not grow with them unless the storage is memory alone.
struct EncodedTexts {
  explicit EncodedTexts(const Storage& storage = {}) : sequences(storage), labels(storage) {}

  Sequences sequences;             ///< the target is the first label, -1 for none
  DiskLists<std::int32_t> labels;  ///< of each text, ascending
  std::int64_t units = 0, unknown = 0;
  std::int64_t empty = 0;  ///< texts without a unit

  std::int64_t size() const { return sequences.size(); }
};

/// Throws TextError "file:line:1: ..." for a label that is not among
/// `labels`, and unless `multi_label` for a text that has not exactly one.
EncodedTexts encode_texts(const SelectedTexts& texts, const TextEncoder& encoder,
                          const Vocabulary& vocabulary, std::span<const std::string> labels,
                          bool multi_label, const Storage& storage);

/// The factor of each label in training, see TextClassifierRecipe::class_weights; empty for "".
/// Labels may have the escapes of vocabulary.txt, and those with spaces must. Throws ConfigError
/// for a label that is not there or a factor that is none.
std::vector<float> class_weights_of(const std::string& text, std::span<const std::string> labels,
                                    const EncodedTexts& train);

/// Batches of them; targets as a Softmax wants them, or a Sigmoid where `multi_label`.
class ClassifierBatches final : public BatchSource {
 public:
  /// `texts` must live as long as this and not change.
  ClassifierBatches(const EncodedTexts& texts, std::size_t labels, bool multi_label,
                    const BucketDatasetOptions& options)
      : texts_(texts),
        labels_(labels),
        multi_label_(multi_label),
        dataset_(texts.sequences, options) {}

  bool next(Batch& batch) override;
  void seek(const Position& position) override { dataset_.seek(position); }
  Position position() const override { return dataset_.position(); }
  std::optional<std::int64_t> batches_per_epoch() const override {
    return dataset_.batches_per_epoch();
  }

 private:
  const EncodedTexts& texts_;
  std::size_t labels_;
  bool multi_label_;
  BucketDataset dataset_;
};

}  // namespace rnn
