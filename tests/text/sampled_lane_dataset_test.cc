#include "rnn/text/sampled_lane_dataset.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "rnn/error.h"
#include "text/random_text.h"
#include "text/text_files.h"

namespace rnn {
namespace {

using Ids = std::vector<std::int32_t>;

class SampledLanes : public ::testing::Test {
 protected:
  SampledLanes() {
    Draws draws(1);
    std::string text;
    for (int line = 0; line < 300; ++line) {
      for (std::uint32_t word = 0; word < 6; ++word) {
        if (word > 0) text += ' ';
        for (std::uint32_t i = 0; i <= draws.below(4); ++i) {
          text += "bdgklmnprst"[draws.below(11)];
          text += "aeiou"[draws.below(5)];
        }
      }
      text += '\n';
    }
    source = text;
    paths = {files.write("text", text)};
    tokenizer = std::make_shared<SentencePieceTokenizer>(
        train_sentencepiece(paths, {.vocabulary_size = 340}));
  }

  /// The targets of one lane, from where the data stands to the end of the epoch.
  static Ids rest(BatchSource& data) {
    Ids ids;
    for (Batch batch; data.next(batch);) {
      ids.insert(ids.end(), batch.targets.begin(), batch.targets.end());
    }
    return ids;
  }
  Ids epoch(BatchSource& data, std::int64_t number) const {
    data.seek({.epoch = number, .batch = 0});
    return rest(data);
  }
  std::string spelled(const Ids& ids) const {
    const auto vocabulary = tokenizer->vocabulary();
    std::string text;
    std::vector<std::string_view> line;
    for (const std::int32_t id : ids) {
      if (id == vocabulary->end_id()) {
        text += tokenizer->detokenize(line) + "\n";
        line.clear();
      } else {
        line.push_back(vocabulary->symbol(id));
      }
    }
    return text;
  }

  TextFiles files;
  std::string source;
  std::vector<std::string> paths;
  std::shared_ptr<const SentencePieceTokenizer> tokenizer;
};

TEST_F(SampledLanes, EveryEpochSpellsTheTextInItsOwnWay) {
  SampledLaneDataset data(paths, tokenizer, {.n_best = 16, .alpha = 0.1});
  std::set<Ids> all;
  for (int i = 0; i < 4; ++i) {
    all.insert(epoch(data, i));
    EXPECT_EQ(spelled(epoch(data, i)), source);
  }
  EXPECT_EQ(all.size(), 4u);
}

TEST_F(SampledLanes, AnEpochIsAFunctionOfSeedAndNumber) {
  const SampledLaneOptions options{
      .n_best = 16, .alpha = 0.1, .lanes = {.batch = 3, .bptt = 7, .seed = 5}};
  SampledLaneDataset data(paths, tokenizer, options), again(paths, tokenizer, options);
  SampledLaneOptions threads = options;
  threads.corpus.threads = 3;
  SampledLaneDataset parallel(paths, tokenizer, threads);
  const Ids second = epoch(data, 1);
  epoch(data, 2);
  EXPECT_EQ(epoch(data, 1), second);
  EXPECT_EQ(epoch(again, 1), second);
  EXPECT_EQ(epoch(parallel, 1), second);
  SampledLaneOptions other = options;
  other.lanes.seed = 6;
  SampledLaneDataset differs(paths, tokenizer, other);
  EXPECT_NE(epoch(differs, 1), second);
  // Left in the middle and taken up again.
  data.seek({.epoch = 1, .batch = 0});
  Batch batch;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(data.next(batch));
  const BatchSource::Position place = data.position();
  EXPECT_EQ(place, (BatchSource::Position{.epoch = 1, .batch = 4}));
  const Ids after = rest(data);
  again.seek(place);
  EXPECT_EQ(rest(again), after);
}

TEST_F(SampledLanes, OneSegmentationOrAGreatAlphaIsTheBest) {
  const TokenFile plain = TokenFile::build(paths, *tokenizer, *tokenizer->vocabulary());
  const Ids best(plain.ids().begin(), plain.ids().end());
  for (const SampledLaneOptions& options :
       {SampledLaneOptions{.n_best = 1}, SampledLaneOptions{.n_best = 8, .alpha = 1e6}}) {
    SampledLaneDataset data(paths, tokenizer, options);
    EXPECT_EQ(epoch(data, 3), best);
  }
}

TEST_F(SampledLanes, KeepsToTheFirstLines) {
  SampledLaneDataset data(paths, tokenizer, {.n_best = 4, .lines = 100});
  std::size_t end = 0;
  for (int i = 0; i < 100; ++i) end = source.find('\n', end) + 1;
  EXPECT_EQ(spelled(epoch(data, 2)), source.substr(0, end));
}

TEST_F(SampledLanes, AFailedSeekLeavesTheEpochBefore) {
  SampledLaneDataset data(paths, tokenizer, {.n_best = 16, .alpha = 0.1});
  const Ids first = epoch(data, 0);
  std::filesystem::rename(paths[0], paths[0] + ".away");
  expect_error<IoError>([&] { data.seek({.epoch = 1, .batch = 0}); }, "text");
  EXPECT_EQ(epoch(data, 0), first);
  std::filesystem::rename(paths[0] + ".away", paths[0]);
  EXPECT_NE(epoch(data, 1), first);
}

TEST_F(SampledLanes, RefusesWhatHasNoProbabilities) {
  const auto bpe = std::make_shared<SentencePieceTokenizer>(
      train_sentencepiece(paths, {.vocabulary_size = 340, .model_type = "bpe"}));
  expect_error<ConfigError>([&] { SampledLaneDataset(paths, bpe, {.n_best = 4}); }, "unigram");
  expect_error<ConfigError>([&] { SampledLaneDataset(paths, tokenizer, {.n_best = 0}); },
                            "`n_best`");
}

}  // namespace
}  // namespace rnn
