// What the tagging commands print, and that they agree with each other.
#include <sstream>

#include "apps/command.h"

namespace rnn::test {
namespace {

constexpr const char* kAldermere = RNN_SOURCE_DIR "/corpora/aldermere_tagged/";

class TagCommand : public Command {
 protected:
  TagCommand() {
    files.write("t.conllu", TextFiles::read(std::string(kAldermere) + "train.conllu"));
    files.write("v.conllu", TextFiles::read(std::string(kAldermere) + "test.conllu"));
  }
  RunResult train_tags(const Words& more) const {
    Words words{"tag",      "train",       "--train", "t.conllu",  "--valid",
                "v.conllu", "--embedding", "16",      "--hidden",  "16",
                "--epochs", "3",           "--model", "m",         "--batch",
                "8",        "--lr",        "0.01",    "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return must_run(words);
  }
};

TEST_F(TagCommand, EvalOfTheModelIsTheValidationOfTheTrainingAndPredictSaysTheSame) {
  const Json trained = train_tags({"--field", "upos", "--json"}).json();
  const Json eval =
      must_run({"tag", "eval", "--model", "m", "--text", "v.conllu", "--json"}).json();
  EXPECT_EQ(eval["accuracy"], trained["valid_quality"]);
  EXPECT_EQ(eval["tokens"], 740);
  EXPECT_EQ(eval["sentences"], 67);
  EXPECT_EQ(eval["nats_per_token"], trained["valid_nats_per_word"]);
  EXPECT_GT(eval["accuracy"].get<double>(), 0.5);

  // Cell by cell: only the fourth column of words differs, as often as there are mistakes.
  const std::string gold = read("v.conllu");
  const std::string predicted =
      must_run({"tag", "predict", "--model", "m", "--text", "v.conllu"}).out;
  std::istringstream a(gold), b(predicted);
  int mistakes = 0;
  for (std::string one, other; std::getline(a, one);) {
    ASSERT_TRUE(std::getline(b, other));
    if (one == other) continue;
    ++mistakes;
    Words left, right;
    std::istringstream x(one), y(other);
    for (std::string cell; std::getline(x, cell, '\t');) left.push_back(cell);
    for (std::string cell; std::getline(y, cell, '\t');) right.push_back(cell);
    ASSERT_EQ(left.size(), 10u);
    left[3] = right.at(3);
    EXPECT_EQ(left, right);
  }
  EXPECT_EQ(std::count(gold.begin(), gold.end(), '\n'),
            std::count(predicted.begin(), predicted.end(), '\n'));
  EXPECT_DOUBLE_EQ(eval["accuracy"].get<double>(), 1 - mistakes / 740.0);

  // The same through a pipe, sentence by sentence.
  const std::string start = gold.substr(0, gold.find("\n\n", 2000) + 2);
  EXPECT_EQ(must_run({"tag", "predict", "--model", "m"}, {.input = start}).out,
            predicted.substr(0, predicted.find("\n\n", 2000) + 2));
  const std::string text = must_run({"tag", "eval", "--model", "m", "--text", "v.conllu"}).out;
  EXPECT_NE(text.find("words           740  (67 sentences)"), std::string::npos) << text;
}

TEST_F(TagCommand, ColumnsWithEntities) {
  files.write("t.txt", "Ann NN I-PER\nsaw VB O\nBo NN I-PER\n\nin IN O\nOslo NN I-LOC\n. . O\n");
  files.write("v.txt", "-DOCSTART- -X- O\n\nBo NN I-PER\nsaw VB O\n\nin IN O\nOslo NN I-LOC");
  must_run({"tag",       "train",       "--train",
            "t.txt",     "--valid",     "v.txt",
            "--column",  "3",           "--model",
            "m",         "--embedding", "8",
            "--hidden",  "8",           "--epochs",
            "60",        "--lr",        "0.05",
            "--dropout", "0",           "--singleton-dropout",
            "0",         "--threads",   "1"});
  EXPECT_EQ(must_run({"tag", "predict", "--model", "m", "--text", "v.txt"}).out, read("v.txt"));
  const std::string report = must_run({"tag", "eval", "--model", "m", "--text", "v.txt"}).out;
  EXPECT_EQ(report.substr(0, report.find("words")),
            "processed 4 tokens with 2 phrases; found: 2 phrases; correct: 2.\n"
            "accuracy: 100.00%; precision: 100.00%; recall: 100.00%; FB1: 100.00\n"
            "              LOC: precision: 100.00%; recall: 100.00%; FB1: 100.00  1\n"
            "              PER: precision: 100.00%; recall: 100.00%; FB1: 100.00  1\n");
  const Json eval = must_run({"tag", "eval", "--model", "m", "--text", "v.txt", "--json"}).json();
  EXPECT_EQ(eval["f1"], 1.0);
  EXPECT_EQ(eval["types"]["LOC"]["found"], 1);

  // Rows that end before the tag get it; with JSON come spans, marginals and the n best.
  EXPECT_EQ(must_run({"tag", "predict", "--model", "m"}, {.input = "Ann NN\nsaw VB\n"}).out,
            "Ann NN I-PER\nsaw VB O\n");
  const Json json =
      must_run({"tag", "predict", "--model", "m", "--json", "--nbest", "2", "--marginals"},
               {.input = "Ann NN\nsaw VB\n"})
          .json();
  const Json& sentence = json["sentences"][0];
  EXPECT_EQ(sentence["words"], (Words{"Ann", "saw"}));
  EXPECT_EQ(sentence["tags"], (Words{"I-PER", "O"}));
  EXPECT_EQ(sentence["spans"][0]["type"], "PER");
  EXPECT_EQ(sentence["nbest"].size(), 2u);
  EXPECT_EQ(sentence["nbest"][0]["tags"], sentence["tags"]);
  EXPECT_EQ(sentence["marginals"][1].size(), json["labels"].size());

  const Json plain = must_run({"tag", "predict", "--model", "m", "--plain", "--json"},
                              {.input = "\nBo saw Ann.\n"})
                         .json()["sentences"][0];
  EXPECT_EQ(plain["words"], (Words{"Bo", "saw", "Ann", "."}));
  EXPECT_EQ(plain["line"], 2);
  EXPECT_EQ(plain["spans"][0]["text"], "Bo");
  EXPECT_EQ(plain["spans"][0]["begin"], 0);
  EXPECT_EQ(plain["offsets"][2], (std::vector<int>{7, 10}));
  EXPECT_EQ(must_run({"tag", "predict", "--model", "m", "--plain"}, {.input = "Bo saw\n"}).out,
            "Bo\tI-PER\nsaw\tO\n\n");
}

TEST_F(TagCommand, WrongUseAndBadFilesAreRefused) {
  const auto train = [&](const Words& more) {
    Words words{"tag", "train", "--train", "b.txt", "--valid", "b.txt", "--model", "m"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  files.write("b.txt", "a O\nb\n");
  refuses(1, train({"--column", "2"}), {"b.txt:2:", "expected 2 columns", "found 1"});
  refuses(2, train({}), {"--field", "--column"});
  refuses(2, train({"--column", "2", "--head", "x"}), {"head", "'x'"});
  files.write("b.txt", "a O\n\nb O\nc I-PER");
  refuses(1, train({"--column", "2", "--scheme", "bio"}), {"b.txt:3:", "I-PER", "--scheme iob1"});
  refuses(1, train({"--field", "upos"}), {"b.txt:1:", "10 columns"});
  refuses(2, {"tag", "predict", "--model", "m", "--nbest", "2"}, {"--json"});
  refuses(1, {"tag", "eval", "--model", "none", "--text", "b.txt"}, {"none: no such model"});
  must_train("lm");
  refuses(1, {"tag", "predict", "--model", "lm"}, {"'language-model', not for 'tagger'"});
}

}  // namespace
}  // namespace rnn::test
