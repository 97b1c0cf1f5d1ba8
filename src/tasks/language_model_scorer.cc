#include "rnn/tasks/language_model_scorer.h"

#include <algorithm>

#include "rnn/error.h"
#include "rnn/session.h"

namespace rnn {

struct LanguageModelScorer::Impl {
  const LanguageModel& model;
  Inference inference;
  State state{};  // a row for each hypothesis
  Batch batch{};
  Tensor logs{};

  /// Takes the states together; they are about to read their last units.
  void gather(std::span<const TextState> states) {
    batch.clear();
    batch.time = 1;
    batch.batch = static_cast<Index>(states.size());
    if (state.size() == 0 && !states.empty()) state = states[0].state_;
    for (std::size_t part = 0; part < state.size(); ++part) {
      const Index width = state[part].extent(1);
      state[part].resize({batch.batch, width});
      for (std::size_t i = 0; i < states.size(); ++i) {
        const Tensor& from = states[i].state_[part];
        std::copy_n(from.data(), width, state[part].data() + static_cast<Index>(i) * width);
      }
    }
    for (const TextState& text : states) batch.ids.push_back(text.last_);
  }
};

LanguageModelScorer::LanguageModelScorer(const LanguageModel& model)
    : impl_(new Impl{model, Inference(model.network(), model.parameters(), model.backend())}) {}
LanguageModelScorer::~LanguageModelScorer() = default;
LanguageModelScorer::LanguageModelScorer(LanguageModelScorer&&) noexcept = default;

TextState LanguageModelScorer::begin() const {
  TextState text;
  text.state_ = impl_->model.initial_state();
  text.last_ = impl_->model.vocabulary().end_id();
  return text;
}

LanguageModelScorer::Step LanguageModelScorer::score(const TextState& state, std::int32_t token) {
  return std::move(score(std::span(&state, 1), std::span(&token, 1)).front());
}

std::vector<LanguageModelScorer::Step> LanguageModelScorer::score(
    std::span<const TextState> states, std::span<const std::int32_t> tokens) {
  if (states.size() != tokens.size()) {
    throw ConfigError("score: expected a token for each state, got " +
                      std::to_string(states.size()) + " states and " +
                      std::to_string(tokens.size()) + " tokens");
  }
  const std::int32_t size = impl_->model.vocabulary().size();
  for (const std::int32_t token : tokens) {
    if (token >= 0 && token < size) continue;
    throw ConfigError("score: expected ids of the vocabulary, 0 to " + std::to_string(size - 1) +
                      ", got " + std::to_string(token));
  }
  std::vector<Step> steps(states.size());
  if (states.empty()) return steps;
  Impl& m = *impl_;
  m.gather(states);
  m.batch.targets.assign(tokens.begin(), tokens.end());
  m.inference.evaluate(m.batch, m.state);
  const View<const float> nats = m.inference.nats();
  for (std::size_t i = 0; i < states.size(); ++i) {
    const auto row = static_cast<Index>(i);
    steps[i].log_prob = -static_cast<double>(nats(0, row));
    steps[i].next.last_ = tokens[i];
    for (const NamedTensor& part : m.state) {
      const Index width = part.tensor.extent(1);
      Tensor own({1, width});
      std::copy_n(part.tensor.data() + row * width, width, own.data());
      steps[i].next.state_.add(part.name, std::move(own));
    }
  }
  return steps;
}

View<const float> LanguageModelScorer::log_probs(std::span<const TextState> states) {
  Impl& m = *impl_;
  const Index size = m.model.vocabulary().size();
  m.logs.resize({static_cast<Index>(states.size()), size});
  if (states.empty()) return m.logs;
  m.gather(states);
  m.inference.run(m.batch, m.state);
  const HeadInput input = m.inference.head_input();
  const View<float> logs = m.logs;
  m.model.network().head().head->log_predict(input.features,
                                             logs.reshaped({1, m.batch.batch, size}), *input.call);
  return m.logs;
}

}  // namespace rnn
