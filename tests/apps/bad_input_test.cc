// Wrong use and bad input: a clear message, the right exit code, nothing left behind.
#include <sys/mount.h>

#include "apps/command.h"

namespace rnn::test {
namespace {

class BadInput : public Command {};

TEST_F(BadInput, ACorpusThatIsMissingEmptyOrTooSmall) {
  files.write("empty.txt", "");
  files.write("blank.txt", "\n\n \n");
  files.write("one.txt", "fox\n");
  for (const char* option : {"--train", "--valid"}) {
    refuses(1, train("m", {option, "missing.txt"}), {"missing.txt", "No such file"});
    refuses(1, train("m", {option, "."}), {".: Is a directory"});
    refuses(1, train("m", {option, "empty.txt"}), {"empty.txt", "expected at least one token"});
    refuses(1, train("m", {option, "blank.txt"}), {"blank.txt", "expected at least one token"});
  }
  refuses(1, train("m", {"--train", "one.txt"}), {"2 tokens are too few for 4 lanes", "--batch"});
  refuses(1, train("m", {"--valid", "one.txt"}),
          {"one.txt: validation needs at least one window of 10 tokens, got 2", "--bptt"});
  refuses(1, {"lm", "train", "--train", "one.txt", "--model", "m"},
          {"the last tenth of one.txt", "got 0", "--valid"});
  must_train("m");
  for (const char* file : {"missing.txt", "empty.txt", "blank.txt"}) {
    refuses(1, {"lm", "eval", "--model", "m", "--text", file}, {file});
  }
  refuses(1, {"lm", "score", "--model", "m", "--text", "missing.txt"}, {"missing.txt"});
}

TEST_F(BadInput, APrecisionThatIsUnknownOrThatTheBackendLacks) {
  refuses(2, train("m", {"--precision", "fp16"}), {"precision: expected", "fp32", "bf16", "fp16"});
  refuses(2, train("m", {"--precision", "int8"}), {"precision: training", "int8"});
  refuses(2, train("m", {"--precision", "bf16", "--backend", "reference"}),
          {"precision: the reference backend", "bf16"});
  must_train("m");
  EXPECT_NE(read("m/config.json").find("\"precision\": \"fp32\""), std::string::npos);
  refuses(2, train("m", {"--resume", "--precision", "bf16"}), {"--precision"});
  refuses(2, {"lm", "eval", "--model", "m", "--text", "valid.txt", "--precision", "half"},
          {"precision: expected", "half"});
}

TEST_F(BadInput, InvalidUtf8IsRefusedWithItsPlaceUnlessReplacing) {
  files.write("bad.txt", made_up_text(50, 1) +
                             "ok b\xFF"
                             "d\n" +
                             made_up_text(50, 2));
  for (const char* option : {"--train", "--valid"}) {
    refuses(1, train("m", {option, "bad.txt"}),
            {"bad.txt:51:5: invalid UTF-8 at byte 5 of the line (0xFF)", "--replace-invalid"});
  }
  must_train("m");
  for (const char* verb : {"eval", "score"}) {
    refuses(1, {"lm", verb, "--model", "m", "--text", "bad.txt"},
            {"bad.txt:51", "--replace-invalid"});
    must_run({"lm", verb, "--model", "m", "--text", "bad.txt", "--replace-invalid"});
  }
  must_train("r", {"--train", "bad.txt", "--replace-invalid"});
  EXPECT_NE(read("r/vocabulary.txt")
                .find("b\xEF\xBF\xBD"
                      "d\t1"),
            std::string::npos);
  must_run({"lm", "eval", "--model", "r", "--text", "bad.txt"});  // as it was trained
  must_train("b", {"--train", "bad.txt", "--unit", "byte"});
}

TEST_F(BadInput, EachFileOfAModelMissingTruncatedOrAltered) {
  must_train("m");
  const Words eval{"lm", "eval", "--model", "m", "--text", "valid.txt"};
  for (const std::string name :
       {"config.json", "model.safetensors", "vocabulary.txt", "history.csv", "SHA256SUMS"}) {
    const std::string file = "m/" + name, whole = read(file);
    std::filesystem::remove(path(file));
    refuses(1, eval, {file + ": the file is missing"});
    refuses(1, {"inspect", "m"}, {file + ": the file is missing"});
    std::string flipped = whole;
    flipped[flipped.size() / 2] ^= 1;
    for (const std::string& damaged : {whole.substr(0, whole.size() - 5), flipped, std::string()}) {
      files.write(file, damaged);
      for (const Words& command :
           {eval, Words{"inspect", "m"}, Words{"lm", "generate", "--model", "m"},
            Words{"lm", "score", "--model", "m"}, train("n", {"--init-from", "m"})}) {
        if (name == "SHA256SUMS") {
          refuses(1, command, {"m/"});
        } else {
          refuses(1, command, {file + ": damaged or altered", "rnn inspect m --seal"});
        }
      }
    }
    files.write(file, whole);
  }
  must_run(eval);
  refuses(1, {"lm", "eval", "--model", "nowhere", "--text", "valid.txt"}, {"nowhere"});
}

TEST_F(BadInput, AfterSealingTheFilesMustStillFitEachOther) {
  must_train("m");
  const Words eval{"lm", "eval", "--model", "m", "--text", "valid.txt"};
  const Words seal{"inspect", "m", "--seal"};
  // A deliberate edit that fits is accepted.
  const std::string vocabulary = read("m/vocabulary.txt"), weights = read("m/model.safetensors"),
                    config = read("m/config.json");
  std::string edited = vocabulary;
  edited.replace(edited.find("fox\t"), 4, "lynx\t");
  files.write("m/vocabulary.txt", edited);
  EXPECT_EQ(run(eval).code, 1);
  must_run(seal);
  must_run(eval);
  // One that does not fit is told by name.
  files.write("m/vocabulary.txt", vocabulary + "zebra\t1\n");
  must_run(seal);
  refuses(1, eval, {"m/vocabulary.txt", "23", "22"});
  files.write("m/vocabulary.txt", vocabulary.substr(vocabulary.find('\n') + 1));
  must_run(seal);
  refuses(1, eval, {"m/vocabulary.txt", "<unk>"});
  files.write("m/vocabulary.txt", vocabulary);
  // What cannot be read at all is not sealed.
  files.write("m/model.safetensors", weights.substr(0, weights.size() - 4));
  refuses(1, seal, {"m/model.safetensors"});
  files.write("m/model.safetensors", weights);
  files.write("m/config.json", "{");
  refuses(1, seal, {"m/config.json", "not valid JSON"});
  edited = config;
  edited.replace(edited.find("\"units\": 12"), 11, "\"units\": 13");
  files.write("m/config.json", edited);
  must_run(seal);
  refuses(1, eval, {"m/model.safetensors", "lstm"});
  edited = config;
  edited.replace(edited.find("\"format\": 1"), 11, "\"format\": 9");
  files.write("m/config.json", edited);
  refuses(1, seal, {"m/config.json: format 9 was written by a newer rnn"});
}

// Sealed, so that nothing but the description itself tells.
TEST_F(BadInput, ADescriptionOfAnotherShapeIsToldWhenInspected) {
  must_train("m");
  const Json config = parse_json(read("m/config.json"), "config");
  const auto refused = [&](const std::function<void(Json&)>& change, const std::string& part) {
    Json changed = config;
    change(changed);
    files.write("m/config.json", changed.dump());
    must_run({"inspect", "m", "--seal", "--json"});
    refuses(1, {"inspect", "m"}, {"m/config.json: ", part});
  };
  refused([](Json& c) { c["network"] = 3; }, "network: expected an object");
  refused([](Json& c) { c.erase("network"); }, "'network'");
  refused([](Json& c) { c["network"]["layers"] = Json::object(); }, "'layers' must be a list");
  refused([](Json& c) { c["network"]["layers"][1] = "LSTM"; }, "layers[1]: expected an object");
  refused([](Json& c) { c["network"]["layers"][1]["type"] = 3; }, "layers[1]: member 'type'");
  refused([](Json& c) { c["network"]["head"] = 3; }, "head: expected an object");
  refused([](Json& c) { c["network"]["outputs"] = {1}; }, "outputs[0]: expected an object");
  refused([](Json& c) { c["rnn_version"] = 1; }, "'rnn_version'");
  // A stranger's strings do not steer the terminal.
  Json steering = config;
  steering["rnn_version"] = "\x1b[31m";
  files.write("m/config.json", steering.dump());
  must_run({"inspect", "m", "--seal", "--json"});
  const std::string out = must_run({"inspect", "m"}).out;
  EXPECT_EQ(out.find('\x1b'), std::string::npos);
  EXPECT_NE(out.find("\\u001b[31m"), std::string::npos) << out;
}

TEST_F(BadInput, EachOptionOutOfRange) {
  const std::vector<std::pair<const char*, Words>> wrong{
      {"--min-count", {"0", "-1", "x"}},
      {"--max-vocabulary", {"2", "-1"}},
      {"--embedding", {"-1", "65537"}},
      {"--hidden", {"0", "-3", "65537", "1.5", "99999999999999999999", ""}},
      {"--layers", {"0", "65", "99999999999"}},
      {"--dropout", {"1", "-0.1", "nan", "0,5"}},
      {"--dropout-input", {"1", "nan", "-inf"}},
      {"--dropout-hidden", {"1", "nan"}},
      {"--dropout-output", {"1", "nan"}},
      {"--dropout-embedding", {"1", "-0.1", "nan"}},
      {"--dropout-recurrent", {"1", "-0.1"}},
      {"--weight-drop", {"1", "-0.1"}},
      {"--ar", {"-1", "nan", "inf"}},
      {"--tar", {"-1", "nan"}},
      {"--softmax", {"soft"}},
      {"--softmax-cutoffs", {"5", "5 x", "0"}},
      {"--softmax-samples", {"0", "x"}},
      {"--label-smoothing", {"1", "-0.1"}},
      {"--averaging", {"sgd"}},
      {"--init", {"-1", "inf", "nan"}},
      {"--forget-bias", {"nan", "inf"}},
      {"--epochs", {"0", "-1"}},
      {"--batch", {"0", "65537"}},
      {"--bptt", {"0", "65537"}},
      {"--lr", {"0", "-1", "nan", "inf", "abc"}},
      {"--momentum", {"1", "-0.1"}},
      {"--weight-decay", {"-1", "nan"}},
      {"--clip", {"-1", "nan"}},
      {"--clip-value", {"-1", "nan"}},
      {"--early-stopping", {"x", "99999999999"}},
      {"--seed", {"x", "99999999999999999999"}},
      {"--threads", {"-1", "1025", "x"}},
      {"--max-time", {"-1", "nan", "x"}},
      {"--unit", {"words", "sentence"}},
      {"--cell", {"lstm2"}},
      {"--optimizer", {"adamax"}},
      {"--schedule", {"linear"}},
      {"--schedule-unit", {"hours"}},
      {"--backend", {"gpu"}},
      {"--tie", {}},
  };
  for (const auto& [option, values] : wrong) {
    for (const std::string& value : values) {
      SCOPED_TRACE(std::string(option) + " " + value);
      refuses(2, train("m", {option, value}), {std::string(option).substr(2)});
    }
  }
  for (const auto& [option, value] : std::map<std::string, std::string>{{"warmup", "-1"},
                                                                        {"after", "-1"},
                                                                        {"every", "0"},
                                                                        {"factor", "0"},
                                                                        {"patience", "-1"},
                                                                        {"threshold", "1"},
                                                                        {"total", "-1"},
                                                                        {"first", "0"},
                                                                        {"peak", "1.1"},
                                                                        {"last", "-1"}}) {
    refuses(2, train("m", {"--schedule-" + option, value}), {"schedule", option});
  }
  refuses(2, train("m", {"--tie=maybe"}), {"--tie"});
  refuses(2, train("m", {"--tie", "--embedding", "7"}), {"tie", "7", "12"});
  refuses(2, train("m", {"--tie", "--softmax", "adaptive"}), {"tie", "adaptive"});
  refuses(2, train("m", {"--label-smoothing", "0.1", "--softmax", "sampled"}),
          {"label-smoothing", "full"});
  refuses(2, train("m", {"--softmax", "sampled", "--softmax-samples", "12"}),
          {"softmax-samples", "22", "12"});
  refuses(2, train("m", {"--softmax", "adaptive", "--softmax-cutoffs", "10 30"}),
          {"cutoffs", "30"});
  refuses(2, train("m", {"--unit", "icu-word", "--locale", "no locale"}), {"locale"});
  must_train("m");
  for (const Words& more : std::vector<Words>{{"--temperature", "-1"},
                                              {"--temperature", "nan"},
                                              {"--top-k", "-1"},
                                              {"--top-p", "0"},
                                              {"--top-p", "1.1"},
                                              {"--length", "-1"}}) {
    refuses(2, {"lm", "generate", "--model", "m", more[0], more[1]}, {more[0].substr(2), more[1]});
  }
  for (const char* verb : {"eval", "score"}) {
    refuses(2, {"lm", verb, "--model", "m", "--text", "valid.txt", "--state", "keep"},
            {"--state", "carry or reset"});
  }
}

TEST_F(BadInput, PlacesThatCannotBeWritten) {
  files.write("file", "");
  refuses(2, train("file", {"--overwrite"}), {"file: is a file"});
  refuses(1, train("file/m"), {"file: cannot create the directory"});
  std::filesystem::create_directory(path("mine"));
  files.write("mine/letter.txt", "dear");
  for (const char* option : {"--overwrite", "--resume"}) {
    refuses(2, train("mine", {option}), {"mine: holds no model", "letter.txt"});
  }
  std::filesystem::create_directory(path("empty"));
  must_train("empty");
}

TEST_F(BadInput, AFileThatGrowsTooLargeLeavesTheModelOfTheEpochBefore) {
  // As on a full disk, but without rights: no file may have more bytes than this.
  refuses(1, train("m", {"--hidden", "64"}), {"m/", "File too large"}, {.largest_file = 40000});
  must_train("m", {"--hidden", "8"});
  const std::string eval = must_run({"lm", "eval", "--model", "m", "--text", "valid.txt"}).out;
  const Words larger = train("m", {"--hidden", "64", "--overwrite"});
  run(larger, {.largest_file = 40000});  // takes the checkpoint away and says that it did
  refuses(1, larger, {"m/", "File too large"}, {.largest_file = 40000});
  EXPECT_EQ(must_run({"lm", "eval", "--model", "m", "--text", "valid.txt"}).out, eval);
}

TEST_F(BadInput, AFullDiskLeavesTheModelOfTheEpochBefore) {
  std::filesystem::create_directory(path("disk"));
  if (mount("none", path("disk").c_str(), "tmpfs", 0, "size=256k") != 0) {
    EXPECT_NE(geteuid(), 0u) << "root could not mount a tmpfs";
    return;  // the test above shows the same without rights
  }
  must_train("disk/m", {"--hidden", "8"});
  const Words eval{"lm", "eval", "--model", "disk/m", "--text", "valid.txt"};
  const std::string before = must_run(eval).out;
  const RunResult full = run(train("disk/m", {"--hidden", "96", "--overwrite"}));
  EXPECT_EQ(full.code, 1);
  EXPECT_NE(full.err.find("No space left on device"), std::string::npos) << full.err;
  EXPECT_EQ(must_run(eval).out, before);
  umount(path("disk").c_str());
}

TEST_F(BadInput, AnOutputThatCannotBeWrittenIsAnError) {
  must_train("m");
  for (const Words& command :
       std::vector<Words>{{"lm", "eval", "--model", "m", "--text", "valid.txt"},
                          {"lm", "score", "--model", "m", "--text", "valid.txt"},
                          {"lm", "generate", "--model", "m"},
                          {"inspect", "m"},
                          {"lm", "train", "--help"},
                          {"--version"}}) {
    refuses(1, command, {"standard output: cannot write"}, {.output = "/dev/full"});
  }
}

TEST_F(BadInput, DivergenceIsToldAndLeavesACheckpointButNoModel) {
  const RunResult result = run(train("m", {"--optimizer", "sgd", "--clip", "0", "--lr", "3e38"}));
  EXPECT_EQ(result.code, 1);
  for (const char* part : {"training diverged at step", "learning rate 3e+38", "gradient norm ",
                           "m/checkpoint/checkpoint.safetensors is of step "}) {
    EXPECT_NE(result.err.find(part), std::string::npos) << part << " not in: " << result.err;
  }
  EXPECT_EQ(listing().count(path("m/model.safetensors")), 0u);
  refuses(2, train("m"), {"--overwrite", "--resume"});
  must_train("m", {"--overwrite"});
}

}  // namespace
}  // namespace rnn::test
