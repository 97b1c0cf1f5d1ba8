// Beam search with a language model: a hypothesis is its text and a copied state, nothing more.
//   example_beam_search MODEL_DIR [PROMPT]
#include <rnn/error.h>
#include <rnn/session.h>
#include <rnn/tasks/language_model.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace {

struct Hypothesis {
  std::vector<std::int32_t> ids;
  double log_prob = 0;
  rnn::State state;
};

}  // namespace

int main(int argc, char** argv) try {
  constexpr std::size_t kBeam = 4, kLength = 12;
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s MODEL_DIR\n", argv[0]);
    return 2;
  }
  const auto model = rnn::LanguageModel::load(argv[1]);
  const auto backend = rnn::make_backend();
  rnn::Inference inference(model.network(), model.parameters(), backend);
  std::vector<Hypothesis> beam{{{}, 0, model.initial_state()}};
  for (std::size_t step = 0; step < kLength; ++step) {
    std::vector<Hypothesis> grown;
    for (const Hypothesis& before : beam) {
      rnn::State state = before.state;  // forked
      const std::int32_t last =
          before.ids.empty() ? model.vocabulary().end_id() : before.ids.back();
      const auto next = inference.predict({.time = 1, .batch = 1, .ids = {last}}, state);
      for (rnn::Index unit = 0; unit < next.size(); ++unit) {
        Hypothesis after{before.ids, before.log_prob + std::log(static_cast<double>(next[unit])),
                         state};
        after.ids.push_back(static_cast<std::int32_t>(unit));
        grown.push_back(std::move(after));
      }
    }
    const auto better = [](const Hypothesis& a, const Hypothesis& b) {
      return a.log_prob > b.log_prob;
    };
    std::partial_sort(grown.begin(), grown.begin() + static_cast<std::ptrdiff_t>(kBeam),
                      grown.end(), better);
    grown.resize(kBeam);
    beam = std::move(grown);
  }
  std::string text;
  for (std::int32_t id : beam.front().ids) text += model.vocabulary().symbol(id);
  std::printf("best of %zu: '%s', log-probability %.3f\n", beam.size(), text.c_str(),
              beam.front().log_prob);
} catch (const rnn::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
