// `rnn quantize`, and `--precision int8` on what it makes and on the original.
#include <filesystem>

#include "apps/command.h"
#include "support/notes.h"

namespace rnn::test {
namespace {

class QuantizeCommand : public Command {
 protected:
  Json eval(const std::string& model, const Words& more = {}) const {
    Words words{"lm", "eval", "--model", model, "--text", "valid.txt", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return must_run(words).json();
  }
};

TEST_F(QuantizeCommand, TheCopyComputesTheBitsOfTheOriginalInInt8) {
  must_train("m", {"--hidden", "24", "--epochs", "3"});
  const Json sizes = must_run({"quantize", "m", "--output", "q", "--json"}).json();
  EXPECT_EQ(sizes["bytes_before"], std::filesystem::file_size(path("m/model.safetensors")));
  EXPECT_LT(sizes["bytes_after"].get<double>(), 0.5 * sizes["bytes_before"].get<double>());
  const Json whole = eval("m"), rounded = eval("m", {"--precision", "int8"}), copy = eval("q");
  EXPECT_EQ(copy["nats"], rounded["nats"]);
  EXPECT_EQ(copy["nats"], eval("q", {"--precision", "int8", "--threads", "1"})["nats"]);
  EXPECT_NE(copy["nats"], whole["nats"]);
  EXPECT_NEAR(copy["ppl"].get<double>() / whole["ppl"].get<double>(), 1, 0.01);
  for (const Words& words :
       {Words{"lm", "score", "--text", "valid.txt"}, {"lm", "generate", "--length", "30"}}) {
    Words of_copy = words, of_whole = words;
    of_copy.insert(of_copy.end(), {"--model", "q"});
    of_whole.insert(of_whole.end(), {"--model", "m", "--precision", "int8"});
    EXPECT_EQ(must_run(of_copy).out, must_run(of_whole).out);
  }
  EXPECT_EQ(parse_json(read("q/config.json"), "config")["weights"], "int8");
  EXPECT_FALSE(std::filesystem::exists(path("q/checkpoint")));
  must_run({"inspect", "q"});
}

TEST_F(QuantizeCommand, ScoresInInt8DoNotDependOnTheSentencesAround) {
  must_train("m");
  const auto score = [&](const std::string& text) {
    return must_run({"lm", "score", "--model", "m", "--precision", "int8"}, {.input = text}).out;
  };
  const std::string together = score("the fox saw\na hen met the old wolf\n");
  EXPECT_EQ(together.substr(0, together.find('\n')),
            score("the fox saw\n").substr(0, together.find('\n')));
}

TEST_F(QuantizeCommand, AClassifierOfTwoDirectionsShrinksAndStillExplains) {
  files.write("notes.tsv", as_lines(made_up_notes(200, 1)));
  must_run({"classify", "train", "--train", "notes.tsv", "--arch", "bilstm", "--embedding", "24",
            "--hidden", "24", "--ngrams", "2", "--buckets", "300", "--epochs", "2", "--model",
            "c"});
  const Json sizes = must_run({"quantize", "c", "--output", "q", "--json"}).json();
  EXPECT_LT(sizes["bytes_after"].get<double>(), 0.35 * sizes["bytes_before"].get<double>());
  const auto predicted = [&](const Words& more) {
    Words words{"classify", "predict", "--text", "notes.tsv", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return must_run(words).out;
  };
  EXPECT_EQ(predicted({"--model", "q"}), predicted({"--model", "c", "--precision", "int8"}));
  for (const char* method : {"integrated-gradients", "occlusion"}) {
    const Words explain{"classify", "explain", "--model", "q", "--json", "--method", method};
    const std::string line = must_run(explain, {.input = "the ship sailed north by day\n"}).out;
    EXPECT_NE(line.find("contribution"), std::string::npos) << line;
  }
}

TEST_F(QuantizeCommand, WhatAKilledOneLeftIsNotInTheWay) {
  must_train("m");
  must_run({"quantize", "m", "--output", "whole"});
  std::filesystem::create_directory(path("q"));
  for (const char* name :
       {"config.json.new", "model.safetensors.new.tmp-12345", "config.json.tmp-7"}) {
    files.write(std::string("q/") + name, "half a fi");
  }
  must_run({"quantize", "m", "--output", "q/"});
  for (const char* name : {"/model.safetensors", "/config.json", "/SHA256SUMS"}) {
    EXPECT_EQ(read("q" + std::string(name)), read("whole" + std::string(name))) << name;
  }
  for (const auto& entry : std::filesystem::directory_iterator(path("q"))) {
    EXPECT_EQ(entry.path().filename().string().find("tmp"), std::string::npos) << entry.path();
  }
  // Files of somebody else are.
  std::filesystem::create_directory(path("r"));
  files.write("r/config.json.new", "half a fi");
  files.write("r/notes.txt", "of somebody else");
  refuses(2, {"quantize", "m", "--output", "r"}, {"r: exists already"});
}

TEST_F(QuantizeCommand, RefusesWhatItCannotDo) {
  must_train("m");
  must_run({"quantize", "m", "--output", "q"});
  EXPECT_NE(run({"quantize", "q", "--output", "r"}).err.find("is quantized already"),
            std::string::npos);
  EXPECT_NE(run({"quantize", "m", "--output", "q"}).err.find("exists already"), std::string::npos);
  EXPECT_EQ(run({"quantize", "m", "--output", "q"}).code, 2);
  EXPECT_EQ(run({"quantize", "m"}).code, 2);
  std::filesystem::create_symlink("loop", path("loop"));
  refuses(1, {"quantize", "m", "--output", "loop"}, {"loop: ", "symbolic links"});
  refuses(1, {"quantize", "m", "--output", "loop/q"}, {"loop/q: ", "symbolic links"});
  EXPECT_NE(run({"lm", "eval", "--model", "q", "--text", "valid.txt", "--precision", "bf16"})
                .err.find("int8"),
            std::string::npos);
}

}  // namespace
}  // namespace rnn::test
