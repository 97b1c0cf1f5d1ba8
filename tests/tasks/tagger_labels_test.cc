#include "tasks/tagger_labels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "rnn/error.h"
#include "text/text_files.h"

namespace rnn {
namespace {

using Strings = std::vector<std::string>;

TaggedSentence sentence_of(const Strings& tags) {
  TaggedSentence sentence{.tags = tags};
  for (std::size_t i = 0; i < tags.size(); ++i) {
    sentence.words.push_back("w");
    sentence.lines.push_back(static_cast<std::int64_t>(i) + 10);
  }
  return sentence;
}

TaggedPart part_of(const std::vector<Strings>& sentences) {
  const auto all = std::make_shared<TaggedSentences>();
  for (const Strings& tags : sentences) all->add(sentence_of(tags), "f.txt");
  return TaggedPart(all);
}

std::string detected(const std::vector<Strings>& sentences) {
  return detect_scheme(part_of(sentences));
}

TEST(TaggerLabels, TheSchemeIsFoundOutFromTheTags) {
  EXPECT_EQ(detected({{"NOUN", "O"}}), "none");
  EXPECT_EQ(detected({{"O", "O"}}), "none");
  EXPECT_EQ(detected({{"B-A", "I-B"}, {"S-A", "x", "O"}, {"E-A"}}), "none");
  EXPECT_EQ(detected({{"O", "I-A", "I-A"}, {"I-A", "B-A"}}), "iob1");
  EXPECT_EQ(detected({{"I-A", "B-A"}, {"I-B", "I-A"}}), "iob1");
  // Bio with a mistake in it: I-A stands where only iob1 lets it, and B-A where only bio does.
  EXPECT_EQ(detected({{"B-A", "I-B"}}), "bio");
  EXPECT_EQ(detected({{"O", "B-A"}, {"O", "I-A"}}), "bio");
  EXPECT_EQ(detected({{"B-A", "I-A", "O"}}), "bio");
  EXPECT_EQ(detected({{"B-A", "E-A", "O"}}), "bioes");
  EXPECT_EQ(detected({{"S-A"}}), "bioes");
}

TEST(TaggerLabels, APartIsSomeSentencesOfAllFiles) {
  const auto all = std::make_shared<TaggedSentences>();
  all->add({.words = {"a", "b"}, .tags = {"X", "Y"}, .lines = {1, 3}}, "one.txt");
  all->add({.words = {"b"}, .tags = {"X"}, .lines = {5}}, "one.txt");
  all->add({.words = {"c", "b", "b"}, .tags = {"Y", "Y", "Z"}, .lines = {2, 3, 4}}, "two.txt");
  const TaggedPart part = TaggedPart(all).part(1, 3);
  EXPECT_EQ(part.size(), 2);
  EXPECT_EQ(part.words(), 4);
  EXPECT_EQ(TaggedPart(all).words(), 6);
  EXPECT_EQ(TaggedPart(all).part(1, 1).words(), 0);
  EXPECT_EQ(part.file_of(0), "one.txt");
  EXPECT_EQ(part.file_of(1), "two.txt");
  TaggedSentence sentence;
  part.get(1, sentence);
  EXPECT_EQ(sentence.words, (Strings{"c", "b", "b"}));
  EXPECT_EQ(sentence.tags, (Strings{"Y", "Y", "Z"}));
  EXPECT_EQ(sentence.lines, (std::vector<std::int64_t>{2, 3, 4}));
  std::map<std::string, std::int64_t> counts;
  part.each_word([&](std::string_view word, std::int64_t count) { counts.emplace(word, count); });
  EXPECT_EQ(counts, (std::map<std::string, std::int64_t>{{"b", 3}, {"c", 1}}));
}

TEST(TaggerLabels, TagsComeBackInTheSchemeOfTheFiles) {
  const Strings tags{"I-A", "B-A", "I-A", "O", "I-B"};
  for (const char* training : {"bio", "bioes"}) {
    const TaggerLabels labels = TaggerLabels::of(part_of({tags}), "iob1", training);
    const auto numbers = labels.labels_of(sentence_of(tags), "f");
    EXPECT_EQ(labels.tags_of(numbers), tags);
    // Those of entities of other lengths too.
    EXPECT_EQ(labels.names().size(), training == std::string("bio") ? 5u : 9u);
  }
  const TaggerLabels plain = TaggerLabels::of(part_of({{"N", "V", "N"}}), "none", "bioes");
  EXPECT_EQ(plain.names(), (Strings{"N", "V"}));
  EXPECT_EQ(plain.labels_of(sentence_of({"V", "X", "N"}), "f"),
            (std::vector<std::int32_t>{1, -1, 0}));
  EXPECT_TRUE(plain.allowed().empty());
  EXPECT_EQ(plain.forbidden(), "");
}

// Whatever may stand side by side is, and what may not is not, what the scheme's reader accepts.
TEST(TaggerLabels, PossibleIsWhatTheSchemeAllows) {
  const std::vector<Strings> examples{{"S-A", "O"}, {"B-A", "I-A", "E-A"}, {"B-B", "E-B"}};
  for (const char* training : {"bio", "bioes"}) {
    const TaggerLabels labels = TaggerLabels::of(part_of(examples), "bioes", training);
    const auto K = static_cast<std::size_t>(labels.size());
    const auto allowed = labels.allowed();
    const auto is_good = [&](const Strings& tags) {
      try {
        entities_of(tags, tag_scheme(training));
        return true;
      } catch (const TextError&) {
        return false;
      }
    };
    std::size_t forbidden = 0;
    for (std::size_t i = 0; i < K; ++i) {
      EXPECT_EQ(allowed[K * (K + 1) + i] && allowed[i * (K + 1) + K], is_good({labels.names()[i]}));
      for (std::size_t j = 0; j < K; ++j) {
        const bool path =
            allowed[K * (K + 1) + i] && allowed[i * (K + 1) + j] && allowed[j * (K + 1) + K];
        EXPECT_EQ(path, is_good({labels.names()[i], labels.names()[j]}))
            << labels.names()[i] << ' ' << labels.names()[j];
      }
    }
    for (const auto one : allowed) forbidden += one == 0;
    const std::string text = labels.forbidden();
    EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '>')), forbidden);
  }
}

