// A language model that scores sentences as they are typed: each unit changes the state by one
// step, and nothing is computed twice.
//   example_typed_sentences MODEL_DIR [SENTENCE...]     without sentences: lines of standard input
#include <rnn/error.h>
#include <rnn/tasks/language_model.h>

#include <cstdio>
#include <iostream>
#include <string>

namespace {

void score(const rnn::LanguageModel& model, rnn::State& state, const std::string& sentence) {
  // `state` is a value: whoever wants to try a sentence without going on from it copies it.
  const rnn::SentenceScore score = model.score(sentence, state);
  for (const rnn::UnitScore& unit : score.units) {
    std::printf("  %-4s %8.3f%s\n", unit.unit.c_str(), unit.log_prob,
                unit.unknown ? "  (unknown)" : "");
  }
  std::printf("%s: %.3f nats a unit\n", sentence.c_str(),
              -score.log_prob / static_cast<double>(score.units.size()));
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s MODEL_DIR [SENTENCE...]\n", argv[0]);
    return 2;
  }
  const auto model = rnn::LanguageModel::load(argv[1]);
  rnn::State state = model.initial_state();
  for (int i = 2; i < argc; ++i) score(model, state, argv[i]);
  std::string line;
  while (argc == 2 && std::getline(std::cin, line)) score(model, state, line);
} catch (const rnn::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
