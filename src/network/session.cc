#include "rnn/session.h"

#include <cmath>

#include "network/batch_inputs.h"
#include "network/pass.h"
#include "rnn/error.h"

namespace rnn {

struct Inference::Impl {
  const Parameters& parameters;
  std::shared_ptr<Pass> pass;
};

struct Session::Impl {
  const Parameters& parameters;
  std::shared_ptr<Pass> pass;
  TensorList gradients;
  Random seed, step;
  LossSum loss;
};

namespace {

std::shared_ptr<Pass> make_pass(const Network& network, const Parameters& parameters,
                                std::shared_ptr<const Backend> backend) {
  require_parameters(network, parameters);
  return std::make_shared<Pass>(network, std::move(backend));
}

}  // namespace

Inference::Inference(const Network& network, const Parameters& parameters,
                     std::shared_ptr<const Backend> backend)
    : impl_(new Impl{parameters, make_pass(network, parameters, std::move(backend))}) {}
Inference::Inference(Session& session, const Parameters& parameters)
    : impl_(new Impl{parameters, session.impl_->pass}) {
  require_parameters(impl_->pass->network(), parameters);
}
Inference::~Inference() = default;
Inference::Inference(Inference&&) noexcept = default;

LossSum Inference::evaluate(const Batch& batch, State& state) {
  run(batch, state);
  return impl_->pass->loss();
}

LossSum Inference::evaluate(BatchSource& data, StatePolicy policy) {
  LossSum total;
  State state;
  Index rows = -1;
  Batch batch;
  data.seek({});
  while (data.next(batch)) {
    if (rows != batch.batch) {
      state = impl_->pass->network().zero_state(batch.batch, *impl_->pass->backend());
      rows = batch.batch;
    } else if (policy == StatePolicy::kReset) {
      state.fill(0);
    }
    total += evaluate(batch, state);
  }
  return total;
}

View<const float> Inference::nats(std::size_t output) const {
  return impl_->pass->output(output).nats();
}

const std::vector<LossSum>& Inference::losses() const { return impl_->pass->losses(); }

View<const float> Inference::predictions(std::size_t output) {
  return impl_->pass->output(output).predict();
}

HeadInput Inference::head_input(std::size_t output) {
  OutputPass& pass = impl_->pass->output(output);
  return {pass.features(), &pass.call()};
}

void Inference::run(const Batch& batch, State& state) {
  impl_->pass->forward(impl_->parameters, batch, state, false, Random());
}

View<const float> Inference::predict(const Batch& batch, State& state) {
  run(batch, state);
  return predictions();
}

void Inference::observe(Observer observer) { impl_->pass->observe(std::move(observer)); }

Session::Session(const Network& network, const Parameters& parameters,
                 std::shared_ptr<const Backend> backend, const SessionOptions& options)
    : impl_(new Impl{parameters,
                     make_pass(network, parameters, backend),
                     {},
                     Random(options.seed),
                     Random(),
                     {}}) {
  if (backend->precision() == Precision::kInt8) {
    throw ConfigError("precision: training computes in fp32 or bf16, got int8");
  }
  for (const ParameterSpec& spec : network.parameter_specs()) {
    const Shape shape = spec.trainable ? spec.shape : Shape{0};
    impl_->gradients.add(spec.name, Tensor(shape, backend->memory()));
  }
  begin_step(0);
}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;

void Session::begin_step(std::int64_t step) {
  impl_->step = impl_->seed.fold(static_cast<std::uint64_t>(step));
}

LossSum Session::forward(const Batch& batch, State& state) {
  impl_->pass->forward(impl_->parameters, batch, state, true, impl_->step);
  impl_->loss = impl_->pass->loss();
  return impl_->loss;
}

void Session::backward() {
  const double weight = impl_->loss.weight();
  backward(weight > 0 ? 1.0f / static_cast<float>(weight) : 0.0f);
}

void Session::backward(float scale) { impl_->pass->backward(scale, impl_->gradients); }

const std::vector<LossSum>& Session::losses() const { return impl_->pass->losses(); }

void Session::observe(Observer observer) { impl_->pass->observe(std::move(observer)); }

TensorList& Session::gradients() { return impl_->gradients; }

void Session::zero_gradients() {
  for (NamedTensor& gradient : impl_->gradients) impl_->pass->backend()->fill(gradient.tensor, 0);
}

void Session::reserve(Index time, Index batch) {
  reserve(blank_batch(impl_->pass->network(), time, batch));
}

void Session::reserve(const Batch& like) { impl_->pass->reserve(impl_->parameters, like); }

std::size_t Session::memory() const { return impl_->pass->memory(); }

}  // namespace rnn
