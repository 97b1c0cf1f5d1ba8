// What the language-model commands print, and that they agree with each other.
#include <cmath>
#include <sstream>

#include "apps/command.h"
#include "base/number.h"

namespace rnn::test {
namespace {

class LanguageModelCommand : public Command {};

std::vector<Words> table(const std::string& text) {
  std::vector<Words> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    rows.emplace_back();
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, '\t');) rows.back().push_back(cell);
  }
  return rows;
}

double number(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

TEST_F(LanguageModelCommand, EvalInANewProcessEqualsTheValidationOfTheTraining) {
  // More epochs than this text bears, so that the best is not the last.
  const Json trained = must_train("m", {"--json", "--epochs", "30", "--lr", "0.05"}).json();
  const Json config = parse_json(read("m/config.json"), "config");
  const Json eval =
      must_run({"lm", "eval", "--model", "m", "--text", "valid.txt", "--json"}).json();
  EXPECT_EQ(eval["nats_per_token"].get<double>(), trained["valid_nats_per_token"].get<double>());
  EXPECT_EQ(eval["nats_per_token"].get<double>(),
            config["training"]["validation"]["nats_per_token"].get<double>());
  EXPECT_EQ(eval["ppl"], trained["valid_ppl"]);
  EXPECT_EQ(eval["tokens"], trained["valid_tokens"]);
  EXPECT_LT(trained["best_epoch"].get<int>(), trained["epochs"].get<int>());
}

TEST_F(LanguageModelCommand, EvalComputesInThePrecisionItIsGiven) {
  const RunResult training = must_train("m", {"--json", "--precision", "bf16"});
  EXPECT_NE(training.err.find("_BF16"), std::string::npos) << "the summary names the path";
  const auto nats = [&](const char* precision) {
    return must_run({"lm", "eval", "--model", "m", "--text", "valid.txt", "--json", "--precision",
                     precision})
        .json()["nats_per_token"]
        .get<double>();
  };
  EXPECT_EQ(nats("bf16"), training.json()["valid_nats_per_token"].get<double>());
  EXPECT_NE(nats("fp32"), nats("bf16"));
  EXPECT_NEAR(nats("fp32"), nats("bf16"), 0.01);
}

TEST_F(LanguageModelCommand, EvalHasTheFieldsOfItsContract) {
  must_train("m");
  files.write("t.txt", "the old fox\nzebra sang\n\n");
  const Json eval = must_run({"lm", "eval", "--model", "m", "--text", "t.txt", "--json"}).json();
  EXPECT_EQ(eval["tokens"], 8);
  EXPECT_EQ(eval["sentences"], 3);
  EXPECT_EQ(eval["oov"], 1);
  EXPECT_EQ(eval["characters"], 24);
  EXPECT_EQ(eval["state"], "carry");
  const double nats = eval["nats"].get<double>();
  EXPECT_DOUBLE_EQ(eval["nats_per_token"].get<double>(), nats / 8);
  EXPECT_DOUBLE_EQ(eval["ppl"].get<double>(), std::exp(nats / 8));
  EXPECT_DOUBLE_EQ(eval["bits_per_char"].get<double>(), nats / std::log(2.0) / 24);
  const std::string text = must_run({"lm", "eval", "--model", "m", "--text", "t.txt"}).out;
  EXPECT_NE(text.find("tokens          8  (3 ends of sentence among them, 1 unknown)"),
            std::string::npos)
      << text;
}

TEST_F(LanguageModelCommand, ScoreAndEvalAgreeWithEitherState) {
  must_train("m");
  for (const std::string state : {"carry", "reset"}) {
    const Json eval =
        must_run({"lm", "eval", "--model", "m", "--text", "valid.txt", "--json", "--state", state})
            .json();
    const Json total =
        must_run({"lm", "score", "--model", "m", "--text", "valid.txt", "--json", "--state", state})
            .json()["total"];
    EXPECT_EQ(total["tokens"], eval["tokens"]);
    EXPECT_EQ(total["sentences"], eval["sentences"]);
    EXPECT_NEAR(total["log_prob"].get<double>(), -eval["nats"].get<double>(),
                1e-9 * eval["nats"].get<double>());
    EXPECT_NEAR(total["ppl"].get<double>(), eval["ppl"].get<double>(), 1e-9);
  }
}

TEST_F(LanguageModelCommand, AScoreDoesNotDependOnTheSentencesAroundIt) {
  must_train("m");
  const auto all = table(must_run({"lm", "score", "--model", "m", "--text", "valid.txt"}).out);
  ASSERT_EQ(all.size(), 41u);
  for (const std::size_t i : {0u, 17u, 39u}) {
    const auto one =
        table(must_run({"lm", "score", "--model", "m"}, {.input = all[i].at(2) + "\n"}).out);
    EXPECT_EQ(one.at(0), all[i]);
  }
}

TEST_F(LanguageModelCommand, WordScoresAddUpToTheirSentenceAndSentencesToTheTotal) {
  must_train("m");
  const RunResult result = must_run({"lm", "score", "--model", "m", "--per-word"},
                                    {.input = "the zebra sang\na fox met a\\b\n\n"});
  const auto rows = table(result.out);
  ASSERT_EQ(rows.size(), 4u + 1 + 5 + 1 + 1 + 1 + 1) << result.out;
  double sum = 0, sum10 = 0, total = 0, unknown = 0;
  std::size_t sentences = 0;
  for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
    const bool is_sentence = rows[i][0][0] == '-';
    if (!is_sentence) {
      sum += number(rows[i].at(1));
      sum10 += number(rows[i].at(2));
      EXPECT_NEAR(number(rows[i][2]) * std::log(10.0), number(rows[i][1]), 1e-5);
      if (rows[i].size() > 3) unknown += number(rows[i][1]);
      continue;
    }
    EXPECT_EQ(rows[i - 1][0], "</s>");
    EXPECT_NEAR(number(rows[i][0]), sum, 1e-5);
    EXPECT_NEAR(number(rows[i][1]), sum10, 1e-5);
    total += number(rows[i][0]);
    sum = sum10 = 0;
    ++sentences;
  }
  EXPECT_EQ(sentences, 3u);
  EXPECT_EQ(rows[1], (Words{"zebra", rows[1][1], rows[1][2], "OOV"}));
  EXPECT_EQ(rows[8][0], "a\\\\b");  // as in vocabulary.txt: no tab or space can be mistaken
  const Words& last = rows.back();
  EXPECT_EQ(last.at(0), "total");
  EXPECT_EQ(last.at(1), "sentences 3");
  EXPECT_EQ(last.at(2), "tokens 10");
  EXPECT_EQ(last.at(3), "oov 2");
  EXPECT_NEAR(number(last.at(4).substr(9)), total, 1e-5);
  EXPECT_NEAR(number(last.at(6).substr(4)), std::exp(-total / 10), 1e-3);
  EXPECT_NEAR(number(last.at(7).substr(16)), std::exp(-(total - unknown) / 8), 1e-3);
}

