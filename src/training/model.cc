#include "rnn/model.h"

#include <algorithm>
#include <vector>

#include "base/require.h"
#include "rnn/model_file.h"
#include "training/model_impl.h"

namespace rnn {

Model::Model(Network network) : impl_(new Impl{.network = std::move(network)}) {}
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;

void Model::compile(const CompileOptions& options) {
  validate(options.optimizer);
  options.schedule.validate();
  require(options.clip_norm >= 0, "clip_norm", "at least 0", options.clip_norm);
  require(options.clip_value >= 0, "clip_value", "at least 0", options.clip_value);
  require(options.gradient_accumulation_steps >= 1, "gradient_accumulation_steps", "at least 1",
          options.gradient_accumulation_steps);
  options.averaging.validate();
  auto backend = make_backend(options.backend);
  Impl& m = *impl_;
  m.session.reset();
  m.inference.reset();
  m.plan.reset();
  // What one optimiser remembers would mislead another.
  m.optimizer_state = {};
  m.saved_as.clear();
  m.forget_averages();
  m.options = options;
  m.backend = std::move(backend);
  if (m.parameters.size() == 0) {
    m.parameters = m.network.initial_parameters(options.seed, *m.backend);
  }
}

void Model::Impl::require_compiled() const {
  if (!backend) throw ConfigError("Model: call compile() first");
}

Inference& Model::Impl::infer() {
  require_compiled();
  const Parameters& wanted = best_parameters();
  if (!inference || inferred != &wanted) {
    // Alone it keeps weights packed from call to call; in training they change all the time.
    inference = fitting && session ? std::make_unique<Inference>(*session, wanted)
                                   : std::make_unique<Inference>(network, wanted, backend);
    inferred = &wanted;
    inference->observe(observer);
  }
  return *inference;
}

void Model::Impl::forget_averages() {
  inference.reset();
  averages = {};
}

Session& Model::Impl::train() {
  require_compiled();
  if (!session) {
    session = std::make_unique<Session>(network, parameters, backend,
                                        SessionOptions{.seed = options.seed});
    session->observe(observer);
    inference.reset();  // the next one shares the session's memory
  }
  return *session;
}

const MemoryPlan& Model::Impl::plan_training() {
  const auto bytes_of = [](const TensorList& tensors) {
    return static_cast<std::size_t>(tensors.elements()) * sizeof(float);
  };
  const std::size_t bytes = bytes_of(parameters), gradients = bytes_of(session->gradients());
  const bool averages_too = options.averaging.kind != Averaging::Kind::kNone;
  return plan.emplace(MemoryPlan{.parameters = bytes,
                                 .gradients = gradients,
                                 .optimizer = gradients * slots_of(options.optimizer),
                                 .averages = averages_too ? bytes : 0,
                                 .activations = session->memory()});
}

MemoryPlan Model::plan_training(Index time, Index batch) {
  Session& session = impl_->train();
  session.reserve(time, batch);
  return impl_->plan_training();
}

MemoryPlan Model::plan_training(BatchSource& data) {
  Session& session = impl_->train();
  const BatchSource::Position before = data.position();
  data.seek({});
  Batch batch;
  // Reserving is a walk through the network: worth it where a batch is larger in some way than all
  // before it.
  std::vector<std::size_t> largest, sizes;
  while (data.next(batch)) {
    sizes = {static_cast<std::size_t>(batch.time), static_cast<std::size_t>(batch.batch),
             static_cast<std::size_t>(batch.time * batch.batch)};
    for (const BatchInput& other : batch.other_inputs) {
      sizes.push_back(other.ids.size());
      sizes.push_back(static_cast<std::size_t>(other.values.size()));
    }
    largest.resize(std::max(largest.size(), sizes.size()), 0);
    bool is_larger = false;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      is_larger = is_larger || sizes[i] > largest[i];
      largest[i] = std::max(largest[i], sizes[i]);
    }
    if (is_larger) session.reserve(batch);
  }
  data.seek(before);
  return impl_->plan_training();
}

LossSum Model::evaluate(BatchSource& data, StatePolicy policy) {
  return impl_->infer().evaluate(data, policy);
}

View<const float> Model::predict(const Batch& batch) {
  Inference& inference = impl_->infer();
  State state = impl_->network.zero_state(batch.batch, *impl_->backend);
  return inference.predict(batch, state);
}

void Model::observe(Observer observer) {
  if (impl_->session) impl_->session->observe(observer);
  if (impl_->inference) impl_->inference->observe(observer);
  impl_->observer = std::move(observer);
}

void Model::stop(std::string reason) {
  impl_->stopping = true;
  impl_->stop_reason = std::move(reason);
}

const std::string& Model::stopped() const { return impl_->stop_reason; }
const Network& Model::network() const { return impl_->network; }
const std::shared_ptr<const Backend>& Model::backend() const { return impl_->backend; }
const Parameters& Model::parameters() const { return impl_->best_parameters(); }
const Parameters& Model::trained_parameters() const { return impl_->parameters; }
const History& Model::history() const { return impl_->history; }

void Model::set_parameters(const TensorList& values, std::string_view where) {
  impl_->require_compiled();
  assign_tensors(impl_->parameters, values, where);
  impl_->parameters.changed();
  impl_->forget_averages();
  impl_->saved_as.clear();
}

Model Model::clone() const {
  Model copy(impl_->network);
  if (impl_->backend) copy.compile(impl_->options);
  return copy;
}

}  // namespace rnn
