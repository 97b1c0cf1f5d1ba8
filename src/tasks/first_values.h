// First values of a classifier's network from what was learned elsewhere.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "rnn/tasks/language_model.h"
#include "rnn/tasks/text_classifier_recipe.h"

namespace rnn {

/// The table of a classifier's network that has a row for each unit.
inline constexpr const char* kWordTable = "words/embeddings";

/// Loads the language model that a classifier is to start from. `tokenizer_model` is the file that
/// the unit sentencepiece is to use; where it names none it becomes that of the language model.
/// Throws ConfigError when the model does not read text as the recipe does; what
/// LanguageModel::load throws.
LanguageModel language_model_to_start_from(const std::string& directory,
                                           const TextClassifierRecipe& recipe,
                                           std::string& tokenizer_model);

/// Embedding and recurrent layers of the language model take the places of those of the same name;
/// its output head is left out. Returns the names taken, layer by layer from the input on. Throws
/// ConfigError, naming the tensor, when one has no place of its shape. (Dai and Le 2015)
std::vector<std::string> take_encoder(TensorList& values, const LanguageModel& model,
                                      const std::string& directory);

/// How many epochs each of these parameters stands still when those of the last layer begin to
/// learn after `epochs`, and those of each layer before it so many later.
std::map<std::string, std::int64_t> gradual_unfreezing(const std::vector<std::string>& names,
                                                       std::int64_t epochs);

/// Word vectors of a file into the table of that name, a row for each word of the vocabulary (see
/// load_vectors). Returns what to tell a person. Throws ConfigError when there is no such table or
/// its width is another; what load_vectors throws.
std::string take_vectors(TensorList& values, const std::string& table, const std::string& path,
                         const Vocabulary& vocabulary);

}  // namespace rnn
