// What `rnn lm generate` writes.
#include "apps/command.h"

namespace rnn::test {
namespace {

class LmGenerate : public Command {};

TEST_F(LmGenerate, GenerateObeysItsOptions) {
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

TEST_F(LmGenerate, GenerateGivesManyTextsAndStopsWhereItShould) {
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
  for (const Words& choice : {Words{"--temperature", "0.5"},
                              {"--temperature", "0"},
                              {"--top-k", "3"},
                              {"--top-p", "0.9"},
                              {"--typical", "0.5"}}) {
    Words beam{"lm", "generate", "--model", "m", "--beam", "2"};
    beam.insert(beam.end(), choice.begin(), choice.end());
    refuses(2, beam, {choice[0].substr(2) + ":", "beam"});
  }
  refuses(2, {"lm", "generate", "--model", "m", "--stop", ""}, {"stop"});
}

TEST_F(LmGenerate, GeneratedTextBeginsWithThePromptAsItWasGiven) {
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

TEST_F(LmGenerate, TheEndOfALineInThePromptIsKnown) {
  for (const std::string unit : {"char", "word"}) {
    must_train(unit, {"--unit", unit, "--epochs", "1"});
    const auto written = [&](const std::string& prompt) {
      return must_run({"lm", "generate", "--model", unit, "--prompt", prompt, "--length", "5"});
    };
    const RunResult known = written("the fox\na hen");
    EXPECT_EQ(known.err, "");
    EXPECT_EQ(known.out.substr(0, 13), "the fox\na hen");
    EXPECT_NE(written("the fox\na \u00E9").err.find("does not know \u00E9\n"), std::string::npos);
  }
}

}  // namespace
}  // namespace rnn::test
