// What `rnn lm train` makes of its options and texts.
#include "apps/command.h"
#include "base/number.h"
#include "support/locales.h"

namespace rnn::test {
namespace {

class LmTrain : public Command {};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

TEST_F(LmTrain, EveryCellTrainsToItsOwnResult) {
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

/// Flags and lines of a --config file, and where they are found in the network of the model.
TEST_F(LmTrain, EveryRegularizerReachesTheNetwork) {
  struct Option {
    const char *name, *value, *type, *member;
    std::vector<double> expected;  // of all layers of that type
  };
  const std::vector<Option> options{
      {"dropout", "0.5", "Dropout", "rate", {0.5, 0.5, 0.5}},
      {"dropout-input", "0.25", "Dropout", "rate", {0.25}},
      {"dropout-hidden", "0.25", "Dropout", "rate", {0.25}},
      {"dropout-output", "0.25", "Dropout", "rate", {0.25}},
      {"dropout-embedding", "0.25", "Embedding", "dropout", {0.25}},
      {"dropout-recurrent", "0.25", "LSTM", "recurrent_dropout", {0.25, 0.25}},
      {"weight-drop", "0.25", "LSTM", "weight_drop", {0.25, 0.25}},
      {"ar", "2", "ActivityRegularization", "l2", {2}},
      {"tar", "2", "ActivityRegularization", "temporal_l2", {2}},
      {"label-smoothing", "0.25", "Softmax", "label_smoothing", {0.25}},
  };
  const Words two{"--layers", "2", "--epochs", "1", "--overwrite"};
  must_train("plain", two);
  const std::string plain = read("plain/model.safetensors");
  for (const Option& option : options) {
    SCOPED_TRACE(option.name);
    Words flags = two;
    flags.insert(flags.end(), {"--" + std::string(option.name), option.value});
    must_train("flag", flags);
    const Json network = parse_json(read("flag/config.json"), "config")["network"];
    std::vector<double> found;
    Json layers = network["layers"];
    layers.push_back(network["head"]);
    for (const Json& layer : layers) {
      if (layer["type"] == option.type) found.push_back(layer[option.member].get<double>());
    }
    EXPECT_EQ(found, option.expected) << network.dump(1);
    EXPECT_NE(read("flag/model.safetensors"), plain);
    files.write("r.conf", std::string(option.name) + " = " + option.value + "\n");
    Words config = two;
    config.insert(config.end(), {"--config", "r.conf"});
    must_train("line", config);
    EXPECT_EQ(read("line/model.safetensors"), read("flag/model.safetensors"));
    EXPECT_EQ(read("line/config.json"), read("flag/config.json"));
  }
}

TEST_F(LmTrain, SharedMasksReachEveryDropout) {
  const Words dropped{"--layers", "2", "--epochs", "1", "--dropout", "0.5"};
  const auto shared_masks = [&](const std::string& model, const Words& more) {
    Words words = dropped;
    words.insert(words.end(), more.begin(), more.end());
    must_train(model, words);
    const Json config = parse_json(read(model + "/config.json"), "config");
    std::vector<bool> found;
    for (const Json& layer : config["network"]["layers"]) {
      if (layer["type"] == "Dropout") found.push_back(layer["shared_over_time"].get<bool>());
    }
    return found;
  };
  files.write("r.conf", "dropout-shared = true\n");
  EXPECT_EQ(shared_masks("each", {}), std::vector<bool>(3, false));
  EXPECT_EQ(shared_masks("flag", {"--dropout-shared"}), std::vector<bool>(3, true));
  EXPECT_EQ(shared_masks("line", {"--config", "r.conf"}), std::vector<bool>(3, true));
  EXPECT_NE(read("flag/model.safetensors"), read("each/model.safetensors"));
  EXPECT_EQ(read("line/model.safetensors"), read("flag/model.safetensors"));
}

TEST_F(LmTrain, EverySoftmaxTrainsToAModelThatEvaluatesTheSame) {
  const std::map<std::string, Words> kinds{
      {"Softmax", {"--softmax", "full"}},
      {"AdaptiveSoftmax", {"--softmax", "adaptive", "--softmax-cutoffs", "6 12"}},
      {"SampledSoftmax", {"--softmax", "sampled", "--softmax-samples", "8", "--tie"}}};
  for (const auto& [type, options] : kinds) {
    Words more = options;
    more.push_back("--json");
    const Json trained = must_train(type, more).json();
    const Json eval =
        must_run({"lm", "eval", "--model", type, "--text", "valid.txt", "--json"}).json();
    EXPECT_EQ(eval["nats_per_token"], trained["valid_nats_per_token"]) << type;
    EXPECT_LT(eval["ppl"].get<double>(), 21.5) << type << " learned nothing";
    EXPECT_NE(must_run({"inspect", type}).out.find(type), std::string::npos);
  }
}

TEST_F(LmTrain, TieSharesOneTable) {
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

TEST_F(LmTrain, ANetworkFileReplacesTheOptionsThatDescribeOne) {
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

TEST_F(LmTrain, WhatDescribesANetworkIsRefusedBesideANetworkFile) {
  must_train("m");
  const Words network{"--network", "m/config.json"};
  const auto with = [&](const Words& more) {
    Words words = train("n", network);
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  for (const Words& option : {Words{"--cell", "gru"},
                              {"--embedding", "7"},
                              {"--hidden", "12"},
                              {"--layers", "1"},
                              {"--tie"},
                              {"--dropout", "0.5"},
                              {"--dropout-input", "0"},
                              {"--dropout-hidden", "0.1"},
                              {"--dropout-output", "0.1"},
                              {"--dropout-shared"},
                              {"--dropout-embedding", "0.1"},
                              {"--dropout-recurrent", "0.1"},
                              {"--weight-drop", "0.5"},
                              {"--ar", "2"},
                              {"--tar", "1"},
                              {"--softmax", "sampled"},
                              {"--softmax-samples", "5"},
                              {"--label-smoothing", "0.1"},
                              {"--init", "0.1"},
                              {"--forget-bias", "0"}}) {
    refuses(2, with(option), {option[0].substr(2) + ":", "--network", "leave out"});
  }
  // What is of the training alone goes together with any network.
  must_run(with({"--dropout", "0", "--optimizer", "sgd", "--random-bptt"}));
  // A training that was begun otherwise is told by its recipe.
  refuses(2, with({"--optimizer", "sgd", "--random-bptt", "--resume", "--dropout", "0.5"}),
          {"resume:", "was trained with --dropout"});
}

TEST_F(LmTrain, InitFromStartsWithTheOtherModel) {
  must_train("a", {"--epochs", "4"});
  const RunResult from = must_train("b", {"--init-from", "a", "--initial-evaluation", "--train",
                                          "valid.txt", "--valid", "valid.txt"});
  const Json eval =
      must_run({"lm", "eval", "--model", "a", "--text", "valid.txt", "--json"}).json();
  const std::string expected = "before training: valid loss " +
                               to_fixed(eval["nats_per_token"].get<double>(), 4) + "  ppl " +
                               to_fixed(eval["ppl"].get<double>(), 2) + "  bits/char " +
                               to_fixed(eval["bits_per_char"].get<double>(), 4) + "\n";
  EXPECT_NE(from.err.find(expected), std::string::npos) << from.err;
  EXPECT_EQ(read("a/vocabulary.txt"), read("b/vocabulary.txt"));
  refuses(2, train("c", {"--init-from", "a", "--unit", "char"}),
          {"init-from: a", "--unit word", "--unit char"});
  refuses(1, train("c", {"--init-from", "nowhere"}), {"nowhere", "no such model directory"});
  refuses(1, train("c", {"--init-from", "a", "--hidden", "13"}), {"a/model.safetensors"});
}

TEST_F(LmTrain, WithoutValidTheEndIsHeldOutAndThatIsSaid) {
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
    EXPECT_EQ(eval["characters"], result.json()["valid_characters"]);
    EXPECT_EQ(eval["bits_per_char"], result.json()["valid_bits_per_char"]);
    return;
  }
  FAIL() << "no tail has that many tokens";
}

TEST_F(LmTrain, BitsPerCharacterAreThoseOfEvalWhateverTheUnit) {
  files.write("odd.txt", "the  \u00C9\n" + read("valid.txt"));
  const auto text_of = [](const Json& json) {
    return to_fixed(json["valid_bits_per_char"].get<double>(), 4);
  };
  for (const std::string unit : {"word", "char", "byte"}) {
    const RunResult result = must_train(unit, {"--unit", unit, "--valid", "odd.txt", "--json",
                                               "--normalize-white-space", "collapse"});
    const Json eval =
        must_run({"lm", "eval", "--model", unit, "--text", "odd.txt", "--json"}).json();
    const Json trained = result.json();
    EXPECT_EQ(trained["valid_bits_per_char"], eval["bits_per_char"]) << unit;
    EXPECT_EQ(trained["valid_characters"], eval["characters"]) << unit;
    // Each epoch's in the log, and that of the best in its last line and in the history.
    const std::string bits = "bits/char " + text_of(trained);
    EXPECT_NE(result.err.find(bits + "  "), std::string::npos) << result.err;
    EXPECT_NE(result.err.find(bits + "\n"), std::string::npos) << result.err;
    const std::string history = read(unit + "/history.csv");
    EXPECT_NE(first_line(history).find(",valid_ppl,valid_bits_per_char,seconds"), history.npos);
    EXPECT_NE(history.find("," + to_text(trained["valid_bits_per_char"].get<double>()) + ","),
              history.npos)
        << history;
  }
}

TEST_F(LmTrain, StandardInputServesForAllTexts) {
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

TEST_F(LmTrain, SeveralTrainingFilesAreReadOneAfterAnother) {
  const std::string text = read("train.txt");
  const std::size_t middle = text.find('\n', text.size() / 2) + 1;
  files.write("1.txt", text.substr(0, middle));
  files.write("2.txt", text.substr(middle));
  must_train("whole");
  must_train("parts", {"--train", "1.txt", "2.txt"});
  EXPECT_EQ(read("whole/model.safetensors"), read("parts/model.safetensors"));
}

TEST_F(LmTrain, NumbersAndCasesDoNotDependOnTheLocale) {
  must_train("c");
  const std::string eval = must_run({"lm", "eval", "--model", "c", "--text", "valid.txt"}).out;
  for (const std::string locale : {"de_DE.UTF-8", "tr_TR.UTF-8"}) {
    const RunOptions there{
        .environment = {{"LC_ALL", locale}, {"LANG", locale}, {"LOCPATH", locale_folder()}}};
    must_run(train(locale, {"--unit", "word"}), there);
    EXPECT_EQ(read(locale + "/config.json"), read("c/config.json"));
    EXPECT_EQ(read(locale + "/model.safetensors"), read("c/model.safetensors"));
    EXPECT_EQ(must_run({"lm", "eval", "--model", "c", "--text", "valid.txt"}, there).out, eval);
  }
}

TEST_F(LmTrain, AModelDoesNotDependOnThreads) {
  must_train("one", {"--threads", "1"});
  must_train("three", {"--threads", "3"});
  for (const char* file : {"/model.safetensors", "/config.json"}) {
    EXPECT_EQ(read("one" + std::string(file)), read("three" + std::string(file)));
  }
}

}  // namespace
}  // namespace rnn::test
