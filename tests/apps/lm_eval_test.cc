// What `rnn lm eval` prints, and that it agrees with training and with `score`.
#include <cmath>

#include "apps/command.h"

namespace rnn::test {
namespace {

class LmEval : public Command {};

TEST_F(LmEval, EvalInANewProcessEqualsTheValidationOfTheTraining) {
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

TEST_F(LmEval, EvalComputesInThePrecisionItIsGiven) {
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

TEST_F(LmEval, EvalHasTheFieldsOfItsContract) {
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

TEST_F(LmEval, ScoreAndEvalAgreeWithEitherState) {
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

TEST_F(LmEval, AdaptingMakesARepetitiveTextLikelierAndOffIsOff) {
  must_train("m");
  std::string text;
  for (int i = 0; i < 30; ++i) text += "a red hen met the moon\n";
  files.write("r.txt", text);
  const auto eval = [&](const Words& more) {
    Words words{"lm", "eval", "--model", "m", "--text", "r.txt", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return must_run(words).json();
  };
  const Words dynamic{"--dynamic-lr", "0.001", "--dynamic-statistics", "train.txt"};
  const Words cache{"--cache-size", "100", "--cache-weight", "0.3", "--cache-theta", "1"};
  const Json plain = eval({});
  EXPECT_EQ(eval({"--dynamic-lr", "0", "--cache-size", "0"}), plain);
  for (const Words& adaptation : {dynamic, cache}) {
    const Json adapted = eval(adaptation);
    EXPECT_LT(adapted["ppl"].get<double>(), 0.8 * plain["ppl"].get<double>());
    EXPECT_EQ(adapted["tokens"], plain["tokens"]);
    EXPECT_EQ(adapted["characters"], plain["characters"]);
    // `score` reads the same stream sentence by sentence.
    Words words{"lm", "score", "--model", "m", "--text", "r.txt", "--json", "--state", "carry"};
    words.insert(words.end(), adaptation.begin(), adaptation.end());
    const Json scores = must_run(words).json();
    EXPECT_NEAR(scores["total"]["log_prob"].get<double>(), -adapted["nats"].get<double>(), 1e-6);
    EXPECT_GT(scores["sentences"].back()["log_prob"].get<double>(),
              scores["sentences"].front()["log_prob"].get<double>() + 1);
    words[8] = "reset";
    refuses(2, words, {"--state carry"});
    words = {"lm", "eval", "--model", "m", "--text", "r.txt", "--mix", "m=0.5"};
    words.insert(words.end(), adaptation.begin(), adaptation.end());
    refuses(2, words, {"--mix", "--cache-size"});
    words = {"lm", "score", "--model", "m", "--state", "carry", "--nbest", "r.txt"};
    words.insert(words.end(), adaptation.begin(), adaptation.end());
    refuses(2, words, {"--nbest"});
  }
  refuses(2, {"lm", "eval", "--model", "m", "--text", "r.txt", "--dynamic-lr", "0.1"},
          {"dynamic-statistics", "training text"});
  refuses(2, {"lm", "eval", "--model", "m", "--text", "r.txt", "--dynamic-statistics", "train.txt"},
          {"--dynamic-lr"});
  refuses(2, {"lm", "eval", "--model", "m", "--text", "r.txt", "--cache-size", "-1"},
          {"cache-size", "-1"});
}

TEST_F(LmEval, AFigureThatIsNoNumberIsAnError) {
  must_train("m");
  const RunResult result = run({"lm", "eval", "--model", "m", "--text", "valid.txt", "--json",
                                "--dynamic-lr", "1e38", "--dynamic-statistics", "train.txt"});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("must have diverged"), std::string::npos) << result.err;
}

TEST_F(LmEval, AMixtureWeighsTheProbabilitiesOfItsModels) {
  must_train("a");
  must_train("b", {"--cell", "gru", "--seed", "2"});
  const auto logs = [&](const char* model) {
    const Json json = must_run({"lm", "score", "--model", model, "--text", "valid.txt",
                                "--per-word", "--json", "--state", "carry"})
                          .json();
    std::vector<double> all;
    for (const Json& sentence : json["sentences"]) {
      for (const Json& word : sentence["words"]) all.push_back(word["log_prob"].get<double>());
    }
    return all;
  };
  const std::vector<double> a = logs("a"), b = logs("b");
  double nats = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    nats -= std::log(0.7 * std::exp(a[i]) + 0.3 * std::exp(b[i]));
  }
  const auto eval = [&](Words more) {
    Words words{"lm", "eval", "--model", "a", "--text", "valid.txt", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return must_run(words).json();
  };
  EXPECT_NEAR(eval({"--mix", "b=0.3"})["nats"].get<double>(), nats, 1e-5 * nats);
  EXPECT_NEAR(eval({"--mix", "a=0.5"})["nats"].get<double>(), eval({})["nats"].get<double>(),
              1e-6 * nats);
  EXPECT_NE(eval({"--mix", "b=0.3", "--state", "reset"})["nats"], eval({"--mix", "b=0.3"})["nats"]);
  for (const char* bad : {"b", "b=x", "b=0", "b=1"}) {
    refuses(2, {"lm", "eval", "--model", "a", "--text", "valid.txt", "--mix", bad}, {"--mix"});
  }
  must_train("c", {"--max-vocabulary", "8"});
  refuses(2, {"lm", "eval", "--model", "a", "--text", "valid.txt", "--mix", "c=0.5"},
          {"vocabular"});
}

}  // namespace
}  // namespace rnn::test
