#include "rnn/text/sampled_lane_dataset.h"

#include <algorithm>
#include <cstring>

namespace rnn {
namespace {

/// A key of the line's text: the text itself, eight bytes at a time.
Random key_of(std::string_view line, Random key) {
  key = key.fold(line.size());
  for (std::size_t at = 0; at < line.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, line.data() + at, std::min(sizeof word, line.size() - at));
    key = key.fold(word);
  }
  return key;
}

/// The tokenizer of one epoch.
class Sampler final : public Tokenizer {
 public:
  Sampler(const SentencePieceTokenizer& pieces, const SampledLaneOptions& options, Random random)
      : Tokenizer(pieces.options()), pieces_(pieces), options_(options), random_(random) {}

  bool lossless() const override { return pieces_.lossless(); }
  void tokenize(std::string_view line, std::vector<Token>& tokens) const override {
    pieces_.sample(line, options_.n_best, options_.alpha, key_of(line, random_), tokens);
  }
  std::string detokenize(std::span<const std::string_view> tokens) const override {
    return pieces_.detokenize(tokens);
  }

 private:
  const SentencePieceTokenizer& pieces_;
  const SampledLaneOptions& options_;
  Random random_;
};

}  // namespace

SampledLaneDataset::SampledLaneDataset(std::vector<std::string> paths,
                                       std::shared_ptr<const SentencePieceTokenizer> tokenizer,
                                       const SampledLaneOptions& options)
    : paths_(std::move(paths)), tokenizer_(std::move(tokenizer)), options_(options) {
  read(0);
}

SampledLaneDataset::~SampledLaneDataset() = default;

void SampledLaneDataset::read(std::int64_t epoch) {
  constexpr std::uint64_t kPurpose = 0x706965636573u;  // apart from the window lengths
  const Random random =
      Random(options_.lanes.seed).fold(kPurpose).fold(static_cast<std::uint64_t>(epoch));
  const Vocabulary& vocabulary = *tokenizer_->vocabulary();
  // Into a variable first: when it fails, the epoch before is still whole.
  auto text =
      TokenFile::build(paths_, Sampler(*tokenizer_, options_, random), vocabulary, options_.corpus);
  std::span<const std::int32_t> ids = text.ids();
  if (options_.lines > 0) {
    std::int64_t ends = 0;
    const auto last = std::find_if(ids.begin(), ids.end(), [&](std::int32_t id) {
      return id == vocabulary.end_id() && ++ends == options_.lines;
    });
    if (last != ids.end()) ids = ids.first(static_cast<std::size_t>(last - ids.begin()) + 1);
  }
  LaneDataset lanes(ids, vocabulary.end_id(), options_.lanes);
  lanes_.emplace(std::move(lanes));
  text_ = std::move(text);
  epoch_ = epoch;
}

void SampledLaneDataset::seek(const Position& position) {
  if (position.epoch != epoch_) read(position.epoch);
  lanes_->seek(position);
}

}  // namespace rnn
