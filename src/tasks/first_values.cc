#include "tasks/first_values.h"

#include "rnn/error.h"
#include "rnn/text/normalizer.h"
#include "rnn/text/tokenizer.h"
#include "rnn/text/vectors_reader.h"
#include "tasks/model_directory.h"
#include "tasks/text_pipeline.h"
#include "tasks/training_run.h"

namespace rnn {
namespace {

std::string tokenizer_text(const std::string& unit, const std::string& locale,
                           const std::string& pattern) {
  return "--unit " + unit + (locale.empty() ? "" : " --locale " + locale) +
         (pattern.empty() ? "" : " --pattern '" + pattern + "'");
}

}  // namespace

LanguageModel language_model_to_start_from(const std::string& directory,
                                           const TextClassifierRecipe& recipe,
                                           std::string& tokenizer_model) {
  LanguageModel model = LanguageModel::load(directory);
  const TokenizerOptions& theirs = model.tokenizer().options();
  if (theirs.unit != recipe.unit || theirs.locale != recipe.locale ||
      theirs.pattern != recipe.pattern) {
    throw ConfigError("init-from: " + directory + " was trained with " +
                      tokenizer_text(theirs.unit, theirs.locale, theirs.pattern) + ", now it is " +
                      tokenizer_text(recipe.unit, recipe.locale, recipe.pattern) +
                      "; give the same");
  }
  if (recipe.unit == "sentencepiece") {
    if (tokenizer_model.empty()) {
      tokenizer_model = ModelDirectory(directory).file(kTokenizerModel);
    } else if (make_tokenizer({.unit = recipe.unit, .model = tokenizer_model})->model() !=
               model.tokenizer().model()) {
      throw ConfigError("init-from: " + directory + " has another tokenizer.model than " +
                        tokenizer_model + "; give its own as --tokenizer-model, or none");
    }
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

std::vector<std::string> take_encoder(TensorList& values, const LanguageModel& model,
                                      const std::string& directory) {
  std::vector<std::string> taken;
  const std::string head = model.network().head().name + "/";
  for (const NamedTensor& theirs : model.parameters()) {
    if (theirs.name.starts_with(head)) continue;
    const std::string name = theirs.name == "embedding/embeddings" ? kWordTable : theirs.name;
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
    taken.push_back(name);
  }
  return taken;
}

std::map<std::string, std::int64_t> gradual_unfreezing(const std::vector<std::string>& names,
                                                       std::int64_t epochs) {
  std::map<std::string, std::int64_t> frozen;
  std::int64_t layer = 0;
  std::string_view last;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    const std::string_view own = std::string_view(*name).substr(0, name->rfind('/'));
    if (own != last) ++layer;
    last = own;
    frozen[*name] = layer * epochs;
  }
  return frozen;
}

std::string take_vectors(TensorList& values, const std::string& table, const std::string& path,
                         const Vocabulary& vocabulary) {
  const std::size_t place = values.find(table);
  if (place == values.size()) {
    throw ConfigError("vectors: the network has no table " + table + " to put them into");
  }
  const Index theirs = vectors_width(path), ours = values[place].shape()[1];
  if (theirs != ours) {
    throw ConfigError("vectors: those of " + path + " are " + std::to_string(theirs) +
                      " numbers wide, the embedding " + std::to_string(ours) +
                      "; give --embedding " + std::to_string(theirs));
  }
  const VectorsReport report = load_vectors(path, vocabulary, values[place]);
  return path + ": " + std::to_string(report.vectors) + " vectors, " + std::to_string(report.used) +
         " for the " + std::to_string(vocabulary.size()) + " types of the vocabulary";
}

}  // namespace rnn
