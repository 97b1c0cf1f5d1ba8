// What `rnn lm score` prints, in each of its layouts.
#include <cmath>
#include <sstream>

#include "apps/command.h"

namespace rnn::test {
namespace {

class LmScore : public Command {};

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

TEST_F(LmScore, AScoreDoesNotDependOnTheSentencesAroundIt) {
  must_train("m");
  const auto all = table(must_run({"lm", "score", "--model", "m", "--text", "valid.txt"}).out);
  ASSERT_EQ(all.size(), 41u);
  for (const std::size_t i : {0u, 17u, 39u}) {
    const auto one =
        table(must_run({"lm", "score", "--model", "m"}, {.input = all[i].at(2) + "\n"}).out);
    EXPECT_EQ(one.at(0), all[i]);
  }
}

TEST_F(LmScore, WordScoresAddUpToTheirSentenceAndSentencesToTheTotal) {
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

TEST_F(LmScore, ScoreAnswersEachLineOfAPipeBeforeTheNext) {
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

TEST_F(LmScore, ScoresInTheLayoutOfSrilm) {
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

// As SRILM's compute-best-mix does: of two outputs for one text, the lines whose first field is
// "p(" belong together in their order, and the tenth field is the logarithm, or -inf.
TEST_F(LmScore, TwoOutputsInTheLayoutOfSrilmMixLineByLine) {
  must_train("a");
  must_train("b", {"--cell", "gru", "--seed", "2"});
  files.write("t.txt", "the zebra sang\na fox\n\nthe hen sang\n");
  const auto probabilities = [&](const char* model) {
    std::istringstream lines(
        must_run({"lm", "score", "--model", model, "--text", "t.txt", "--format", "srilm"}).out);
    std::vector<double> found;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream fields(line);
      Words parts;
      for (std::string part; fields >> part;) parts.push_back(part);
      if (parts.empty() || parts[0] != "p(") continue;
      found.push_back(parts.at(9) == "-inf" ? 0 : std::pow(10, number(parts.at(9))));
    }
    return found;
  };
  const std::vector<double> a = probabilities("a"), b = probabilities("b");
  ASSERT_EQ(a.size(), 12u);
  ASSERT_EQ(b.size(), a.size());
  double log_prob = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i] == 0, i == 1) << "the unknown word alone";
    if (i != 1) log_prob += std::log(0.7 * a[i] + 0.3 * b[i]);
  }
  const Json mixed =
      must_run({"lm", "score", "--model", "a", "--mix", "b=0.3", "--text", "t.txt", "--json"})
          .json();
  EXPECT_NEAR(std::exp(-log_prob / 11), mixed["total"]["ppl_without_oov"].get<double>(), 1e-3);
}

TEST_F(LmScore, ScoresInTheLayoutOfKenlm) {
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

TEST_F(LmScore, NBestListsAreRescoredAndRanked) {
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
  EXPECT_EQ(best.substr(0, 13), fox ? "0 ||| the fox" : "0 ||| the the");
  EXPECT_NEAR(number(best.substr(best.rfind("||| ") + 4)),
              fox ? -3.5 + 2 * log10("the fox sang\n") : -3.25 + 2 * log10("the the the\n"), 1e-6);
  files.write("bad.txt", "0 ||| the fox ||| good\n");
  refuses(1, {"lm", "score", "--model", "m", "--nbest", "bad.txt", "--weight", "1"},
          {"bad.txt:1", "number"});
  refuses(2, {"lm", "score", "--model", "m", "--weight", "1"}, {"--weight", "--nbest"});
}

TEST_F(LmScore, AHypothesisWithoutAFiniteScoreIsRefused) {
  must_train("m");
  for (const std::string score : {"nan", "inf", "-inf"}) {
    files.write("n.txt", "0 ||| the fox ||| -1\n0 ||| a hen ||| " + score + "\n");
    refuses(1, {"lm", "score", "--model", "m", "--nbest", "n.txt", "--weight", "1"},
            {"n.txt:2", "finite", "take the hypothesis out"});
    must_run({"lm", "score", "--model", "m", "--nbest", "n.txt"});  // nobody reads it
    refuses(2, {"lm", "score", "--model", "m", "--nbest", "n.txt", "--weight=" + score},
            {"--weight", "finite", score});
  }
}

TEST_F(LmScore, NBestListsComeAsJsonLinesToo) {
  must_train("m");
  files.write("n.txt", "0 ||| the fox sang ||| -3.5\n0 ||| the the the ||| -3.25\n");
  for (const Words& more : {Words{}, {"--weight", "2"}}) {
    Words words{"lm", "score", "--model", "m", "--nbest", "n.txt"};
    words.insert(words.end(), more.begin(), more.end());
    std::istringstream text(must_run(words).out);
    words.push_back("--json");
    std::istringstream json(must_run(words).out);
    int rows = 0;
    for (std::string row, object; std::getline(text, row) && std::getline(json, object); ++rows) {
      const Json found = parse_json(object, "json");
      EXPECT_EQ(found["id"], "0");
      EXPECT_NE(row.find(" ||| " + found["text"].get<std::string>() + " ||| "), row.npos) << row;
      EXPECT_NEAR(found[more.empty() ? "log10_prob" : "score"].get<double>(),
                  number(row.substr(row.rfind("||| ") + 4)), 1e-6);
      EXPECT_EQ(found.contains("score"), !more.empty());
    }
    EXPECT_EQ(rows, 2);
    words.back() = "--format";
    words.push_back("json");
    EXPECT_EQ(must_run(words).out, json.str());
  }
}

TEST_F(LmScore, WhatNBestListsWouldPassOverIsRefused) {
  must_train("m");
  files.write("n.txt", "0 ||| the fox sang\n");
  for (const Words& option : {Words{"--text", "valid.txt"},
                              {"--per-word"},
                              {"--state", "carry"},
                              {"--format", "srilm"},
                              {"--format", "kenlm"}}) {
    Words words{"lm", "score", "--model", "m", "--nbest", "n.txt"};
    words.insert(words.end(), option.begin(), option.end());
    refuses(2, words, {option[0], "--nbest", "leave out"});
  }
}

TEST_F(LmScore, AMixtureScoresSentencesAndHypotheses) {
  must_train("a");
  must_train("b", {"--cell", "gru", "--seed", "2"});
  const std::string text = "the fox sang\na zebra\n\n";
  files.write("t.txt", text);
  const auto score = [&](const Words& more) {
    Words words{"lm", "score", "--per-word", "--json", "--text", "t.txt"};
    words.insert(words.end(), more.begin(), more.end());
    return must_run(words).json();
  };
  const Json a = score({"--model", "a"}), b = score({"--model", "b"});
  const Words mixture{"--model", "a", "--mix", "b=0.3"};
  const Json mixed = score(mixture);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto log_prob = [&](const Json& of, std::size_t t) {
      return of["sentences"][i]["words"][t]["log_prob"].get<double>();
    };
    for (std::size_t t = 0; t < mixed["sentences"][i]["words"].size(); ++t) {
      EXPECT_NEAR(log_prob(mixed, t),
                  std::log(0.7 * std::exp(log_prob(a, t)) + 0.3 * std::exp(log_prob(b, t))), 1e-6);
    }
  }
  // As `eval` has it, line by line from a pipe, and as hypotheses.
  const Json eval = must_run({"lm", "eval", "--model", "a", "--mix", "b=0.3", "--text", "t.txt",
                              "--state", "reset", "--json"})
                        .json();
  EXPECT_NEAR(mixed["total"]["log_prob"].get<double>(), -eval["nats"].get<double>(), 1e-9);
  EXPECT_EQ(must_run({"lm", "score", "--model", "a", "--mix", "b=0.3"}, {.input = text}).out,
            must_run({"lm", "score", "--model", "a", "--mix", "b=0.3", "--text", "t.txt"}).out);
  files.write("n.txt", "0 ||| the fox sang\n");
  const std::string nbest =
      must_run({"lm", "score", "--model", "a", "--mix", "b=0.3", "--nbest", "n.txt"}).out;
  EXPECT_NEAR(number(nbest.substr(nbest.rfind("||| ") + 4)),
              mixed["sentences"][0]["log10_prob"].get<double>(), 1e-6);
  refuses(2,
          {"lm", "score", "--model", "a", "--mix", "b=0.3", "--text", "t.txt", "--state", "carry"},
          {"--mix", "--state carry", "lm eval"});
}

TEST_F(LmScore, TotalsHaveBitsPerCharacterAsEvalHasThem) {
  must_train("m", {"--normalize-white-space", "collapse"});
  files.write("t.txt", "the  fox\n\u00E9\n\n");
  const Words text{"--model", "m", "--text", "t.txt", "--state", "reset"};
  const auto with = [&](const Words& before, const Words& after) {
    Words words = before;
    words.insert(words.end(), text.begin(), text.end());
    words.insert(words.end(), after.begin(), after.end());
    return must_run(words);
  };
  const Json eval = with({"lm", "eval"}, {"--json"}).json();
  const Json score = with({"lm", "score"}, {"--json"}).json();
  EXPECT_EQ(score["total"]["characters"], 11);  // of "the fox", one letter, nothing; and line ends
  EXPECT_EQ(eval["characters"], 11);
  EXPECT_EQ(score["sentences"][0]["characters"], 8);
  EXPECT_NEAR(score["total"]["bits_per_char"].get<double>(), eval["bits_per_char"].get<double>(),
              1e-9);
  const Words total = table(with({"lm", "score"}, {}).out).back();
  EXPECT_EQ(total.at(8), "characters 11");
  EXPECT_EQ(total.at(9).substr(0, 14), "bits_per_char ");
  EXPECT_NEAR(number(total[9].substr(14)), eval["bits_per_char"].get<double>(), 1e-6);
}

TEST_F(LmScore, ScoringNothingHasNoPerplexity) {
  must_train("m");
  const Json total = must_run({"lm", "score", "--model", "m", "--json"}).json()["total"];
  EXPECT_EQ(total["tokens"], 0);
  EXPECT_TRUE(total["ppl"].is_null());
  EXPECT_TRUE(total["bits_per_char"].is_null());
}

}  // namespace
}  // namespace rnn::test
