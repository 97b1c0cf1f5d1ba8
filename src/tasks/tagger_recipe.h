#pragma once

#include <string>

#include "rnn/network.h"
#include "rnn/tasks/tagger.h"
#include "tasks/tagger_labels.h"
#include "tasks/tagger_words.h"

namespace rnn {

/// Name of the layer whose table has a row for each word.
inline constexpr const char* kWordEmbedding = "word_embedding";

/// Why a network is none for these words and labels; empty when it is one.
std::string misfit(const Network& network, const TaggerVocabulary& vocabulary,
                   const TaggerLabels& labels);

/// The network of a recipe. Throws ConfigError when it gives one that does not fit. Its inputs: the
/// ids of `words`; where the recipe says so the `shapes` of the words, the `characters` of each
/// distinct word of a batch, and `spelling`, which of these stands where.
Network tagger_network(const TaggerRecipe& recipe, const TaggerVocabulary& vocabulary,
                       const TaggerLabels& labels);

}  // namespace rnn
