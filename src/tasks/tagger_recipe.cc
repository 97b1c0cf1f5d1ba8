// From a recipe to a network.
#include "tasks/tagger_recipe.h"

#include "base/require.h"
#include "rnn/bidirectional.h"
#include "rnn/crf.h"
#include "rnn/dropout.h"
#include "rnn/embedding.h"
#include "rnn/error.h"
#include "rnn/recurrent.h"
#include "rnn/sequential.h"
#include "rnn/softmax.h"
#include "tasks/optimization.h"

namespace rnn {
namespace {

void require_name(std::string_view option, const std::string& given,
                  std::initializer_list<std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) {
    if (given == name) return;
    list += (list.empty() ? "" : ", ") + std::string(name);
  }
  throw ConfigError(std::string(option) + ": expected one of " + list + "; got '" + given + "'");
}

void require_share(std::string_view option, float given) {
  require(given >= 0 && given < 1, option, "at least 0 and below 1", given);
}

AnyLayer recurrent(const std::string& cell, Index units) {
  if (cell == "gru") return GRU({.units = units});
  return LSTM({.units = units});
}

}  // namespace

void TaggerRecipe::exchange(Fields& fields) {
  fields("field", field);
  fields("column", column);
  fields("word_column", word_column);
  fields("scheme", scheme);
  fields("training_scheme", training_scheme);
  fields("lowercase", lowercase);
  fields("fold_digits", fold_digits);
  fields("min_count", min_count);
  fields("char_min_count", char_min_count);
  fields("word_dropout", word_dropout);
  fields("singleton_dropout", singleton_dropout);
  fields("embedding", embedding);
  fields("case_embedding", case_embedding);
  fields("cell", cell);
  fields("hidden", hidden);
  fields("layers", layers);
  fields("dropout", dropout);
  fields("dropout_shared", dropout_shared);
  fields("head", head);
  fields("epochs", epochs);
  fields("batch", batch);
  exchange_optimization(fields, *this);
}

void validate(const TaggerRecipe& r) {
  require_name("scheme", r.scheme, {"auto", "none", "iob1", "bio", "bioes"});
  require_name("training-scheme", r.training_scheme, {"bio", "bioes"});
  require(r.min_count >= 1, "min-count", "at least 1", r.min_count);
  require(r.char_min_count >= 1, "char-min-count", "at least 1", r.char_min_count);
  require_share("word-dropout", r.word_dropout);
  require_share("singleton-dropout", r.singleton_dropout);
  require(r.embedding >= 1 && r.embedding <= 65536, "embedding", "1 to 65536", r.embedding);
  require(r.case_embedding >= 0 && r.case_embedding <= 65536, "case-embedding", "0 to 65536",
          r.case_embedding);
  require_name("cell", r.cell, {"lstm", "gru"});
  require(r.hidden >= 1 && r.hidden <= 65536, "hidden", "1 to 65536", r.hidden);
  require(r.layers >= 1 && r.layers <= 64, "layers", "1 to 64", r.layers);
  require_share("dropout", r.dropout);
  require_name("head", r.head, {"auto", "softmax", "crf"});
  validate_optimization(r);
}

Network tagger_network(const TaggerRecipe& recipe, const TaggerVocabulary& vocabulary,
                       const TaggerLabels& labels) {
  std::vector<Part> parts{
      Embedding({.input_dim = vocabulary.words.size(), .output_dim = recipe.embedding})};
  const auto add_dropout = [&] {
    if (recipe.dropout > 0) {
      parts.emplace_back(
          Dropout({.rate = recipe.dropout, .shared_over_time = recipe.dropout_shared}));
    }
  };
  add_dropout();
  for (int layer = 0; layer < recipe.layers; ++layer) {
    parts.emplace_back(Bidirectional({.layer = recurrent(recipe.cell, recipe.hidden)}));
    add_dropout();
  }
  if (recipe.head == "crf" || (recipe.head == "auto" && labels.entities())) {
    parts.emplace_back(CRF({.units = labels.size(), .forbidden = labels.forbidden()}));
  } else {
    parts.emplace_back(Softmax({.units = labels.size()}));
  }
  return Sequential(parts);
}

}  // namespace rnn
