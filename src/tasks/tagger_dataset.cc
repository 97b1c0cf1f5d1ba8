#include "tasks/tagger_dataset.h"

namespace rnn {

TaggerDataset::TaggerDataset(const TaggerSentences& sentences, const TaggerVocabulary& vocabulary,
                             const TaggerDatasetOptions& options)
    : sentences_(sentences),
      words_(vocabulary.words),
      options_(options),
      batches_(sentences.sequences, options.batches) {}

std::int32_t TaggerDataset::word_id(std::int32_t form, const Random& draws,
                                    std::uint32_t place) const {
  const std::int32_t id = sentences_.forms.word(form);
  if (options_.word_dropout <= 0 && options_.singleton_dropout <= 0) return id;
  const Random::Block draw = draws.block(place);
  const bool drops =
      Random::to_uniform(draw[0]) < options_.word_dropout ||
      (words_.count(id) == 1 && Random::to_uniform(draw[1]) < options_.singleton_dropout);
  return drops ? words_.unknown_id() : id;
}

bool TaggerDataset::next(Batch& batch) {
  const Random epoch = Random(options_.batches.seed)
                           .fold(0x776f726473u)
                           .fold(static_cast<std::uint64_t>(batches_.position().epoch));
  if (!batches_.next(batch)) return false;
  for (Index b = 0; b < batch.batch; ++b) {
    const Random draws = epoch.fold(batch.examples[static_cast<std::size_t>(b)]);
    const Index length =
        batch.lengths.empty() ? batch.time : batch.lengths[static_cast<std::size_t>(b)];
    for (Index t = 0; t < length; ++t) {
      std::int32_t& cell = batch.ids[static_cast<std::size_t>(t * batch.batch + b)];
      cell = word_id(cell, draws, static_cast<std::uint32_t>(t));
    }
  }
  return true;
}

}  // namespace rnn
