#pragma once

#include "rnn/network.h"
#include "rnn/tasks/tagger.h"
#include "tasks/tagger_labels.h"
#include "tasks/tagger_words.h"

namespace rnn {

/// The network of a recipe.
Network tagger_network(const TaggerRecipe& recipe, const TaggerVocabulary& vocabulary,
                       const TaggerLabels& labels);

}  // namespace rnn
