// Language models over each kind of unit, and over normalized text.
#include <algorithm>
#include <cmath>

#include "apps/command.h"

namespace rnn::test {
namespace {

class LmUnits : public Command {};

TEST_F(LmUnits, EveryUnitTrainsAndAgreesWithItself) {
  files.write("u.txt", "Ein \xC3\xA4lterer  Fuchs,\tsagt man.\nNa\xC3\xAFve f\xF0\x9F\xA6\x8A.\n" +
                           made_up_text(40, 3));
  for (const std::string unit : {"word", "icu-word", "char", "byte", "regex"}) {
    const Json trained =
        must_train(unit, {"--unit", unit, "--pattern", unit == "regex" ? "\\S+" : "", "--train",
                          "u.txt", "--valid", "u.txt", "--epochs", "1", "--json"})
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

/// Bits per character compare models of different units: all count the characters of the text.
TEST_F(LmUnits, BitsPerCharacterCountTheCharactersOfTheTextWhateverTheUnit) {
  files.write("v.txt", "the old f\xC3\xB6x  sang\n\nNa\xC3\xAFve e\xCC\x81 \xF0\x9F\xA6\x8A.\n");
  for (const std::string unit : {"word", "icu-word", "char", "byte", "sentencepiece"}) {
    must_train(unit, {"--unit", unit, "--sentencepiece-size", "300", "--epochs", "1"});
    const Json eval = must_run({"lm", "eval", "--model", unit, "--text", "v.txt", "--json"}).json();
    EXPECT_EQ(eval["characters"], 31) << unit;
    EXPECT_NEAR(eval["bits_per_char"].get<double>() * 31 * std::log(2.0),
                eval["nats"].get<double>(), 1e-9);
  }
}

TEST_F(LmUnits, SentencePieceIsLearnedAndLivesInTheModel) {
  files.write("u.txt", "Ein \xC3\xA4lterer  Fuchs,\tsagt man.\n" + made_up_text(200, 3));
  const Words options{
      "--unit", "sentencepiece", "--sentencepiece-size", "300", "--train", "u.txt", "--epochs",
      "1",      "--json"};
  const Json trained = must_train("m", options).json();
  const Json eval =
      must_run({"lm", "eval", "--model", "m", "--text", "valid.txt", "--json"}).json();
  EXPECT_EQ(eval["nats_per_token"], trained["valid_nats_per_token"]);
  EXPECT_EQ(eval["oov"], 0);
  EXPECT_TRUE(std::filesystem::exists(path("m/tokenizer.model")));
  EXPECT_FALSE(std::filesystem::exists(path("m/vocabulary.txt")));
  const std::string config = read("m/config.json");
  EXPECT_EQ(config.find(files.directory().string()), std::string::npos);
  EXPECT_EQ(parse_json(config, "config")["vocabulary_size"], 300);
  // Text comes out as text, whatever pieces it is made of, and the prompt as it was.
  const std::string prompt = " Der  \xC3\xA4lteste \xE6\x97\xA5\xF0\x9F\xA6\x8A th";
  const RunResult text =
      must_run({"lm", "generate", "--model", "m", "--prompt", prompt, "--length", "30"});
  EXPECT_EQ(text.out.substr(0, prompt.size()), prompt);
  EXPECT_EQ(text.out.find("\xE2\x96\x81"), std::string::npos);
  EXPECT_EQ(text.err, "");
  const Json score =
      must_run({"lm", "score", "--model", "m", "--per-word", "--json"}, {.input = "a hen\n"})
          .json()["sentences"][0];
  std::string joined;
  for (const Json& word : score["words"]) joined += word["word"].get<std::string>();
  EXPECT_EQ(joined, "a\xE2\x96\x81hen</s>");

  // A model file that is there already gives the same, and so do the pieces of another model.
  std::filesystem::copy_file(path("m/tokenizer.model"), path("t.model"));
  Words given = options;
  given.insert(given.end(), {"--tokenizer-model", "t.model"});
  must_train("n", given);
  for (const char* file : {"/model.safetensors", "/config.json", "/tokenizer.model"}) {
    EXPECT_EQ(read("n" + std::string(file)), read("m" + std::string(file)));
  }
  // What is replaced leaves no vocabulary of its own behind, in either direction.
  must_train("m", {"--overwrite"});
  EXPECT_FALSE(std::filesystem::exists(path("m/tokenizer.model")));
  Words again = options;
  again.push_back("--overwrite");
  must_train("m", again);
  EXPECT_FALSE(std::filesystem::exists(path("m/vocabulary.txt")));
  must_run({"inspect", "m"});
  Words more = given;
  more.insert(more.end(), {"--init-from", "m"});
  must_train("o", more);
  files.write("other.txt", made_up_text(300, 9));
  must_run({"text", "train-sentencepiece", "other.txt", "--vocabulary-size", "300", "--model-type",
            "bpe", "--output", "o.model"});
  more[more.size() - 3] = "o.model";
  refuses(2, train("p", more), {"init-from: m", "tokenizer.model"});
  refuses(2, train("p", {"--tokenizer-model", "t.model"}), {"sentencepiece"});
  refuses(1, train("p", {"--unit", "sentencepiece", "--tokenizer-model", "train.txt"}),
          {"train.txt", "SentencePiece"});
  refuses(2, train("p", {"--unit", "sentencepiece", "--max-vocabulary", "500"}),
          {"--sentencepiece-size"});
}

TEST_F(LmUnits, DamagedPiecesAreLearnedAnewByAResume) {
  const auto training = [](const char* model, const char* epochs) {
    return train(model, {"--unit", "sentencepiece", "--sentencepiece-size", "300", "--epochs",
                         epochs, "--resume"});
  };
  must_run(training("whole", "2"));
  must_run(training("m", "1"));
  const std::string pieces = "m/tokenizer.model", good = read(pieces);
  namespace fs = std::filesystem;
  fs::copy(path("m"), path("begun"), fs::copy_options::recursive);
  // The first is no longer such a model; the last still is one, with the same pieces.
  for (const std::size_t place : {std::size_t{0}, good.size() / 2, good.size() - 1}) {
    SCOPED_TRACE(place);
    fs::remove_all(path("m"));
    fs::copy(path("begun"), path("m"), fs::copy_options::recursive);
    std::string damaged = good;
    damaged[place] = static_cast<char>(damaged[place] ^ 1);
    files.write(pieces, damaged);
    const RunResult result = must_run(training("m", "2"));
    EXPECT_NE(result.err.find(pieces + ": damaged or altered: its pieces are learned anew"),
              std::string::npos)
        << result.err;
    expect_same("whole", "m");
    EXPECT_EQ(read(pieces), good);
    must_run({"inspect", "m"});
  }
}

TEST_F(LmUnits, SubwordRegularizationDrawsOtherPiecesAndResumesExactly) {
  const Words options{
      "--unit", "sentencepiece", "--sentencepiece-size", "300", "--epochs", "3", "--dropout",
      "0.1"};
  must_train("plain", options);
  Words sampled = options;
  sampled.insert(sampled.end(), {"--sentencepiece-nbest", "8", "--sentencepiece-alpha", "0.1"});
  must_train("whole", sampled);
  EXPECT_NE(read("whole/model.safetensors"), read("plain/model.safetensors"));
  EXPECT_EQ(read("whole/tokenizer.model"), read("plain/tokenizer.model"));
  Words one = sampled;
  one[5] = "1";
  must_train("parts", one);
  sampled.push_back("--resume");
  must_train("parts", sampled);
  EXPECT_EQ(read("parts/model.safetensors"), read("whole/model.safetensors"));
  refuses(2, train("p", {"--sentencepiece-nbest", "4"}), {"sentencepiece-nbest"});
}

TEST_F(LmUnits, TheNormalizerOfAModelIsAppliedEverywhere) {
  const Words options{"--normalize-form", "nfkc", "--normalize-lowercase", "--json"};
  must_train("m", options);
  const Json config = parse_json(read("m/config.json"), "config");
  EXPECT_EQ(config["normalizer"]["form"], "nfkc");
  EXPECT_EQ(config["normalizer"]["lowercase"], true);
  // Capitals, and a ligature that nfkc takes apart.
  files.write("loud.txt", "THE OLD FOX SANG\nThe \xEF\xAC\x81sh\n");
  files.write("plain.txt", "the old fox sang\nthe fish\n");
  const auto eval = [&](const char* text) {
    return must_run({"lm", "eval", "--model", "m", "--text", text, "--json"}).json();
  };
  EXPECT_EQ(eval("loud.txt"), eval("plain.txt"));
  EXPECT_EQ(eval("loud.txt")["oov"], 1);
  const auto scores = [&](const char* text, const char* state) {
    Json json = must_run({"lm", "score", "--model", "m", "--text", text, "--json", "--per-word",
                          "--state", state})
                    .json();
    for (Json& sentence : json["sentences"]) sentence.erase("text");
    return json;
  };
  for (const char* state : {"reset", "carry"}) {
    EXPECT_EQ(scores("loud.txt", state), scores("plain.txt", state));
  }
  EXPECT_NEAR(scores("loud.txt", "carry")["total"]["log_prob"].get<double>(),
              -eval("loud.txt")["nats"].get<double>(), 1e-6);
  const auto written = [&](const char* prompt) {
    return must_run({"lm", "generate", "--model", "m", "--prompt", prompt, "--length", "8"});
  };
  EXPECT_EQ(written("The FOX").out, written("the fox").out);
  EXPECT_EQ(written("The FOX").err, "");
  // The text is the same after normalization, so the model is.
  std::string loud = read("train.txt");
  std::transform(loud.begin(), loud.end(), loud.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  files.write("shout.txt", loud);
  Words shouted = options;
  shouted.insert(shouted.end(), {"--train", "shout.txt"});
  must_train("n", shouted);
  EXPECT_EQ(read("n/model.safetensors"), read("m/model.safetensors"));
  EXPECT_EQ(read("n/config.json"), read("m/config.json"));
  refuses(2, train("o", {"--init-from", "m"}), {"init-from: m", "--normalize-form nfkc"});
  refuses(2, train("o", {"--normalize-form", "nfx"}), {"form", "nfx"});
}

}  // namespace
}  // namespace rnn::test
