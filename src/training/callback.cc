#include "rnn/callback.h"

#include <limits>

#include "base/file.h"
#include "base/require.h"
#include "rnn/model.h"

namespace rnn {

EarlyStopping::EarlyStopping(const EarlyStoppingOptions& options) : options_(options) {
  require(options.patience >= 0, "EarlyStopping patience", "at least 0", options.patience);
  require(options.min_delta >= 0, "EarlyStopping min_delta", "at least 0", options.min_delta);
}

// Also at the beginning: a training that had stopped early does not go on when it is resumed.
void EarlyStopping::on_train_begin(Model& model) { on_epoch_end(model, model.history()); }

void EarlyStopping::on_epoch_end(Model& model, const History& history) {
  // Counted anew from the history each time, so that a resumed training stops at the same epoch.
  double best = std::numeric_limits<double>::infinity();
  int without_gain = 0;
  for (double loss : history.costs()) {
    if (loss < best - options_.min_delta) {
      best = loss;
      without_gain = 0;
    } else {
      ++without_gain;
    }
  }
  if (without_gain > options_.patience) {
    model.stop("no better validation in " + std::to_string(without_gain) + " epochs");
  }
}

BestModel::BestModel(Save save) : save_(std::move(save)) {}

void BestModel::on_train_begin(Model& model) {
  const EpochRecord* best = model.history().best();
  best_ = best ? cost_of(*best) : std::numeric_limits<double>::infinity();
}

void BestModel::on_epoch_end(Model& model, const History& history) {
  const EpochRecord& newest = history.epochs.back();
  if (history.best() != &newest || cost_of(newest) > best_) return;
  best_ = cost_of(newest);
  save_(model, history);
}

CsvHistory::CsvHistory(std::string path) : path_(std::move(path)) {}

void CsvHistory::on_epoch_end(Model&, const History& history) {
  write_file(path_, history.to_csv());
}

JsonLinesHistory::JsonLinesHistory(std::string path) : path_(std::move(path)) {}

void JsonLinesHistory::on_epoch_end(Model&, const History& history) {
  write_file(path_, history.to_json_lines());
}

OnEpoch::OnEpoch(Function function) : function_(std::move(function)) {}

void OnEpoch::on_epoch_end(Model& model, const History& history) { function_(model, history); }

OnStep::OnStep(Function function) : function_(std::move(function)) {}

void OnStep::on_step_end(Model& model, const StepRecord& record) { function_(model, record); }

TimeLimit::TimeLimit(double seconds) : seconds_(seconds) {
  require(seconds > 0, "TimeLimit seconds", "more than 0", seconds);
}

void TimeLimit::on_train_begin(Model&) { start_ = std::chrono::steady_clock::now(); }

void TimeLimit::on_step_end(Model& model, const StepRecord&) {
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
  if (spent.count() >= seconds_) {
    model.stop("the time limit of " + to_text(seconds_) + " s is reached");
  }
}

}  // namespace rnn
