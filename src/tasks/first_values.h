// First values of a classifier's network from what was learned elsewhere.
#pragma once

#include <string>

#include "rnn/tasks/language_model.h"
#include "rnn/tasks/text_classifier_recipe.h"

namespace rnn {

/// Loads the language model that a classifier is to start from. Throws ConfigError when it does not
/// read text as the recipe does; what LanguageModel::load throws.
LanguageModel language_model_to_start_from(const std::string& directory,
                                           const TextClassifierRecipe& recipe);

/// Embedding and recurrent layers of the language model take the places of those of the same name;
/// its output head is left out. Throws ConfigError, naming the tensor, when one has no place of its
/// shape. (Dai and Le 2015)
void take_encoder(TensorList& values, const LanguageModel& model, const std::string& directory);

}  // namespace rnn
