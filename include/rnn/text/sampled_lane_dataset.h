// SampledLaneDataset: text as batches for truncated back-propagation through time, cut into other
// pieces every epoch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rnn/batch.h"
#include "rnn/export.h"
#include "rnn/text/corpus.h"
#include "rnn/text/lane_dataset.h"
#include "rnn/text/sentencepiece.h"
#include "rnn/text/token_file.h"

namespace rnn {

struct SampledLaneOptions {
  int n_best = 64;         ///< segmentations of a line to draw among
  double alpha = 0.2;      ///< 0: all of them alike; larger: the likely ones
  std::int64_t lines = 0;  ///< only the first of the text; 0: all
  LaneDatasetOptions lanes{};
  CorpusOptions corpus{};
};

/// Subword regularization (Kudo, "Subword regularization: improving neural network translation
/// models with multiple subword candidates", 2018): in each epoch every line of the text is one of
/// its n best segmentations, drawn with a probability proportional to P(segmentation)^alpha. The
/// lanes of an epoch are those of LaneDataset.
///
/// The draw is a function of (seed, epoch, the line's text): equal lines are cut alike within one
/// epoch. The ids of one epoch at a time are kept, in a TokenFile.
class RNN_API SampledLaneDataset final : public BatchSource {
 public:
  /// Throws ConfigError for options out of range or a model that is not a unigram one, and what
  /// TokenFile::build and LaneDataset throw.
  SampledLaneDataset(std::vector<std::string> paths,
                     std::shared_ptr<const SentencePieceTokenizer> tokenizer,
                     const SampledLaneOptions& options = {});
  ~SampledLaneDataset() override;

  bool next(Batch& batch) override { return lanes_->next(batch); }
  /// To another epoch: reads the text anew.
  void seek(const Position& position) override;
  Position position() const override { return lanes_->position(); }
  std::optional<std::int64_t> batches_per_epoch() const override {
    return lanes_->batches_per_epoch();
  }
  std::optional<std::int64_t> targets_per_epoch() const override {
    return lanes_->targets_per_epoch();
  }

 private:
  void read(std::int64_t epoch);

  std::vector<std::string> paths_;
  std::shared_ptr<const SentencePieceTokenizer> tokenizer_;
  SampledLaneOptions options_;
  std::int64_t epoch_ = -1;
  std::optional<TokenFile> text_;
  std::optional<LaneDataset> lanes_;
};

}  // namespace rnn
