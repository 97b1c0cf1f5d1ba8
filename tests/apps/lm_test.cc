// What the language-model commands print, and that they agree with each other.
#include <cmath>
#include <sstream>

#include "apps/command.h"
#include "base/number.h"
#include "support/locales.h"

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

TEST_F(LanguageModelCommand, ScoresInTheLayoutOfSrilm) {
  must_train("m");
  files.write("t.txt", "the zebra sang\na fox\n");
  const Json json =
      must_run({"lm", "score", "--model", "m", "--text", "t.txt", "--per-word", "--json"}).json();
  const RunResult srilm =
      must_run({"lm", "score", "--model", "m", "--text", "t.txt", "--format", "srilm"});
  std::istringstream lines(srilm.out);
  const auto line = [&] {
    std::string text;
    std::getline(lines, text);
    return text;
  };
  const auto word = [&](const char* begin, std::size_t sentence, std::size_t i) {
    const std::string text = line();
    EXPECT_EQ(text.substr(0, std::string(begin).size()), begin) << text;
    // What SRILM's own scripts read: the fields between spaces, of which the tenth is the
    // logarithm.
    std::istringstream fields(text);
    Words parts;
    for (std::string part; fields >> part;) parts.push_back(part);
    const double nats = json["sentences"][sentence]["words"][i]["log_prob"].get<double>();
    ASSERT_EQ(parts.size(), 11u) << text;
    EXPECT_NEAR(number(parts[7]), std::exp(nats), 1e-6 * std::exp(nats));
    EXPECT_NEAR(number(parts[9]), nats / std::log(10), 1e-5);
  };
  EXPECT_EQ(line(), "the zebra sang");
  word("\tp( the | <s> ) \t= [rnn] ", 0, 0);
  EXPECT_EQ(line(), "\tp( <unk> | the ...) \t= [OOV] 0 [ -inf ]");
  word("\tp( sang | <unk> ...) \t= [rnn] ", 0, 2);
  word("\tp( </s> | sang ...) \t= [rnn] ", 0, 3);
  EXPECT_EQ(line(), "1 sentences, 3 words, 1 OOVs");
  const std::string first = line();
  EXPECT_EQ(first.substr(0, 22), "0 zeroprobs, logprob= ");
  EXPECT_EQ(line(), "");
  EXPECT_EQ(line(), "a fox");
  for (int i = 0; i < 6; ++i) line();
  EXPECT_EQ(line(), "file t.txt: 2 sentences, 5 words, 1 OOVs");
  const std::string total = line();
  double log10 = 0;
  for (const Json& sentence : json["sentences"]) {
    for (const Json& unit : sentence["words"]) {
      if (!unit["oov"].get<bool>()) log10 += unit["log_prob"].get<double>() / std::log(10);
    }
  }
  const auto after = [&](const std::string& name) {
    return number(total.substr(total.find(" " + name + "= ") + name.size() + 3));
  };
  EXPECT_NEAR(after("logprob"), log10, 1e-5);
  EXPECT_NEAR(after("ppl"), std::pow(10, -log10 / 6), 1e-3);
  EXPECT_NEAR(after("ppl1"), std::pow(10, -log10 / 4), 1e-3);
  EXPECT_NEAR(after("ppl"), json["total"]["ppl_without_oov"].get<double>(), 1e-3);
  refuses(2, {"lm", "score", "--model", "m", "--format", "arpa"}, {"--format", "arpa"});
}

TEST_F(LanguageModelCommand, ScoresInTheLayoutOfKenlm) {
  must_train("m");
  const RunOptions input{.input = "the zebra sang\na fox\n"};
  const Json json = must_run({"lm", "score", "--model", "m", "--json"}, input).json();
  const auto lines =
      table(must_run({"lm", "score", "--model", "m", "--format", "kenlm"}, input).out);
  ASSERT_EQ(lines.size(), 6u);
  for (const std::size_t i : {0u, 1u}) {
    const std::string& text = lines[i].at(0);
    EXPECT_EQ(text.substr(0, 7), "Total: ");
    EXPECT_NEAR(number(text.substr(7)), json["sentences"][i]["log10_prob"].get<double>(), 1e-6);
    EXPECT_EQ(text.substr(text.size() - 7), i == 0 ? " OOV: 1" : " OOV: 0");
  }
  EXPECT_EQ(lines[2].at(0), "Perplexity including OOVs:");
  EXPECT_NEAR(number(lines[2].at(1)), json["total"]["ppl"].get<double>(), 1e-6);
  EXPECT_EQ(lines[3].at(0), "Perplexity excluding OOVs:");
  EXPECT_NEAR(number(lines[3].at(1)), json["total"]["ppl_without_oov"].get<double>(), 1e-6);
  EXPECT_EQ(lines[4], (Words{"OOVs:", "1"}));
  EXPECT_EQ(lines[5], (Words{"Tokens:", "7"}));
  const auto words = table(
      must_run({"lm", "score", "--model", "m", "--format", "kenlm", "--per-word"}, input).out);
  EXPECT_EQ(words[0].size(), 5u);
  EXPECT_EQ(words[0][1].substr(0, 8), "zebra=0 ");
}

