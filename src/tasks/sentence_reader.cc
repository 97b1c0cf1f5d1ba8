#include "rnn/tasks/sentence_reader.h"

#include <optional>

#include "rnn/error.h"
#include "tasks/language_model_impl.h"
#include "tasks/mixture_scorer.h"
#include "tasks/sentence_scores.h"

namespace rnn {

/// Of one model or of a mixture.
struct SentenceReader::Impl {
  const LanguageModel::Impl& model;  // for what all models of a mixture have in common
  std::optional<SentenceScorer> alone{};
  std::optional<MixtureScorer> mixed{};
};

SentenceReader::SentenceReader(const LanguageModel& model) : impl_(new Impl{*model.impl_}) {
  const LanguageModel::Impl& m = impl_->model;
  impl_->alone.emplace(m.network, m.parameters, m.backend, m.vocabulary.end_id());
}
SentenceReader::SentenceReader(const LanguageModelMixture& mixture)
    : impl_(new Impl{*mixture.first().impl_}) {
  impl_->mixed.emplace(mixture.components_);
}
SentenceReader::~SentenceReader() = default;
SentenceReader::SentenceReader(SentenceReader&&) noexcept = default;

std::vector<SentenceScore> SentenceReader::score(std::span<const std::string> sentences) {
  const LanguageModel::Impl& m = impl_->model;
  return impl_->alone ? score_sentences(*impl_->alone, m.text, m.vocabulary, sentences)
                      : score_sentences(*impl_->mixed, m.text, m.vocabulary, sentences);
}

SentenceScore SentenceReader::score(std::string_view sentence) {
  const std::string one[] = {std::string(sentence)};
  return std::move(score(one).front());
}

SentenceScore SentenceReader::score(std::string_view sentence, State& state) {
  if (!impl_->alone) {
    throw ConfigError(
        "mixture: each of its models has a state of its own; score sentences that begin anew, or "
        "evaluate the text as one stream");
  }
  const LanguageModel::Impl& m = impl_->model;
  const std::string line = m.text.prepare(sentence);
  std::vector<Token> tokens;
  m.text.tokenizer->tokenize(line, tokens);
  const std::vector<std::int32_t> ids = ids_of(tokens, m.vocabulary);
  const std::span<const std::int32_t> one[] = {ids};
  return sentence_score(impl_->alone->nats(one, state)[0], line, tokens, ids, m.vocabulary);
}

}  // namespace rnn
