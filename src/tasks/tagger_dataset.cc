#include "tasks/tagger_dataset.h"

#include <algorithm>

#include "rnn/kernels.h"

namespace rnn {

TaggerInputs TaggerInputs::of(const Network& network) {
  TaggerInputs inputs;
  for (const Network::Input& input : network.inputs()) {
    inputs.shapes |= input.name == kShapes;
    inputs.characters |= input.name == kCharacters;
  }
  return inputs;
}

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

/// The characters of each distinct word of the batch, whose `ids` are still forms, and where each
/// stands.
void TaggerDataset::add_spelling(Batch& batch) {
  const WordForms& forms = sentences_.forms;
  distinct_.clear();
  rows_.assign(static_cast<std::size_t>(forms.size()), -1);
  const auto each_word = [&](auto function) {
    for (Index b = 0; b < batch.batch; ++b) {
      for (Index t = 0; t < length_of(batch.lengths, b, batch.time); ++t) {
        function(static_cast<std::size_t>(t * batch.batch + b));
      }
    }
  };
  each_word([&](std::size_t cell) {
    std::int32_t& row = rows_[static_cast<std::size_t>(batch.ids[cell])];
    if (row < 0) distinct_.push_back(batch.ids[cell]);
    row = 0;
  });
  // By length, so that the kernels work on ever fewer words.
  std::stable_sort(distinct_.begin(), distinct_.end(), [&](std::int32_t a, std::int32_t b) {
    return forms.characters(a).size() > forms.characters(b).size();
  });

  BatchInput& characters = batch.input(kCharacters);
  characters.batch = static_cast<Index>(distinct_.size());
  characters.time =
      distinct_.empty() ? 0 : static_cast<Index>(forms.characters(distinct_.front()).size());
  characters.ids.assign(static_cast<std::size_t>(characters.time * characters.batch), 0);
  for (std::size_t row = 0; row < distinct_.size(); ++row) {
    const std::span<const std::int32_t> spelled = forms.characters(distinct_[row]);
    characters.lengths.push_back(static_cast<std::int32_t>(spelled.size()));
    characters.examples.push_back(static_cast<std::uint32_t>(distinct_[row]));
    for (std::size_t t = 0; t < spelled.size(); ++t) {
      characters.ids[t * distinct_.size() + row] = spelled[t];
    }
    rows_[static_cast<std::size_t>(distinct_[row])] = static_cast<std::int32_t>(row);
  }
  std::vector<std::int32_t>& spelling = batch.input(kSpelling).ids;
  spelling.assign(batch.ids.size(), -1);
  each_word(
      [&](std::size_t cell) { spelling[cell] = rows_[static_cast<std::size_t>(batch.ids[cell])]; });
}

bool TaggerDataset::next(Batch& batch) {
  const Random epoch = Random(options_.batches.seed)
                           .fold(0x776f726473u)
                           .fold(static_cast<std::uint64_t>(batches_.position().epoch));
  if (!batches_.next(batch)) return false;
  if (options_.inputs.characters) add_spelling(batch);
  if (options_.inputs.shapes) batch.input(kShapes).ids.assign(batch.ids.size(), 0);
  for (Index b = 0; b < batch.batch; ++b) {
    const Random draws = epoch.fold(batch.examples[static_cast<std::size_t>(b)]);
    for (Index t = 0; t < length_of(batch.lengths, b, batch.time); ++t) {
      const auto cell = static_cast<std::size_t>(t * batch.batch + b);
      const std::int32_t form = batch.ids[cell];
      batch.ids[cell] = word_id(form, draws, static_cast<std::uint32_t>(t));
      if (options_.inputs.shapes) batch.input(kShapes).ids[cell] = sentences_.forms.shape(form);
    }
  }
  return true;
}

}  // namespace rnn