TEST(TaggerLabels, KnowsItsForbiddenPairsWithoutMakingThem) {
  for (const char* training : {"bio", "bioes"}) {
    const TaggerLabels labels = TaggerLabels::of(part_of({{"S-A", "O", "S-B"}}), "bioes", training);
    const std::string text = labels.forbidden();
    EXPECT_TRUE(labels.are_forbidden(text));
    EXPECT_FALSE(labels.are_forbidden(text + " 0>0"));
    EXPECT_FALSE(labels.are_forbidden(text + " "));
    EXPECT_FALSE(labels.are_forbidden(text.substr(0, text.rfind(' '))));
    EXPECT_FALSE(labels.are_forbidden(text.substr(text.find(' ') + 1)));
    EXPECT_FALSE(labels.are_forbidden(""));
    EXPECT_EQ(labels.forbidden(text.size() + 1), text);
    const std::string cut = labels.forbidden(text.size());
    EXPECT_EQ(cut, text.substr(0, text.rfind(' ') + 1) + "...");
  }
  const TaggerLabels plain({"N", "V"}, "none", "bioes");
  EXPECT_TRUE(plain.are_forbidden(""));
  EXPECT_FALSE(plain.are_forbidden("0>1"));
}

TEST(TaggerLabels, EntitiesHaveSoManyLabelsAndNoMore) {
  Strings names;
  for (std::size_t i = 0; i <= kMostEntityLabels; ++i) names.push_back("B-" + std::to_string(i));
  EXPECT_EQ(TaggerLabels(names, "none", "bio").allowed().size(), 0u);
  expect_error<FormatError>([&] { TaggerLabels(names, "bio", "bio"); }, "at most 2048", "2049",
                            "--scheme none");
  names.pop_back();
  EXPECT_EQ(TaggerLabels(names, "bio", "bio").allowed().size(), 2049u * 2049u);
}

TEST(TaggerLabels, ASentenceThatTheSchemeForbidsIsLeftOutOfTheLoss) {
  const TaggerLabels labels = TaggerLabels::of(part_of({{"B-A", "I-A", "O"}}), "bio", "bioes");
  EXPECT_EQ(labels.labels_of(sentence_of({"O", "I-A"}), "f"), (std::vector<std::int32_t>{-1, -1}));
  EXPECT_GE(labels.labels_of(sentence_of({"B-A"}), "f").front(), 0);  // one word long
}

TEST(TaggerLabels, MistakesNameTheFileTheLineAndARemedy) {
  expect_error<TextError>(
      [] {
        TaggerLabels::of(part_of({{"O", "I-A"}}), "bio", "bioes");
      },
      "f.txt:10:", "\"I-A\" of word 2", "--scheme iob1");
  expect_error<ConfigError>([] { TaggerLabels({}, "iob2", "bioes"); }, "iob2");
  expect_error<ConfigError>([] { TaggerLabels({}, "none", "iob1"); }, "training-scheme");
  expect_error<FormatError>([] { TaggerLabels({"O", "O"}, "none", "bioes"); }, "twice");
  expect_error<FormatError>([] { TaggerLabels({"NN"}, "bio", "bioes"); }, "'NN'");
}

}  // namespace
}  // namespace rnn
