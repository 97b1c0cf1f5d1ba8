#include "rnn/tasks/language_model.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/tasks/sentence_reader.h"
#include "rnn/text/lane_dataset.h"
#include "tasks/language_model_impl.h"
#include "tasks/language_model_recipe.h"
#include "tasks/model_directory.h"
#include "tasks/network_fit.h"
#include "tasks/sentence_scores.h"
#include "text/utf8.h"

namespace rnn {

SentenceScore sentence_score(std::span<const float> nats, std::string_view line,
                             std::span<const Token> tokens, std::span<const std::int32_t> ids,
                             const Vocabulary& vocabulary) {
  SentenceScore score;
  score.characters = static_cast<std::int64_t>(count_code_points(line)) + 1;
  for (std::size_t t = 0; t <= tokens.size(); ++t) {
    const double log_prob = -static_cast<double>(nats[t]);
    if (std::isnan(log_prob)) {
      throw DivergenceError(
          "score: the model's probabilities are not numbers: its training must have diverged");
    }
    const bool end = t == tokens.size();
    const bool unknown =
        !end && ids[t] == vocabulary.unknown_id() && tokens[t].text != kUnknownSymbol;
    score.units.push_back({std::string(end ? kEndSymbol : tokens[t].text), log_prob, unknown});
    score.log_prob += log_prob;
    if (unknown) {
      ++score.unknown;
      score.unknown_log_prob += log_prob;
    }
  }
  return score;
}

std::vector<std::int32_t> ids_of(std::span<const Token> tokens, const Vocabulary& vocabulary) {
  std::vector<std::int32_t> ids;
  ids.reserve(tokens.size());
  for (const Token& token : tokens) ids.push_back(vocabulary.text_id(token.text));
  return ids;
}

double LanguageModelEvaluation::perplexity() const { return std::exp(nats_per_token()); }

double LanguageModelEvaluation::bits_per_character() const {
  return characters > 0 ? nats / std::numbers::ln2 / static_cast<double>(characters) : 0;
}

TokenFile LanguageModel::Impl::tokens_of(std::span<const std::string> paths,
                                         const TextPolicy& policy) const {
  CorpusOptions corpus = text.corpus();
  corpus.policy = policy;
  return TokenFile::build(paths, *text.tokenizer, vocabulary, corpus);
}

LanguageModelEvaluation evaluation_of(const TokenFile& text) {
  return {.tokens = static_cast<std::int64_t>(text.ids().size()),
          .sentences = text.lines(),
          .unknown = text.unknown(),
          .characters = text.characters()};
}

LanguageModel::LanguageModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LanguageModel::~LanguageModel() = default;
LanguageModel::LanguageModel(LanguageModel&&) noexcept = default;

LanguageModel LanguageModel::load(const std::string& path, const BackendOptions& backend_options) {
  return read_whole_model(path, [&](const ModelDirectory& directory) {
    const Json config = directory.read_config("language-model");
    const std::string where = directory.file("config.json");
    TextPipeline text = TextPipeline::load(directory, config);
    auto backend = backend_for(directory, config, backend_options);
    Network network =
        network_from_json(member<Json>(config, "network", where).dump(), where + ": network");
    Vocabulary vocabulary = text.load_vocabulary(directory);
    if (const std::string wrong = language_model_misfit(network, vocabulary.size());
        !wrong.empty()) {
      throw FormatError(where + ": network: " + wrong + "; it does not belong to " +
                        directory.file(text.vocabulary_file()));
    }
    const std::string weights = directory.file("model.safetensors");
    Parameters parameters =
        parameters_from(network, load_safetensors(weights).tensors, *backend, weights);
    return LanguageModel(std::unique_ptr<Impl>(new Impl{std::move(network), std::move(parameters),
                                                        std::move(vocabulary), std::move(text),
                                                        std::move(backend)}));
  });
}

const Network& LanguageModel::network() const { return impl_->network; }
const Parameters& LanguageModel::parameters() const { return impl_->parameters; }
const Vocabulary& LanguageModel::vocabulary() const { return impl_->vocabulary; }
const Tokenizer& LanguageModel::tokenizer() const { return *impl_->text.tokenizer; }
const Normalizer& LanguageModel::normalizer() const { return *impl_->text.normalizer; }
const std::shared_ptr<const Backend>& LanguageModel::backend() const { return impl_->backend; }
TextPolicy LanguageModel::text_policy() const { return impl_->text.policy(); }

LanguageModelEvaluation LanguageModel::evaluate(std::span<const std::string> paths,
                                                StatePolicy policy) const {
  return evaluate(paths, policy, text_policy());
}

LanguageModelEvaluation LanguageModel::evaluate(std::span<const std::string> paths,
                                                StatePolicy policy,
                                                const TextPolicy& text_policy) const {
  const Impl& m = *impl_;
  const TokenFile text = m.tokens_of(paths, text_policy);
  LanguageModelEvaluation result = evaluation_of(text);
  if (policy == StatePolicy::kCarry) {
    Inference inference(m.network, m.parameters, m.backend);
    LaneDataset stream(text.ids(), m.vocabulary.end_id(), {.batch = 1, .bptt = kEvaluationWindow});
    result.nats = inference.evaluate(stream, policy).nats;
  } else {
    SentenceScorer scorer(m.network, m.parameters, m.backend, m.vocabulary.end_id());
    result.nats = nats_by_sentence(scorer, text.ids(), m.vocabulary.end_id());
  }
  return result;
}

std::vector<SentenceScore> LanguageModel::score(std::span<const std::string> sentences) const {
  return SentenceReader(*this).score(sentences);
}

SentenceScore LanguageModel::score(std::string_view sentence, State& state) const {
  return SentenceReader(*this).score(sentence, state);
}

State LanguageModel::initial_state() const { return impl_->network.zero_state(1, *impl_->backend); }

}  // namespace rnn
