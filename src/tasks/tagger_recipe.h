#pragma once

#include "rnn/network.h"
#include "rnn/tasks/tagger.h"
#include "tasks/tagger_labels.h"
#include "tasks/tagger_words.h"

namespace rnn {

/// The network of a recipe. Its inputs: the ids of `words`; where the recipe says so the `shapes`
/// of the words, the `characters` of each distinct word of a batch, and `spelling`, which of these
/// stands where.
Network tagger_network(const TaggerRecipe& recipe, const TaggerVocabulary& vocabulary,
                       const TaggerLabels& labels);

}  // namespace rnn
