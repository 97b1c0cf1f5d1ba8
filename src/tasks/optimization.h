// How weights are learned: the part that the recipes of all tasks have in common.
#pragma once

#include <cmath>
#include <string>

#include "base/prefixed_fields.h"
#include "base/require.h"
#include "rnn/model.h"

namespace rnn {

/// Throws ConfigError for an unknown name.
Optimizer make_optimizer(const std::string& name, float lr, float momentum, float weight_decay);

template <class Recipe>
Optimizer optimizer_of(const Recipe& r) {
  return make_optimizer(r.optimizer, r.lr, r.momentum, r.weight_decay);
}

template <class Recipe>
void exchange_optimization(Fields& fields, Recipe& r) {
  fields("optimizer", r.optimizer);
  fields("lr", r.lr);
  fields("momentum", r.momentum);
  fields("weight_decay", r.weight_decay);
  fields("clip", r.clip);
  fields("clip_value", r.clip_value);
  PrefixedFields schedule_fields(fields, "schedule");
  r.schedule.exchange(schedule_fields);
  fields("accumulate", r.accumulate);
  PrefixedFields averaging_fields(fields, "averaging");
  r.averaging.exchange(averaging_fields);
  fields.choice("on_divergence", r.on_divergence, {"stop", "skip", "restore"});
  fields("early_stopping", r.early_stopping);
  fields("seed", r.seed);
  fields.choice("precision", r.precision, {"fp32", "bf16", "int8"});
}

/// The backend of a run, which computes in the recipe's precision.
template <class Recipe>
BackendOptions backend_of(const Recipe& recipe, BackendOptions run) {
  run.precision = recipe.precision;
  return run;
}

/// How a model of the recipe is trained.
template <class Recipe>
CompileOptions compile_options(const Recipe& r, const BackendOptions& run) {
  return {.optimizer = optimizer_of(r),
          .schedule = r.schedule,
          .clip_norm = r.clip,
          .clip_value = r.clip_value,
          .gradient_accumulation_steps = r.accumulate,
          .averaging = r.averaging,
          .on_divergence = r.on_divergence,
          .seed = static_cast<std::uint64_t>(r.seed),
          .backend = backend_of(r, run)};
}

/// Throws ConfigError, naming the option.
template <class Recipe>
void validate_optimization(const Recipe& r) {
  require(r.epochs >= 1, "epochs", "at least 1", r.epochs);
  require(r.batch >= 1 && r.batch <= 65536, "batch", "1 to 65536", r.batch);
  require(r.clip >= 0, "clip", "at least 0", r.clip);
  require(r.clip_value >= 0, "clip-value", "at least 0", r.clip_value);
  require(r.lr > 0 && std::isfinite(r.lr), "lr", "more than 0 and finite", r.lr);
  require(r.momentum >= 0 && r.momentum < 1, "momentum", "at least 0 and below 1", r.momentum);
  require(r.weight_decay >= 0 && std::isfinite(r.weight_decay), "weight-decay",
          "at least 0 and finite", r.weight_decay);
  if (r.precision == Precision::kInt8) {
    throw ConfigError("precision: training computes in fp32 or bf16, got int8");
  }
  r.schedule.validate();
  require(r.accumulate >= 1 && r.accumulate <= 65536, "accumulate", "1 to 65536", r.accumulate);
  r.averaging.validate();
  if (r.averaging.kind == Averaging::Kind::kAsgd) {
    require(r.averaging.start < r.epochs, "averaging-start",
            "less than the epochs, which are " + to_text(r.epochs) + ", for averaging to begin",
            r.averaging.start);
  }
  validate(optimizer_of(r));
}

}  // namespace rnn
