// Sentences and what a scorer finds of them: what a model and a mixture of models share. `Scorer`
// has `nats` as SentenceScorer has it.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/tasks/language_model.h"
#include "tasks/sentence_scorer.h"
#include "tasks/text_pipeline.h"

namespace rnn {

/// `nats` of each token of the prepared line and of its end.
SentenceScore sentence_score(std::span<const float> nats, std::string_view line,
                             std::span<const Token> tokens, std::span<const std::int32_t> ids,
                             const Vocabulary& vocabulary);

std::vector<std::int32_t> ids_of(std::span<const Token> tokens, const Vocabulary& vocabulary);

template <class Scorer>
std::vector<SentenceScore> score_sentences(Scorer& scorer, const TextPipeline& text,
                                           const Vocabulary& vocabulary,
                                           std::span<const std::string> sentences) {
  std::vector<SentenceScore> scores;
  for (std::size_t first = 0; first < sentences.size(); first += kSentencesTogether) {
    const auto group =
        sentences.subspan(first, std::min(kSentencesTogether, sentences.size() - first));
    std::vector<std::string> lines(group.size());
    std::vector<std::vector<Token>> tokens(group.size());
    std::vector<std::vector<std::int32_t>> ids(group.size());
    for (std::size_t b = 0; b < group.size(); ++b) {
      lines[b] = text.prepare(group[b]);
      text.tokenizer->tokenize(lines[b], tokens[b]);
      ids[b] = ids_of(tokens[b], vocabulary);
    }
    const std::vector<std::span<const std::int32_t>> views(ids.begin(), ids.end());
    const auto& nats = scorer.nats(views);
    for (std::size_t b = 0; b < group.size(); ++b) {
      scores.push_back(sentence_score(nats[b], lines[b], tokens[b], ids[b], vocabulary));
    }
  }
  return scores;
}

/// Loss of a text whose sentences all begin anew.
template <class Scorer>
double nats_by_sentence(Scorer& scorer, std::span<const std::int32_t> ids, std::int32_t end_id) {
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

}  // namespace rnn
