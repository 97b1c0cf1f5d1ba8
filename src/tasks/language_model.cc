#include "rnn/tasks/language_model.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/text/lane_dataset.h"
#include "tasks/language_model_impl.h"
#include "tasks/language_model_recipe.h"
#include "tasks/model_directory.h"
#include "tasks/sentence_scorer.h"

namespace rnn {
namespace {

SentenceScore score_of(std::span<const float> nats, std::span<const Token> tokens,
                       const std::vector<std::int32_t>& ids, const Vocabulary& vocabulary) {
  SentenceScore score;
  for (std::size_t t = 0; t <= tokens.size(); ++t) {
    const double log_prob = -static_cast<double>(nats[t]);
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

/// Loss of a text whose sentences all begin anew.
double nats_by_sentence(SentenceScorer& scorer, std::span<const std::int32_t> ids,
                        std::int32_t end_id) {
  double total = 0;
  std::vector<std::span<const std::int32_t>> together;
  for (std::size_t place = 0; place < ids.size();) {
    const auto rest = ids.subspan(place);
    const auto length =
        static_cast<std::size_t>(std::find(rest.begin(), rest.end(), end_id) - rest.begin());
    together.push_back(rest.first(length));
    place += length + 1;
    if (together.size() < kSentencesTogether && place < ids.size()) continue;
    for (const auto& sentence : scorer.nats(together)) {
      for (float nats : sentence) total += static_cast<double>(nats);
    }
    together.clear();
  }
  return total;
}

}  // namespace

double LanguageModelEvaluation::perplexity() const { return std::exp(nats_per_token()); }

double LanguageModelEvaluation::bits_per_character() const {
  return characters > 0 ? nats / std::numbers::ln2 / static_cast<double>(characters) : 0;
}

LanguageModel::LanguageModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LanguageModel::~LanguageModel() = default;
LanguageModel::LanguageModel(LanguageModel&&) noexcept = default;

LanguageModel LanguageModel::load(const std::string& path, const BackendOptions& backend_options) {
  const ModelDirectory directory(path);
  directory.verify();
  const Json config = directory.read_config("language-model");
  const std::string where = directory.file("config.json");
  const Json tokenizer = member<Json>(config, "tokenizer", where);
  auto backend = make_backend(backend_options);
  Network network =
      network_from_json(member<Json>(config, "network", where).dump(), where + ": network");
  Vocabulary vocabulary = Vocabulary::load(directory.file("vocabulary.txt"));
  const Index size = vocabulary.size();
  if (network.input() != Signal::symbols(size) || network.head().classes != size) {
    throw FormatError(directory.file("vocabulary.txt") + ": has " + std::to_string(size) +
                      " symbols, but the network reads " + network.input().to_string() +
                      " and predicts " + std::to_string(network.head().classes));
  }
  const std::string weights = directory.file("model.safetensors");
  Parameters parameters = network.zero_parameters(*backend);
  assign_tensors(parameters, load_safetensors(weights).tensors, weights);
  parameters.changed();
  return LanguageModel(std::unique_ptr<Impl>(
      new Impl{std::move(network), std::move(parameters), std::move(vocabulary),
               make_tokenizer({.unit = member<std::string>(tokenizer, "unit", where),
                               .locale = member<std::string>(tokenizer, "locale", where)}),
               member<bool>(tokenizer, "replace_invalid", where), std::move(backend)}));
}

const Network& LanguageModel::network() const { return impl_->network; }
const Parameters& LanguageModel::parameters() const { return impl_->parameters; }
const Vocabulary& LanguageModel::vocabulary() const { return impl_->vocabulary; }
const Tokenizer& LanguageModel::tokenizer() const { return *impl_->tokenizer; }

TextPolicy LanguageModel::text_policy() const {
  return {.replace_invalid = impl_->replace_invalid, .any_bytes = impl_->tokenizer->any_bytes()};
}

LanguageModelEvaluation LanguageModel::evaluate(std::span<const std::string> paths,
                                                StatePolicy policy) const {
  return evaluate(paths, policy, text_policy());
}

LanguageModelEvaluation LanguageModel::evaluate(std::span<const std::string> paths,
                                                StatePolicy policy,
                                                const TextPolicy& text_policy) const {
  const Impl& m = *impl_;
  const TokenFile text =
      TokenFile::build(paths, *m.tokenizer, m.vocabulary, {.policy = text_policy});
  LanguageModelEvaluation result{.tokens = static_cast<std::int64_t>(text.ids().size()),
                                 .sentences = text.lines(),
                                 .unknown = text.unknown(),
                                 .characters = text.characters()};
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
  const Impl& m = *impl_;
  SentenceScorer scorer(m.network, m.parameters, m.backend, m.vocabulary.end_id());
  std::vector<SentenceScore> scores;
  for (std::size_t first = 0; first < sentences.size(); first += kSentencesTogether) {
    const auto group =
        sentences.subspan(first, std::min(kSentencesTogether, sentences.size() - first));
    std::vector<std::vector<Token>> tokens(group.size());
    std::vector<std::vector<std::int32_t>> ids(group.size());
    for (std::size_t b = 0; b < group.size(); ++b) {
      m.tokenizer->tokenize(group[b], tokens[b]);
      ids[b] = ids_of(tokens[b], m.vocabulary);
    }
    const std::vector<std::span<const std::int32_t>> views(ids.begin(), ids.end());
    const auto& nats = scorer.nats(views);
    for (std::size_t b = 0; b < group.size(); ++b) {
      scores.push_back(score_of(nats[b], tokens[b], ids[b], m.vocabulary));
    }
  }
  return scores;
}

SentenceScore LanguageModel::score(std::string_view sentence, State& state) const {
  const Impl& m = *impl_;
  std::vector<Token> tokens;
  m.tokenizer->tokenize(sentence, tokens);
  const std::vector<std::int32_t> ids = ids_of(tokens, m.vocabulary);
  const std::span<const std::int32_t> one[] = {ids};
  SentenceScorer scorer(m.network, m.parameters, m.backend, m.vocabulary.end_id());
  return score_of(scorer.nats(one, state)[0], tokens, ids, m.vocabulary);
}

State LanguageModel::initial_state() const { return impl_->network.zero_state(1, *impl_->backend); }

}  // namespace rnn
