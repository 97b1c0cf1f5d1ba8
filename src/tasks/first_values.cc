#include "tasks/first_values.h"

#include "rnn/error.h"
#include "rnn/text/normalizer.h"
#include "tasks/training_run.h"

namespace rnn {
namespace {

constexpr const char* kWords = "words/embeddings";

}  // namespace

LanguageModel language_model_to_start_from(const std::string& directory,
                                           const TextClassifierRecipe& recipe) {
  LanguageModel model = LanguageModel::load(directory);
  const TokenizerOptions& theirs = model.tokenizer().options();
  if (theirs.unit != recipe.unit || theirs.locale != recipe.locale) {
    throw ConfigError("init-from: " + directory + " was trained with --unit " + theirs.unit +
                      (theirs.locale.empty() ? "" : " --locale " + theirs.locale) +
                      ", now it is --unit " + recipe.unit + "; give the same");
  }
  const Json read = recipe_json(model.normalizer().options());
  const Json now = recipe_json(NormalizerOptions{
      .form = recipe.form, .lowercase = recipe.lowercase, .locale = recipe.locale});
  if (read != now) {
    throw ConfigError("init-from: " + directory + " normalizes text as " + read.dump() +
                      ", now it is " + now.dump() + "; give the same --lowercase and --form");
  }
  return model;
}

void take_encoder(TensorList& values, const LanguageModel& model, const std::string& directory) {
  const std::string head = model.network().head().name + "/";
  for (const NamedTensor& theirs : model.parameters()) {
    if (theirs.name.starts_with(head)) continue;
    const std::string name = theirs.name == "embedding/embeddings" ? kWords : theirs.name;
    const std::size_t place = values.find(name);
    if (place == values.size() || values[place].shape() != theirs.tensor.shape()) {
      throw ConfigError(
          "init-from: " + directory + " has " + theirs.name + " " +
          theirs.tensor.shape().to_string() + ", and the network " +
          (place == values.size() ? "nothing of that name"
                                  : "it in the shape " + values[place].shape().to_string()) +
          "; give --arch lstm or gru with the language model's --embedding, --hidden and --layers");
    }
    values[place] = theirs.tensor;
  }
}

}  // namespace rnn
