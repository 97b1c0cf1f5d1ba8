// `rnn classify` as a user runs it.
#include <fstream>

#include "apps/command.h"
#include "support/notes.h"

namespace rnn::test {
namespace {

class Classify : public Command {
 protected:
  Classify() {
    files.write("notes.tsv", as_lines(made_up_notes(90, 1)));
    files.write("held.tsv", as_lines(made_up_notes(30, 2)));
  }

  static Words train(const std::string& model, const Words& more = {}) {
    Words words{"classify", "train", "--model", model};
    const auto standard = [&](const char* option, const char* value) {
      if (std::find(more.begin(), more.end(), option) == more.end()) {
        words.insert(words.end(), {option, value});
      }
    };
    standard("--train", "notes.tsv");
    standard("--valid", "held.tsv");
    if (std::find(more.begin(), more.end(), "--network") == more.end()) {
      standard("--hidden", "8");
      standard("--embedding", "8");
      standard("--buckets", "101");
    }
    standard("--batch", "8");
    standard("--epochs", "3");
    standard("--lr", "0.02");
    standard("--threads", "1");
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
};

TEST_F(Classify, TrainsEvaluatesAndPredicts) {
  const RunResult trained = must_run(train("m", {"--json"}));
  EXPECT_EQ(trained.json()["epochs"], 3);
  const Json report =
      must_run({"classify", "eval", "--model", "m", "--text", "held.tsv", "--json"}).json();
  EXPECT_EQ(report["examples"], 30);
  EXPECT_EQ(report["nats_per_target"], trained.json()["valid_nats_per_example"]);
  EXPECT_EQ(report["labels"]["yes"]["support"], 10);
  std::int64_t sum = 0, diagonal = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) sum += report["confusion"][i][j].get<std::int64_t>();
    diagonal += report["confusion"][i][i].get<std::int64_t>();
  }
  EXPECT_EQ(sum, 30);
  EXPECT_EQ(static_cast<double>(diagonal) / 30, report["accuracy"].get<double>());
  const RunResult table = must_run({"classify", "eval", "--model", "m", "--text", "held.tsv"});
  for (const char* part : {"accuracy", "macro F1", "yes", "none", "true \\ given"}) {
    EXPECT_NE(table.out.find(part), std::string::npos) << part;
  }
}

TEST_F(Classify, TablesKeepTheirColumnsWhateverTheLabels) {
  const std::string pound = "£££££££££";  // nine characters of two bytes
  std::string lines, many;
  for (const char* name : {"a", "a label that is longer than any column could be"}) {
    lines += std::string(name) + "\tnorth\n";
  }
  files.write("long.tsv", lines + pound + "\tsouth\n");
  must_run(train("m", {"--train", "long.tsv", "--valid", "long.tsv", "--epochs", "1"}));
  const RunResult table = must_run({"classify", "eval", "--model", "m", "--text", "long.tsv"});
  std::istringstream rows(table.out);
  int found = 0;
  for (std::string row; std::getline(rows, row);) {
    found += row.starts_with("a\\slabel\\sthat\\sis\\slonger…  ") + row.starts_with(pound + "   ") +
             (row.find("  a         a\\slabe…  £££££££…  ") != row.npos);
  }
  EXPECT_EQ(found, 5) << table.out;  // each label in both tables, and the heads of one

  for (int i = 10; i < 31; ++i) many += std::to_string(i) + "\tnorth " + std::to_string(i) + "\n";
  files.write("many.tsv", many);
  must_run(train("n", {"--train", "many.tsv", "--valid", "many.tsv", "--epochs", "1"}));
  const RunResult list = must_run({"classify", "eval", "--model", "n", "--text", "many.tsv"});
  EXPECT_NE(list.out.find("21 labels are taken for which: see --json"), std::string::npos);
}

TEST_F(Classify, ANetworkFileReplacesTheOptionsThatDescribeOne) {
  must_run(train("m", {"--arch", "clstm", "--seed", "5"}));
  // The whole config.json serves, and so does its member alone.
  const Json network = parse_json(read("m/config.json"), "config")["network"];
  files.write("network.json", network.dump());
  for (const char* file : {"m/config.json", "network.json"}) {
    must_run(train("n", {"--network", file, "--seed", "5", "--overwrite"}));
    EXPECT_EQ(parse_json(read("n/config.json"), "config")["network"], network);
    EXPECT_EQ(read("n/model.safetensors"), read("m/model.safetensors"));
  }
  files.write("other.tsv", as_lines(made_up_notes(90, 1)) + "other\ta fourth label\n");
  refuses(2, train("x", {"--network", "network.json", "--train", "other.tsv"}),
          {"network:", "4 units"});
}

TEST_F(Classify, PredictIsAFilter) {
  must_run(train("m"));
  const std::string input = "the ship sailed north and south\n\nold \"ship\" <b>\n";
  const RunResult plain = must_run({"classify", "predict", "--model", "m"}, {.input = input});
  EXPECT_EQ(std::count(plain.out.begin(), plain.out.end(), '\n'), 3);
  const RunResult json =
      must_run({"classify", "predict", "--model", "m", "--json"}, {.input = input});
  std::istringstream lines(json.out), fields(plain.out);
  for (std::string line, field; std::getline(lines, line);) {
    const Json object = parse_json(line, "line");
    double total = 0;
    for (const auto& [label, p] : object["probabilities"].items()) total += p.get<double>();
    EXPECT_NEAR(total, 1, 1e-5);
    std::getline(fields, field);
    EXPECT_EQ(field.substr(0, field.find('\t')), object["label"].get<std::string>());
  }
  files.write("texts.txt", input);
  EXPECT_EQ(must_run({"classify", "predict", "--model", "m", "--text", "texts.txt"}).out,
            plain.out);
  const RunResult all =
      must_run({"classify", "predict", "--model", "m", "--top-k", "9"}, {.input = "north\n"});
  EXPECT_EQ(std::count(all.out.begin(), all.out.end(), '\t'), 5);  // three labels
}

TEST_F(Classify, ReadsEveryFormat) {
  std::string csv = "id,text,label,label\n", jsonl, fast;
  int number = 0;
  for (const Note& note : made_up_notes(30, 1)) {
    csv += std::to_string(++number) + ",\"" + note.text + "\"\"\"," + note.label + ",\n";
    jsonl += R"({"y":")" + note.label + R"(","x":")" + note.text + "\"}\n";
    fast += "__label__" + note.label + " " + note.text + "\n";
  }
  // Two columns of one name: columns go by number.
  files.write("notes.csv", csv);
  files.write("notes.jsonl", jsonl);
  files.write("notes.txt", fast);
  const auto trains = [&](const std::string& file, Words more) {
    more.insert(more.end(), {"--train", file, "--valid", file, "--epochs", "1", "--overwrite"});
    must_run(train("m", more));
    const Json report =
        must_run({"classify", "eval", "--model", "m", "--text", file, "--json"}).json();
    EXPECT_EQ(report["examples"], 30) << file;
    EXPECT_EQ(report["labels"].size(), 3u) << file;
  };
  trains("notes.csv",
         {"--format", "csv", "--header", "--label-column", "3", "--text-columns", "2"});
  trains("notes.jsonl", {"--format", "jsonl", "--label-field", "y", "--text-field", "x"});
  trains("notes.txt", {"--format", "fasttext"});
  // A file in another format than the training's.
  const Json report =
      must_run({"classify", "eval", "--model", "m", "--text", "notes.jsonl", "--format", "jsonl",
                "--label-field", "y", "--text-field", "x", "--json"})
          .json();
  EXPECT_EQ(report["examples"], 30);
}

