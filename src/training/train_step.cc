// One update of the parameters: gradients of its batches, clipping, optimiser, averages.
#include <cmath>

#include "base/number.h"
#include "base/require.h"
#include "training/model_impl.h"

namespace rnn {

std::string first_not_finite(const TensorList& tensors, const Backend& backend) {
  for (const NamedTensor& entry : tensors) {
    if (!std::isfinite(backend.sum_of_squares(entry.tensor))) return entry.name;
  }
  return {};
}

std::string Model::Impl::describe_divergence(const StepRecord& record) const {
  const std::string in_parameters = first_bad_parameter();
  const std::string in_gradients = first_not_finite(session->gradients(), *backend);
  std::string where;
  if (!in_parameters.empty()) {
    where = "; first parameter that is not finite: " + in_parameters;
  } else if (!in_gradients.empty()) {
    where = "; first gradient that is not finite: " + in_gradients;
  } else {
    where = "; all parameters and gradients are finite";
  }
  return "training diverged at step " + std::to_string(record.steps) + ": loss " +
         to_text(record.loss.mean()) + ", gradient norm " +
         to_significant(record.gradient_norm, 6) + ", learning rate " +
         to_significant(record.learning_rate, 6) + where;
}

std::string Model::Impl::first_bad_parameter() const {
  std::string bad = first_not_finite(parameters, *backend);
  return bad.empty() ? first_not_finite(averages.values, *backend) : bad;
}

/// Of what moves; not a number where the gradient of something that stands still is none.
double Model::Impl::norm_of(const TensorList& gradients) const {
  double squares = 0;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const double own = backend->sum_of_squares(gradients[i]);
    const bool moves = frozen.empty() || frozen[i] == 0;
    squares += moves || !std::isfinite(own) ? own : 0;
  }
  return std::sqrt(squares);
}

/// Gradients are `unit` times what is in memory, and `norm` is theirs. Cuts elements at once; what
/// the norm asks for is left to the optimiser, as a factor that has the unit in it.
float Model::Impl::clip_gradients(TensorList& gradients, double norm, double unit) const {
  if (options.clip_value > 0) {
    const auto limit = static_cast<float>(options.clip_value / unit);
    for (NamedTensor& gradient : gradients) backend->clip(gradient.tensor, limit);
    if (options.clip_norm > 0) norm = norm_of(gradients) * unit;
  }
  const bool cut = options.clip_norm > 0 && norm > options.clip_norm;
  return static_cast<float>(cut ? options.clip_norm / norm * unit : unit);
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

double Model::Impl::learning_rate(double epochs, double total_epochs,
                                  std::span<const double> validation) const {
  return learning_rate_of(options.optimizer) *
         options.schedule.factor_at({.steps = progress.steps,
                                     .tokens = progress.tokens,
                                     .epochs = epochs,
                                     .total_epochs = total_epochs,
                                     .validation = validation}) *
         std::ldexp(1.0, static_cast<int>(-progress.restored));
}

void Model::Impl::add_gradients(const Batch& batch, StatePolicy policy, LossSum& loss) {
  prepare_state(batch.batch, policy);
  session->begin_step(progress.batches++);
  loss += session->forward(batch, state);
  // Of several batches the sum is made first: how much they weigh together is known at the end.
  if (options.gradient_accumulation_steps == 1) {
    session->backward();
  } else {
    session->backward(1);
  }
}

bool Model::Impl::update(const LossSum& loss, double rate, bool averaging, StepRecord& record) {
  double unit = 1;
  if (options.gradient_accumulation_steps > 1) unit = loss.weight() > 0 ? 1 / loss.weight() : 0;
  record.steps = progress.steps + 1;
  record.loss = loss;
  record.learning_rate = rate;
  record.gradient_norm = norm_of(session->gradients()) * unit;
  if (!std::isfinite(loss.nats) || !std::isfinite(record.gradient_norm)) return false;
  const float scale = clip_gradients(session->gradients(), record.gradient_norm, unit);
  apply(options.optimizer, static_cast<float>(rate), scale, session->gradients(), parameters,
        optimizer_state, *backend, frozen);
  if (averaging) average(options.averaging, parameters, averages, *backend);
  saved_as.clear();
  ++progress.steps;
  progress.tokens += loss.targets;
  progress.learning_rate = rate;
  return true;
}

StepRecord Model::train_on_batch(const Batch& batch, StatePolicy policy) {
  Impl& m = *impl_;
  Session& session = m.train();
  const std::vector<double> validation = m.history.validation_losses();
  const double rate =
      m.learning_rate(static_cast<double>(m.progress.position.epoch), 1, validation);
  const bool averaging = m.options.averaging.begun(m.progress.position.epoch, validation);
  session.zero_gradients();
  LossSum loss;
  m.add_gradients(batch, policy, loss);
  StepRecord record{.epoch = m.progress.position.epoch + 1};
  if (!m.update(loss, rate, averaging, record)) {
    throw DivergenceError(m.describe_divergence(record) +
                          "; try a smaller learning rate or stronger clipping");
  }
  return record;
}

}  // namespace rnn
