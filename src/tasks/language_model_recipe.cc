#include "tasks/language_model_recipe.h"

#include <algorithm>
#include <cmath>

#include "base/number_list.h"
#include "base/require.h"
#include "rnn/error.h"
#include "tasks/network_fit.h"
#include "tasks/optimization.h"

namespace rnn {
namespace {

/// What describes a network, unless the recipe has one as JSON.
void exchange_described_network(Fields& fields, LanguageModelRecipe& r) {
  fields("cell", r.cell);
  fields("embedding", r.embedding);
  fields("hidden", r.hidden);
  fields("layers", r.layers);
  fields("tie", r.tie);
  fields("dropout", r.dropout);
  fields("dropout_input", r.dropout_input);
  fields("dropout_hidden", r.dropout_hidden);
  fields("dropout_output", r.dropout_output);
  fields("dropout_shared", r.dropout_shared);
  fields("dropout_embedding", r.dropout_embedding);
  fields("dropout_recurrent", r.dropout_recurrent);
  fields("weight_drop", r.weight_drop);
  fields("ar", r.ar);
  fields("tar", r.tar);
  fields.choice("softmax", r.softmax, {"full", "adaptive", "sampled"});
  fields("softmax_cutoffs", r.softmax_cutoffs);
  fields("softmax_samples", r.softmax_samples);
  fields("label_smoothing", r.label_smoothing);
  fields("init", r.init);
  fields("forget_bias", r.forget_bias);
}

}  // namespace

void LanguageModelRecipe::exchange(Fields& fields) {
  fields("unit", unit);
  fields("locale", locale);
  fields("pattern", pattern);
  fields("min_count", min_count);
  fields("max_vocabulary", max_vocabulary);
  fields("replace_invalid", replace_invalid);
  PrefixedFields normalize_fields(fields, "normalize");
  normalize.exchange(normalize_fields);
  fields("sentencepiece_size", sentencepiece_size);
  fields("sentencepiece_kind", sentencepiece_kind);
  fields("sentencepiece_coverage", sentencepiece_coverage);
  fields("sentencepiece_nbest", sentencepiece_nbest);
  fields("sentencepiece_alpha", sentencepiece_alpha);
  exchange_described_network(fields, *this);
  fields("network", network);
  fields("epochs", epochs);
  fields("batch", batch);
  fields("bptt", bptt);
  fields("random_bptt", random_bptt);
  exchange_optimization(fields, *this);
}

namespace {

void validate_regularization(const LanguageModelRecipe& r) {
  const auto require_rate = [](float rate, const char* option) {
    require(rate >= 0 && rate < 1, option, "at least 0 and below 1", rate);
  };
  require_rate(r.dropout, "dropout");
  require_rate(r.dropout_embedding, "dropout-embedding");
  require_rate(r.dropout_recurrent, "dropout-recurrent");
  require_rate(r.weight_drop, "weight-drop");
  require_rate(r.label_smoothing, "label-smoothing");
  for (const auto& [rate, option] : {std::pair{r.dropout_input, "dropout-input"},
                                     {r.dropout_hidden, "dropout-hidden"},
                                     {r.dropout_output, "dropout-output"}}) {
    require(rate < 1 && std::isfinite(rate), option, "below 1; below 0: as --dropout", rate);
  }
  require(r.ar >= 0 && std::isfinite(r.ar), "ar", "at least 0 and finite", r.ar);
  require(r.tar >= 0 && std::isfinite(r.tar), "tar", "at least 0 and finite", r.tar);
}

void validate_softmax(const LanguageModelRecipe& r) {
  const bool adaptive = r.softmax == SoftmaxKind::kAdaptive;
  if (adaptive && r.tie) {
    throw ConfigError("tie: the adaptive softmax has tables of its own; leave out one of the two");
  }
  if (!adaptive && !numbers_of(r.softmax_cutoffs, "softmax-cutoffs").empty()) {
    throw ConfigError("softmax-cutoffs: belongs to --softmax adaptive");
  }
  require(r.softmax_samples >= 1, "softmax-samples", "at least 1", r.softmax_samples);
  if (r.label_smoothing > 0 && r.softmax != SoftmaxKind::kFull) {
    throw ConfigError("label-smoothing: belongs to --softmax full");
  }
}

}  // namespace

void validate(const LanguageModelRecipe& r) {
  require(r.min_count >= 1, "min-count", "at least 1", r.min_count);
  require(r.max_vocabulary == 0 || r.max_vocabulary >= 3, "max-vocabulary", "0 or at least 3",
          r.max_vocabulary);
  require(r.sentencepiece_nbest >= 1 && r.sentencepiece_nbest <= 1000, "sentencepiece-nbest",
          "1 to 1000", r.sentencepiece_nbest);
  require(r.sentencepiece_alpha >= 0 && std::isfinite(r.sentencepiece_alpha), "sentencepiece-alpha",
          "at least 0 and finite", r.sentencepiece_alpha);
  if (r.sentencepiece_nbest > 1 && r.unit != "sentencepiece") {
    throw ConfigError("sentencepiece-nbest: only the unit sentencepiece has several segmentations");
  }
  if (r.unit == "sentencepiece" && (r.min_count != 1 || r.max_vocabulary != 0)) {
    throw ConfigError(
        "min-count, max-vocabulary: the unit sentencepiece brings its vocabulary; "
        "--sentencepiece-size sets its size");
  }
  if (r.cell != "lstm" && r.cell != "gru" && r.cell != "gru-reset-before" && r.cell != "rnn" &&
      r.cell != "rnn-relu") {
    throw ConfigError("cell: expected lstm, gru, gru-reset-before, rnn or rnn-relu, got '" +
                      r.cell + "'");
  }
  require(r.hidden >= 1 && r.hidden <= 65536, "hidden", "1 to 65536", r.hidden);
  require(r.embedding >= 0 && r.embedding <= 65536, "embedding", "0 to 65536", r.embedding);
  require(r.layers >= 1 && r.layers <= 64, "layers", "1 to 64", r.layers);
  validate_regularization(r);
  validate_softmax(r);
  if (!r.network.empty()) require_undescribed(r, exchange_described_network);
  require(r.init >= 0 && r.init <= 100, "init", "0 to 100", r.init);
  require(std::abs(r.forget_bias) <= 100, "forget-bias", "-100 to 100", r.forget_bias);
  require(r.bptt >= 1 && r.bptt <= 65536, "bptt", "1 to 65536", r.bptt);
  if (r.tie && r.layers == 1 && r.embedding != 0 && r.embedding != r.hidden) {
    throw ConfigError("tie: the only layer must be as wide as the embedding, got " +
                      std::to_string(r.hidden) + " and " + std::to_string(r.embedding));
  }
  validate_optimization(r);
}

}  // namespace rnn
