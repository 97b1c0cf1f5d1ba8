// Writing text: one step of the network for each unit, and a choice among what it finds likely.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/number.h"
#include "rnn/error.h"
#include "tasks/language_model_impl.h"

namespace rnn {
namespace {

void check(const GenerateOptions& options) {
  if (options.length < 0) {
    throw ConfigError("length: expected at least 0, got " + to_text(options.length));
  }
  if (!(options.temperature >= 0) || !std::isfinite(options.temperature)) {
    throw ConfigError("temperature: expected at least 0, got " + to_text(options.temperature));
  }
  if (options.top_k < 0) {
    throw ConfigError("top-k: expected at least 0, got " + to_text(options.top_k));
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    throw ConfigError("top-p: expected more than 0 and at most 1, got " + to_text(options.top_p));
  }
}

/// Chooses a unit. `draw` is uniform in [0, 1). Candidates are ordered by probability, equals by
/// id, so that a choice is the same on every machine that computes the same probabilities.
class Sampler {
 public:
  Sampler(const GenerateOptions& options, std::int32_t banned)
      : options_(options), banned_(banned) {}

  std::int32_t choose(View<const float> probabilities, double draw) {
    order_.resize(static_cast<std::size_t>(probabilities.size()));
    std::iota(order_.begin(), order_.end(), 0);
    if (banned_ >= 0) order_.erase(order_.begin() + banned_);
    const auto likelier = [&](std::int32_t a, std::int32_t b) {
      return probabilities[a] != probabilities[b] ? probabilities[a] > probabilities[b] : a < b;
    };
    if (options_.temperature == 0) {
      return *std::min_element(order_.begin(), order_.end(), likelier);
    }
    std::sort(order_.begin(), order_.end(), likelier);
    if (options_.top_k > 0 && options_.top_k < static_cast<std::int64_t>(order_.size())) {
      order_.resize(static_cast<std::size_t>(options_.top_k));
    }
    // p^(1/temperature), relative to the likeliest so that nothing overflows.
    const double top = std::log(static_cast<double>(probabilities[order_.front()]));
    weights_.clear();
    double total = 0;
    for (std::int32_t id : order_) {
      const double log_weight = std::log(static_cast<double>(probabilities[id])) - top;
      weights_.push_back(std::exp(log_weight / options_.temperature));
      total += weights_.back();
    }
    if (options_.top_p < 1) {
      double kept = 0;
      std::size_t count = 0;
      while (count < weights_.size() && kept < options_.top_p * total) kept += weights_[count++];
      weights_.resize(count);
      total = kept;
    }
    double left = draw * total;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      left -= weights_[i];
      if (left < 0) return order_[i];
    }
    return order_[weights_.size() - 1];
  }

 private:
  const GenerateOptions& options_;
  std::int32_t banned_;
  std::vector<std::int32_t> order_;
  std::vector<double> weights_;
};

/// Turns units back into text as they come.
class Writer {
 public:
  Writer(const Tokenizer& tokenizer, const std::function<void(std::string_view)>& on_text)
      : tokenizer_(tokenizer), on_text_(on_text) {}

  void unit(std::string_view symbol) {
    const std::string_view one[] = {symbol};
    const std::string text = tokenizer_.detokenize(one);
    const bool gap = !tokenizer_.lossless() && !at_line_start_;
    at_line_start_ = false;
    emit(gap ? " " + text : text);
  }
  void end_of_sentence() {
    at_line_start_ = true;
    emit("\n");
  }
  std::string take() { return std::move(text_); }

 private:
  void emit(const std::string& piece) {
    text_ += piece;
    if (on_text_) on_text_(piece);
  }

  const Tokenizer& tokenizer_;
  const std::function<void(std::string_view)>& on_text_;
  std::string text_;
  bool at_line_start_ = true;
};

}  // namespace

std::string LanguageModel::generate(const GenerateOptions& options,
                                    const std::function<void(std::string_view)>& on_text) const {
  check(options);
  const Impl& m = *impl_;
  const std::int32_t end = m.vocabulary.end_id();
  Inference inference(m.network, m.parameters, m.backend);
  State state = initial_state();
  Writer writer(*m.tokenizer, on_text);
  Batch batch{.time = 1, .batch = 1, .ids = {end}};
  View<const float> probabilities = inference.predict(batch, state);
  const auto read = [&](std::int32_t id, std::string_view text) {
    batch.ids[0] = id;
    probabilities = inference.predict(batch, state);
    if (id == end) {
      writer.end_of_sentence();
    } else {
      writer.unit(text);
    }
  };

  // The prompt, line by line: a line feed in it ends a sentence. A unit that the model does not
  // know is read as <unk> and written as it was given.
  std::vector<Token> tokens;
  for (std::size_t from = 0; from < options.prompt.size();) {
    const std::size_t line_end = std::min(options.prompt.find('\n', from), options.prompt.size());
    m.tokenizer->tokenize(std::string_view(options.prompt).substr(from, line_end - from), tokens);
    for (const Token& token : tokens) read(m.vocabulary.text_id(token.text), token.text);
    if (line_end < options.prompt.size()) read(end, {});
    from = line_end + 1;
  }

  Sampler sampler(options, options.unknown ? -1 : m.vocabulary.unknown_id());
  const Random random = Random(options.seed).fold(0x67656e6572617465u);
  for (std::int64_t i = 0; i < options.length; ++i) {
    const auto words = random.block(static_cast<std::uint32_t>(i));
    const double draw = Random::to_uniform(words[0], words[1]);
    const std::int32_t id =
        sampler.choose(probabilities.reshaped({m.network.head().classes}), draw);
    read(id, m.vocabulary.symbol(id));
  }
  return writer.take();
}

}  // namespace rnn