TEST_F(LanguageModelCommand, ScoreAnswersEachLineOfAPipeBeforeTheNext) {
  must_train("m");
  for (const char* state : {"reset", "carry"}) {
    files.write("answer", "");
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      dup2(ends[0], 0);
      close(ends[1]);
      dup2(open(path("answer").c_str(), O_WRONLY), 1);
      execl(RNN_COMMAND, "rnn", "lm", "score", "--model", path("m").c_str(), "--state", state,
            nullptr);
      _exit(127);
    }
    close(ends[0]);
    ASSERT_EQ(write(ends[1], "the fox sang\n", 13), 13);
    for (int i = 0; i < 500 && read("answer").empty(); ++i) usleep(10000);
    EXPECT_NE(read("answer").find("the fox sang\n"), std::string::npos) << state;
    close(ends[1]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
}

TEST_F(LanguageModelCommand, ScoringNothingHasNoPerplexity) {
  must_train("m");
  const Json total = must_run({"lm", "score", "--model", "m", "--json"}).json()["total"];
  EXPECT_EQ(total["tokens"], 0);
  EXPECT_TRUE(total["ppl"].is_null());
}

TEST_F(LanguageModelCommand, GenerateObeysItsOptions) {
  must_train("m");
  const auto text = [&](Words more) {
    Words words{"lm", "generate", "--model", "m", "--length", "40"};
    words.insert(words.end(), more.begin(), more.end());
    return must_run(words).out;
  };
  const std::string plain = text({});
  EXPECT_EQ(plain, text({"--seed", "1"}));
  EXPECT_NE(plain, text({"--seed", "2"}));
  EXPECT_EQ(plain.back(), '\n');
  const std::string likeliest = text({"--temperature", "0"});
  EXPECT_EQ(likeliest, text({"--temperature", "0", "--seed", "2"}));
  EXPECT_EQ(likeliest, text({"--top-k", "1", "--seed", "3"}));
  EXPECT_EQ(likeliest, text({"--top-p", "1e-9", "--seed", "4"}));
  EXPECT_EQ(plain, text({"--top-k", "1000"}));
  EXPECT_EQ(text({"--temperature", "1e-300", "--seed", "5"}), likeliest);
  EXPECT_NE(text({"--top-p", "0.5"}), plain);
  std::string in_json = parse_json(text({"--json"}), "json")["text"].get<std::string>();
  if (in_json.back() != '\n') in_json += '\n';
  EXPECT_EQ(in_json, plain);
  EXPECT_EQ(must_run({"lm", "generate", "--model", "m", "--length", "0", "--prompt", "the"}).out,
            "the\n");
}

TEST_F(LanguageModelCommand, GeneratedTextBeginsWithThePromptAsItWasGiven) {
  must_train("m");
  const RunResult known =
      must_run({"lm", "generate", "--model", "m", "--prompt", "the fox", "--length", "5"});
  EXPECT_EQ(known.out.substr(0, 7), "the fox");
  EXPECT_EQ(known.err, "");
  const RunResult unknown =
      must_run({"lm", "generate", "--model", "m", "--prompt", "the zebra", "--length", "5"});
  EXPECT_EQ(unknown.out.substr(0, 9), "the zebra");
  EXPECT_NE(unknown.err.find("does not know zebra"), std::string::npos);
  EXPECT_EQ(unknown.out.find("<unk>"), std::string::npos);
}

TEST_F(LanguageModelCommand, EveryUnitTrainsAndAgreesWithItself) {
  files.write("u.txt", "Ein \xC3\xA4lterer  Fuchs,\tsagt man.\nNa\xC3\xAFve f\xF0\x9F\xA6\x8A.\n" +
                           made_up_text(40, 3));
  for (const std::string unit : {"word", "icu-word", "char", "byte"}) {
    const Json trained = must_train(unit, {"--unit", unit, "--train", "u.txt", "--valid", "u.txt",
                                           "--epochs", "1", "--json"})
                             .json();
    const Json eval = must_run({"lm", "eval", "--model", unit, "--text", "u.txt", "--json"}).json();
    EXPECT_EQ(eval["nats_per_token"], trained["valid_nats_per_token"]) << unit;
    const Json score = must_run({"lm", "score", "--model", unit, "--text", "u.txt", "--json",
                                 "--per-word", "--state", "carry"})
                           .json();
    EXPECT_EQ(score["total"]["tokens"], eval["tokens"]) << unit;
    EXPECT_EQ(score["sentences"][0]["words"].size(),
              score["sentences"][0]["tokens"].get<std::size_t>());
    const RunResult text = must_run(
        {"lm", "generate", "--model", unit, "--prompt", "Na\xC3\xAFve  f", "--length", "3"});
    const std::string begin =
        unit == "char" || unit == "byte" ? "Na\xC3\xAFve  f" : "Na\xC3\xAFve f";
    EXPECT_EQ(text.out.substr(0, begin.size()), begin) << unit;
  }
}

TEST_F(LanguageModelCommand, EveryCellTrainsToItsOwnResult) {
  std::set<double> results;
  for (const std::string cell : {"lstm", "gru", "gru-reset-before", "rnn", "rnn-relu"}) {
    const Json trained = must_train(cell, {"--cell", cell, "--json"}).json();
    const Json eval =
        must_run({"lm", "eval", "--model", cell, "--text", "valid.txt", "--json"}).json();
    EXPECT_EQ(eval["nats_per_token"], trained["valid_nats_per_token"]) << cell;
    EXPECT_LT(eval["ppl"].get<double>(), 21.5) << cell << " learned nothing";
    results.insert(eval["ppl"].get<double>());
  }
  EXPECT_EQ(results.size(), 5u);
}

TEST_F(LanguageModelCommand, TieSharesOneTable) {
  must_train("tied", {"--tie"});
  must_train("free");
  const auto tensors = [&](const char* model) {
    return must_run({"inspect", model, "--json"}).json();
  };
  EXPECT_EQ(tensors("free")["tensors"]["softmax/kernel"], Json({12, 22}));
  EXPECT_FALSE(tensors("tied")["tensors"].contains("softmax/kernel"));
  EXPECT_EQ(tensors("free")["parameters"].get<int>() - tensors("tied")["parameters"].get<int>(),
            12 * 22);
}

TEST_F(LanguageModelCommand, ANetworkFileReplacesTheOptionsThatDescribeOne) {
  must_train("m", {"--cell", "gru"});
  // The whole config.json serves, and so does its member alone.
  const Json network = parse_json(read("m/config.json"), "config")["network"];
  files.write("network.json", network.dump());
  for (const char* file : {"m/config.json", "network.json"}) {
    must_train("n", {"--network", file, "--overwrite"});
    EXPECT_EQ(parse_json(read("n/config.json"), "config")["network"], network);
    EXPECT_EQ(read("n/model.safetensors"), read("m/model.safetensors"));
  }
  files.write("small.txt", made_up_text(60, 4) + "one new word\n");
  refuses(2, train("x", {"--network", "network.json", "--train", "small.txt"}),
          {"network:", "input_dim 25"});
}

TEST_F(LanguageModelCommand, InitFromStartsWithTheOtherModel) {
  must_train("a", {"--epochs", "4"});
  const RunResult from = must_train("b", {"--init-from", "a", "--initial-evaluation", "--train",
                                          "valid.txt", "--valid", "valid.txt"});
  const Json eval =
      must_run({"lm", "eval", "--model", "a", "--text", "valid.txt", "--json"}).json();
  const std::string expected = "before training: valid loss " +
                               to_fixed(eval["nats_per_token"].get<double>(), 4) + "  ppl " +
                               to_fixed(eval["ppl"].get<double>(), 2) + "\n";
  EXPECT_NE(from.err.find(expected), std::string::npos) << from.err;
  EXPECT_EQ(read("a/vocabulary.txt"), read("b/vocabulary.txt"));
  refuses(2, train("c", {"--init-from", "a", "--unit", "char"}),
          {"init-from: a", "--unit word", "--unit char"});
  refuses(1, train("c", {"--init-from", "nowhere"}), {"nowhere", "no such model directory"});
  refuses(1, train("c", {"--init-from", "a", "--hidden", "13"}), {"a/model.safetensors"});
}

TEST_F(LanguageModelCommand, WithoutValidTheEndIsHeldOutAndThatIsSaid) {
  const RunResult result = run({"lm", "train", "--train", "train.txt", "--model", "m", "--hidden",
                                "8", "--epochs", "1", "--json"});
  EXPECT_EQ(result.code, 0);
  EXPECT_NE(result.err.find("no --valid given: the last tenth is held out"), std::string::npos);
  // The held-out part begins with a sentence.
  const std::string text = read("train.txt");
  const auto eval_of = [&](std::size_t at) {
    files.write("tail.txt", text.substr(at));
    return must_run({"lm", "eval", "--model", "m", "--text", "tail.txt", "--json"}).json();
  };
  std::size_t at = text.size();
  for (int lines = 0; lines < 60; ++lines) {
    at = text.rfind('\n', at - 2) + 1;
    const Json eval = eval_of(at);
    if (eval["tokens"].get<int>() < result.json()["valid_tokens"].get<int>()) continue;
    EXPECT_EQ(eval["nats_per_token"], result.json()["valid_nats_per_token"]);
    return;
  }
  FAIL() << "no tail has that many tokens";
}

TEST_F(LanguageModelCommand, StandardInputServesForAllTexts) {
  must_train("file");
  const std::string text = read("train.txt");
  for (const bool pipe : {true, false}) {
    const std::string model = pipe ? "pipe" : "redirected";
    must_run(train(model, {"--train", "-"}), {.input = text, .input_is_pipe = pipe});
    EXPECT_EQ(read(model + "/model.safetensors"), read("file/model.safetensors"));
  }
  must_run(train("valid", {"--valid", "-"}), {.input = read("valid.txt")});
  EXPECT_EQ(read("valid/config.json"), read("file/config.json"));
  EXPECT_EQ(
      must_run({"lm", "eval", "--model", "file", "--text", "-"}, {.input = read("valid.txt")}).out,
      must_run({"lm", "eval", "--model", "file", "--text", "valid.txt"}).out);
  refuses(2, train("x", {"--train", "-", "--valid", "-"}), {"--train", "--valid", "standard input"},
          {.input = text});
  EXPECT_EQ(first_line(run(train("x", {"--train", "-"}), {.input = "good\nb\xFF"
                                                                   "d\n"})
                           .err)
                .substr(0, 17),
            "rnn: /dev/stdin:2");
}

TEST_F(LanguageModelCommand, SeveralTrainingFilesAreReadOneAfterAnother) {
  const std::string text = read("train.txt");
  const std::size_t middle = text.find('\n', text.size() / 2) + 1;
  files.write("1.txt", text.substr(0, middle));
  files.write("2.txt", text.substr(middle));
  must_train("whole");
  must_train("parts", {"--train", "1.txt", "2.txt"});
  EXPECT_EQ(read("whole/model.safetensors"), read("parts/model.safetensors"));
}

TEST_F(LanguageModelCommand, NumbersAndCasesDoNotDependOnTheLocale) {
  must_train("c");
  const std::string eval = must_run({"lm", "eval", "--model", "c", "--text", "valid.txt"}).out;
  for (const std::string locale : {"de_DE.UTF-8", "tr_TR.UTF-8"}) {
    const RunOptions there{.environment = {{"LC_ALL", locale}, {"LANG", locale}}};
    must_run(train(locale, {"--unit", "word"}), there);
    EXPECT_EQ(read(locale + "/config.json"), read("c/config.json"));
    EXPECT_EQ(read(locale + "/model.safetensors"), read("c/model.safetensors"));
    EXPECT_EQ(must_run({"lm", "eval", "--model", "c", "--text", "valid.txt"}, there).out, eval);
  }
}

TEST_F(LanguageModelCommand, AModelDoesNotDependOnThreads) {
  must_train("one", {"--threads", "1"});
  must_train("three", {"--threads", "3"});
  for (const char* file : {"/model.safetensors", "/config.json"}) {
    EXPECT_EQ(read("one" + std::string(file)), read("three" + std::string(file)));
  }
}

}  // namespace
}  // namespace rnn::test