TEST_F(Classify, StandardInputServesForAllTexts) {
  must_run(train("file"));
  for (const bool pipe : {true, false}) {
    const std::string model = pipe ? "pipe" : "redirected";
    must_run(train(model, {"--train", "-"}), {.input = read("notes.tsv"), .input_is_pipe = pipe});
    EXPECT_EQ(read(model + "/model.safetensors"), read("file/model.safetensors"));
  }
  must_run(train("valid", {"--valid", "-"}), {.input = read("held.tsv"), .input_is_pipe = true});
  EXPECT_EQ(read("valid/config.json"), read("file/config.json"));
  EXPECT_EQ(must_run({"classify", "eval", "--model", "file", "--text", "-"},
                     {.input = read("held.tsv"), .input_is_pipe = true})
                .out,
            must_run({"classify", "eval", "--model", "file", "--text", "held.tsv"}).out);
}

TEST_F(Classify, SaysWhatIsWrongWithItsInput) {
  files.write("one.tsv", "a\tx\na\ty\n");
  files.write("other.tsv", "yes\tx\nmaybe\ty\n");
  files.write("open.csv", "yes,\"the quote\nis never closed\n");
  files.write("two.txt", "__label__yes __label__no both\n__label__no one\n");
  files.write("latin.tsv", "yes\tcaf\xE9\nno\tx\n");
  refuses(1, train("m", {"--train", "one.tsv"}), {"one.tsv", "two labels", "only 'a'"});
  refuses(1, train("m", {"--valid", "other.tsv"}), {"other.tsv:2:1: ", "'maybe'", "no, none, yes"});
  refuses(1, train("m", {"--train", "open.csv", "--format", "csv"}),
          {"open.csv:1", "never closed"});
  refuses(1, train("m", {"--train", "two.txt", "--valid", "two.txt", "--format", "fasttext"}),
          {"two.txt:1:1: ", "one label", "--multi-label"});
  refuses(1, train("m", {"--train", "latin.tsv"}), {"latin.tsv:1", "UTF-8"});
  refuses(1, train("m", {"--train", "nothing.tsv"}), {"nothing.tsv"});
  refuses(2, train("m", {"--arch", "bert"}), {"arch", "bilstm", "bert"});
  refuses(2, train("m", {"--unit", "sentencepiece"}), {"sentencepiece", "model"});
  refuses(2, {"classify", "train", "--model", "m"}, {"--train"});
  must_run(train("m"));
  refuses(2, train("m"), {"--overwrite", "--resume"});
  refuses(1, {"classify", "eval", "--model", "m", "--text", "other.tsv"}, {"other.tsv:2", "maybe"});
  refuses(1, {"classify", "eval", "--model", "m", "--text", "-"}, {"<stdin>:2:1: ", "maybe"},
          {.input = read("other.tsv"), .input_is_pipe = true});
  refuses(1, {"lm", "eval", "--model", "m", "--text", "train.txt"}, {"text-classifier"});
}

TEST_F(Classify, AnswersALongTextAndAnEmptyOne) {
  must_run(train("m", {"--epochs", "1"}));
  std::string text;
  while (text.size() < 10'000'000) text += "north of the old ship ";
  files.write("long.txt", "\n" + text + "\n");
  const RunResult result = must_run({"classify", "predict", "--model", "m", "--text", "long.txt"});
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 2);
}

TEST_F(Classify, LearnsFromSentencePieces) {
  must_run({"text", "train-sentencepiece", RNN_SOURCE_DIR "/corpora/fables/valid.txt",
            "--vocabulary-size", "400", "--output", "pieces"});
  must_run(
      train("m", {"--unit", "sentencepiece", "--tokenizer-model", "pieces", "--lowercase=false"}));
  std::filesystem::remove(path("pieces"));
  must_run({"classify", "eval", "--model", "m", "--text", "held.tsv"});  // it brings its own copy
}

}  // namespace
}  // namespace rnn::test