TEST_F(LanguageModelCommand, AMixtureWeighsTheProbabilitiesOfItsModels) {
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

TEST_F(LanguageModelCommand, NBestListsAreRescoredAndRanked) {
  must_train("m");
  const std::string list =
      "0 ||| the fox sang ||| am=-3 ||| -3.5\n0 ||| the the the ||| am=-2 ||| -3.25\n"
      "1 ||| a hen ||| am=-1 ||| -1\n1 ||| a hen sang ||| am=-1 ||| -1\n";
  files.write("n.txt", list);
  const auto log10 = [&](const char* text) {
    return must_run({"lm", "score", "--model", "m", "--json"}, {.input = text})
        .json()["total"]["log10_prob"]
        .get<double>();
  };
  std::istringstream plain(must_run({"lm", "score", "--model", "m", "--nbest", "n.txt"}).out);
  std::istringstream given(list);
  for (const char* text : {"the fox sang\n", "the the the\n", "a hen\n", "a hen sang\n"}) {
    std::string before, now;
    std::getline(given, before);
    std::getline(plain, now);
    ASSERT_EQ(now.substr(0, before.size() + 5), before + " ||| ");
    EXPECT_NEAR(number(now.substr(before.size() + 5)), log10(text), 1e-6);
  }
  const std::string ranked =
      must_run({"lm", "score", "--model", "m", "--nbest", "n.txt", "--weight", "2"}).out;
  std::istringstream rows(ranked);
  double last = 0;
  std::string id = "-";
  for (std::string row; std::getline(rows, row);) {
    const double score = number(row.substr(row.rfind("||| ") + 4));
    if (row.substr(0, 1) == id) {
      EXPECT_GE(last, score);
    }
    last = score;
    id = row.substr(0, 1);
  }
  const std::string best = first_line(ranked);
  const bool fox = -3.5 + 2 * log10("the fox sang\n") > -3.25 + 2 * log10("the the the\n");
  EXPECT_EQ(best.substr(0, 9), fox ? "0 ||| the" : best.substr(0, 9));
  EXPECT_NEAR(number(best.substr(best.rfind("||| ") + 4)),
              fox ? -3.5 + 2 * log10("the fox sang\n") : -3.25 + 2 * log10("the the the\n"), 1e-6);
  files.write("bad.txt", "0 ||| the fox ||| good\n");
  refuses(1, {"lm", "score", "--model", "m", "--nbest", "bad.txt", "--weight", "1"},
          {"bad.txt:1", "number"});
  refuses(2, {"lm", "score", "--model", "m", "--weight", "1"}, {"--weight", "--nbest"});
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

TEST_F(LanguageModelCommand, GenerateGivesManyTextsAndStopsWhereItShould) {
  must_train("m");
  const Words words{"lm", "generate", "--model", "m", "--length", "30", "--json"};
  const auto json = [&](Words more) {
    more.insert(more.begin(), words.begin(), words.end());
    return must_run(more).json();
  };
  const Json texts = json({"--samples", "3"})["texts"];
  ASSERT_EQ(texts.size(), 3u);
  EXPECT_EQ(texts[0], json({})["text"]);
  EXPECT_NE(texts[0], texts[1]);
  const std::string text = texts[0].get<std::string>();
  const std::string stopped =
      json({"--stop", "no such text", "--stop", text.substr(20, 4)})["text"].get<std::string>();
  EXPECT_EQ(stopped, text.substr(0, text.find(text.substr(20, 4))));
  EXPECT_EQ(json({"--beam", "1"}), json({"--temperature", "0"}));
  EXPECT_EQ(json({"--beam", "4", "--seed", "1"}), json({"--beam", "4", "--seed", "2"}));
  EXPECT_NE(json({"--typical", "0.2"})["text"], texts[0]);
  EXPECT_NE(json({"--repetition-penalty", "3"})["text"], texts[0]);
  refuses(2, {"lm", "generate", "--model", "m", "--typical", "0"}, {"typical"});
  refuses(2, {"lm", "generate", "--model", "m", "--beam", "2", "--samples", "2"}, {"beam"});
  refuses(2, {"lm", "generate", "--model", "m", "--stop", ""}, {"stop"});
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

TEST_F(LanguageModelCommand, SentencePieceIsLearnedAndLivesInTheModel) {
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

TEST_F(LanguageModelCommand, SubwordRegularizationDrawsOtherPiecesAndResumesExactly) {
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

TEST_F(LanguageModelCommand, TheNormalizerOfAModelIsAppliedEverywhere) {
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
    const RunOptions there{
        .environment = {{"LC_ALL", locale}, {"LANG", locale}, {"LOCPATH", locale_folder()}}};
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
