// The training loop.
#include <chrono>
#include <cmath>

#include "base/require.h"
#include "rnn/error.h"
#include "training/model_impl.h"

namespace rnn {
namespace {

/// Name of the first tensor with an element that is not finite; empty when all are.
std::string first_not_finite(const TensorList& tensors, const Backend& backend) {
  for (const NamedTensor& entry : tensors) {
    if (!std::isfinite(backend.sum_of_squares(entry.tensor))) return entry.name;
  }
  return {};
}

class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace

void Model::Impl::diverged(double loss, double norm, double rate) const {
  const std::string in_parameters = first_not_finite(parameters, *backend);
  const std::string in_gradients = first_not_finite(session->gradients(), *backend);
  std::string where;
  if (!in_parameters.empty()) {
    where = "; first parameter that is not finite: " + in_parameters;
  } else if (!in_gradients.empty()) {
    where = "; first gradient that is not finite: " + in_gradients;
  }
  throw DivergenceError("training diverged at step " + std::to_string(progress.steps + 1) +
                        ": loss " + to_text(loss) + ", gradient norm " + to_text(norm) +
                        ", learning rate " + to_text(rate) + where +
                        "; try a smaller learning rate or stronger clipping");
}

double Model::Impl::norm_of(const TensorList& gradients) const {
  double squares = 0;
  for (const NamedTensor& gradient : gradients) {
    squares += backend->sum_of_squares(gradient.tensor);
  }
  return std::sqrt(squares);
}

/// Cuts elements at once; what the norm asks for is left to the optimiser, as a factor.
float Model::Impl::clip_gradients(TensorList& gradients, double norm) const {
  if (options.clip_value > 0) {
    for (NamedTensor& gradient : gradients) backend->clip(gradient.tensor, options.clip_value);
    if (options.clip_norm > 0) norm = norm_of(gradients);
  }
  const bool cut = options.clip_norm > 0 && norm > options.clip_norm;
  return cut ? static_cast<float>(options.clip_norm / norm) : 1.0f;
}

/// The state a batch begins with. Keeps its memory when the number of sequences changes.
void Model::Impl::prepare_state(Index batch, StatePolicy policy) {
  if (state.size() == 0) state = network.zero_state(batch, *backend);
  for (NamedTensor& part : state) {
    const bool other_rows = part.tensor.extent(0) != batch;
    if (other_rows) part.tensor.resize({batch, part.tensor.extent(1)});
    if (other_rows || policy == StatePolicy::kReset) part.tensor.fill(0);
  }
}

void Model::Impl::train_step(const Batch& batch, const FitOptions& fit, double position_in_epoch,
                             std::span<const double> validation, StepRecord& record) {
  prepare_state(batch.batch, fit.state);
  const double rate =
      learning_rate_of(options.optimizer) *
      options.schedule.factor_at(
          {.steps = progress.steps,
           .tokens = progress.tokens,
           .epochs = static_cast<double>(progress.position.epoch) + position_in_epoch,
           .total_epochs = static_cast<double>(fit.epochs),
           .validation = validation});
  session->begin_step(progress.steps);
  session->zero_gradients();
  record.loss = session->forward(batch, state);
  session->backward();
  record.gradient_norm = norm_of(session->gradients());
  record.learning_rate = rate;
  if (!std::isfinite(record.loss.nats) || !std::isfinite(record.gradient_norm)) {
    diverged(record.loss.mean(), record.gradient_norm, rate);
  }
  const float scale = clip_gradients(session->gradients(), record.gradient_norm);
  apply(options.optimizer, static_cast<float>(rate), scale, session->gradients(), parameters,
        optimizer_state, *backend);
}

const History& Model::fit(BatchSource& data, const FitOptions& fit) {
  Impl& m = *impl_;
  m.train();
  require(fit.epochs >= 0, "epochs", "at least 0", fit.epochs);
  TrainingProgress& progress = m.progress;
  m.stopping = false;
  m.stop_reason.clear();
  for (Callback* callback : fit.callbacks) callback->on_train_begin(*this);

  Batch batch;
  while (progress.position.epoch < fit.epochs && !m.stopping) {
    Stopwatch watch;
    data.seek(progress.position);
    if (progress.position.batch == 0) {
      m.state = State();
      progress.epoch_loss = {};
      progress.epoch_norms = progress.epoch_seconds = 0;
    }
    StepRecord record{.epoch = progress.position.epoch + 1, .epochs = fit.epochs};
    const std::vector<double> validation = m.history.validation_losses();
    while (!m.stopping && data.next(batch)) {
      record.batches = data.batches_per_epoch().value_or(0);
      const double in_epoch = record.batches > 0 ? static_cast<double>(progress.position.batch) /
                                                       static_cast<double>(record.batches)
                                                 : 0;
      m.train_step(batch, fit, in_epoch, validation, record);
      ++progress.steps;
      ++progress.position.batch;
      progress.tokens += record.loss.targets;
      progress.epoch_loss += record.loss;
      progress.learning_rate = record.learning_rate;
      progress.epoch_norms += record.gradient_norm;
      progress.epoch_seconds += watch.lap();
      record.batch = progress.position.batch;
      record.steps = progress.steps;
      record.epoch_loss = progress.epoch_loss;
      for (Callback* callback : fit.callbacks) callback->on_step_end(*this, record);
    }
    if (m.stopping) break;
    if (progress.position.batch == 0) throw TextError("fit: the data gave no batch");

    EpochRecord epoch{
        .epoch = record.epoch,
        .steps = progress.steps,
        .tokens = progress.tokens,
        .learning_rate = progress.learning_rate,
        .gradient_norm = progress.epoch_norms / static_cast<double>(progress.position.batch),
        .train = progress.epoch_loss,
        .seconds = progress.epoch_seconds};
    if (fit.validation) {
      epoch.validation = evaluate(*fit.validation, fit.state);
      if (!std::isfinite(epoch.validation->nats)) {
        throw DivergenceError("training diverged: the validation after epoch " +
                              to_text(epoch.epoch) + " gave the loss " +
                              to_text(epoch.validation->mean()) + ", learning rate " +
                              to_text(epoch.learning_rate) + "; try a smaller learning rate");
      }
    }
    if (fit.metric) epoch.metric = fit.metric(*this);
    m.history.epochs.push_back(epoch);
    progress.position = {progress.position.epoch + 1, 0};
    for (Callback* callback : fit.callbacks) callback->on_epoch_end(*this, m.history);
  }
  if (progress.position.epoch >= fit.epochs) m.stop_reason.clear();  // nothing was left to stop
  for (Callback* callback : fit.callbacks) callback->on_train_end(*this, m.history);
  return m.history;
}

}  // namespace rnn
