#include "network/tape.h"

#include <algorithm>

namespace rnn {

void Tape::set_modules(std::vector<TapeModule> modules) { modules_ = std::move(modules); }

const TapeModule& Tape::module(std::string_view name) const {
  std::string known;
  for (const TapeModule& module : modules_) {
    if (module.name == name) return module;
    known += " " + module.name;
  }
  throw ConfigError("tape: there is no layer '" + std::string(name) + "'; there are:" + known);
}

void Tape::begin(const TapeStep& step) {
  step_ = step;
  used_records_ = used_values_ = 0;
  last_calls_.assign(modules_.size(), nullptr);
  went_back_ = false;
}

TapeValue Tape::input(Sequence sequence, bool needs_gradient) {
  if (!step_.backend) throw ConfigError("tape: begin a step before values are made");
  if (went_back_) throw ConfigError("tape: the step is over after backward; begin the next one");
  if (used_values_ == values_.size()) values_.emplace_back(memory_);
  Value& value = values_[used_values_];
  value.sequence = sequence;
  value.needs_gradient = needs_gradient;
  value.gradient = {};
  return TapeValue(used_values_++);
}

const Tape::Value& Tape::value(TapeValue handle) const {
  if (handle.number_ >= used_values_) {
    throw ConfigError("tape: a value was used that is not of this step");
  }
  return values_[handle.number_];
}

Tape::Record& Tape::record(Back back, std::span<const TapeValue> inputs) {
  if (used_records_ == records_.size()) {
    records_.push_back(std::make_unique<Record>());
    records_.back()->memory = CallMemory(memory_);
  }
  Record& record = *records_[used_records_++];
  record.back = back;
  record.module = nullptr;
  record.before = record.after = nullptr;
  record.walked = false;
  record.inputs.clear();
  record.sequences.clear();
  for (const TapeValue& input : inputs) {
    record.sequences.push_back(value(input).sequence);
    record.inputs.push_back(input.number_);
  }
  record.dinputs.assign(inputs.size(), {});
  return record;
}

TapeValue Tape::emit(Record& record, const Sequence& sequence, bool needs_gradient) {
  record.output = used_values_;
  return input(sequence, needs_gradient);
}

TapeValue Tape::emit(Record& record, const Sequence& sequence) {
  return emit(record, sequence,
              std::any_of(record.inputs.begin(), record.inputs.end(),
                          [&](std::size_t input) { return values_[input].needs_gradient; }));
}

/// The state of this call: where the layer's last call in this step ended, or that of the step.
void Tape::bind_states(Record& record) {
  const TapeModule& module = *record.module;
  const auto tensor = [this](std::vector<Tensor>& tensors, std::size_t s) -> Tensor& {
    while (tensors.size() <= s) tensors.emplace_back(memory_);
    return tensors[s];
  };
  record.state.clear();
  record.new_state.clear();
  for (std::size_t s = 0; s < module.states(); ++s) {
    const std::size_t place = module.first_state + s;
    View<const float> from;
    if (record.before) {
      from = record.before->new_state[s];
    } else if (!step_.state.empty()) {
      from = step_.state[place];
    }
    const Shape wanted{record.sequences[0].batch(), module.state_widths[s]};
    if (from && from.shape() != wanted) {
      throw ShapeError("layer '" + module.name + "': expected a state " + wanted.to_string() +
                       ", got " + from.shape().to_string());
    }
    if (from) {  // a copy: the place may be written by this very call, and backward needs it
      Tensor& before = tensor(record.state_before, s);
      before.resize(from.shape());
      std::copy(from.begin(), from.end(), before.view().begin());
      record.state.push_back(before);
    }
    if (!step_.new_state.empty() && step_.new_state[place]) {
      record.new_state.push_back(step_.new_state[place]);
    } else {
      Tensor& after = tensor(record.state_after, s);
      after.resize({record.sequences[0].batch(), module.state_widths[s]});
      record.new_state.push_back(after);
    }
  }
}

TapeValue Tape::call(const TapeModule& module, std::span<const TapeValue> inputs) {
  if (inputs.size() != module.inputs.size()) {
    throw ShapeError("layer '" + module.name + "': expected " +
                     std::to_string(module.inputs.size()) + " inputs, got " +
                     std::to_string(inputs.size()));
  }
  const std::string_view type = module.layer ? module.layer->type() : module.joint->type();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Sequence& x = value(inputs[i]).sequence;
    in_layer(module.name, type, [&] { require_signal(module.inputs[i], x); });
    // Row numbers pick from another input's sequences.
    const bool picks = module.inputs[i].kind == Signal::Kind::kRows ||
                       module.inputs[0].kind == Signal::Kind::kRows;
    if (!picks && x.batch() != value(inputs[0]).sequence.batch()) {
      throw ShapeError("layer '" + module.name + "': its inputs are of " +
                       std::to_string(value(inputs[0]).sequence.batch()) + " and of " +
                       std::to_string(x.batch()) + " sequences");
    }
  }
  Record& record = this->record(back_call, inputs);
  record.module = &module;
  Record*& last = last_calls_[static_cast<std::size_t>(&module - modules_.data())];
  std::uint64_t calls_before = 0;
  for (const Record* r = last; r; r = r->before) ++calls_before;
  record.before = last;
  if (last) last->after = &record;
  last = &record;

  Random random = step_.random.fold(module.key);
  if (calls_before > 0) random = random.fold(calls_before);
  record.parameters.clear();
  for (std::size_t position : module.parameters) {
    record.parameters.push_back(step_.parameters[position]);
  }
  record.call = {.backend = step_.backend,
                 .memory = &record.memory,
                 .training = step_.training,
                 .random = random,
                 .weights_version = step_.weights_version,
                 .shared_scratch = step_.shared_scratch,
                 .parameters = record.parameters};
  bind_states(record);
  record.call.state = record.state;
  record.call.new_state = record.new_state;
  const Sequence result = in_layer(module.name, type, [&] {
    return module.layer ? module.layer->forward(record.sequences[0], record.call)
                        : module.joint->forward(record.sequences, record.call);
  });
  require_result(module.name, type, record.sequences.back(), result, -1);
  const bool needs = !module.parameters.empty() ||
                     std::any_of(record.inputs.begin(), record.inputs.end(),
                                 [&](std::size_t i) { return values_[i].needs_gradient; });
  return emit(record, result, needs);
}

void Tape::finish_states() {
  for (std::size_t m = 0; m < modules_.size() && !step_.state.empty(); ++m) {
    if (last_calls_[m]) continue;
    for (std::size_t s = 0; s < modules_[m].states(); ++s) {
      const std::size_t place = modules_[m].first_state + s;
      if (!step_.new_state[place]) continue;
      std::copy(step_.state[place].begin(), step_.state[place].end(),
                step_.new_state[place].begin());
    }
  }
}

void Tape::add_gradient(std::size_t number, View<const float> gradient) {
  Value& value = values_[number];
  if (!value.needs_gradient || !gradient) return;
  if (!value.gradient) {
    value.gradient = gradient;
    return;
  }
  const View<const float> before = value.gradient;
  if (before.data() != value.sum.data()) value.sum.resize(before.shape());
  step_.backend->merge_forward({.merge = Merge::kSum,
                                .a = before,
                                .b = gradient,
                                .lengths = value.sequence.lengths,
                                .y = value.sum});
  value.gradient = value.sum;
}

void Tape::back_call(Tape& tape, Record& record) {
  const TapeModule& module = *record.module;
  const TapeGradients& all = tape.gradients_;
  record.gradients.clear();
  for (std::size_t position : module.parameters) {
    record.gradients.push_back(all.parameters[position]);
  }
  record.call.gradients = record.gradients;
  record.call.loss_scale = all.loss_scale;
  record.call.dnew_state = {};
  record.call.dstate = {};
  if (record.after && record.after->walked) {
    record.call.dnew_state = record.after->dstate_given;
  } else if (!record.after && !all.dnew_state.empty()) {
    record.call.dnew_state = all.dnew_state.subspan(module.first_state, module.states());
  }
  record.dstate.clear();
  if (record.before) {
    while (record.dstate_tensors.size() < module.states()) {
      record.dstate_tensors.emplace_back(tape.memory_);
    }
    for (std::size_t s = 0; s < module.states(); ++s) {
      record.dstate_tensors[s].resize(record.state_before[s].shape());
      record.dstate.push_back(record.dstate_tensors[s]);
    }
  } else if (!all.dstate.empty()) {
    for (std::size_t s = 0; s < module.states(); ++s) {
      record.dstate.push_back(all.dstate[module.first_state + s]);
    }
  }
  record.call.dstate = record.dstate;
  record.dstate_given.assign(record.dstate.begin(), record.dstate.end());
  record.call.wants_dx =
      std::any_of(record.inputs.begin(), record.inputs.end(),
                  [&](std::size_t input) { return tape.values_[input].needs_gradient; });
  const View<const float> dy = tape.values_[record.output].gradient;
  if (module.layer) {
    record.dinputs[0] = module.layer->backward(record.sequences[0], dy, record.call);
  } else {
    module.joint->backward(record.sequences, dy, record.call, record.dinputs);
  }
  for (std::size_t i = 0; i < record.inputs.size(); ++i) {
    tape.add_gradient(record.inputs[i], record.dinputs[i]);
  }
}

/// The gradient to begin with, copied: whatever stands in its padding must not go on.
void Tape::take_gradient(Value& value, View<const float> dy) {
  if (!value.needs_gradient) {
    throw ConfigError("tape: backward from a value that depends on no parameter and no input");
  }
  value.sum.resize(dy.shape());
  step_.backend->merge_forward({.a = dy, .lengths = value.sequence.lengths, .y = value.sum});
  value.gradient = value.sum;
}

void Tape::backward(TapeValue from, View<const float> dy, const TapeGradients& gradients) {
  const Value& start = value(from);
  if (!step_.training || went_back_) {
    throw ConfigError("tape: backward needs a forward in training before it, once for each step");
  }
  if (dy.shape() != start.sequence.values.shape()) {
    throw ShapeError("tape: the gradient must be " + start.sequence.values.shape().to_string() +
                     " as the value, got " + dy.shape().to_string());
  }
  went_back_ = true;
  gradients_ = gradients;
  for (std::size_t i = 0; i < used_values_; ++i) values_[i].gradient = {};
  take_gradient(values_[from.number_], dy);
  for (std::size_t i = used_records_; i-- > 0;) {
    Record& record = *records_[i];
    Value& output = values_[record.output];
    const bool has_state_gradient =
        record.module && record.module->states() > 0 &&
        (record.after ? record.after->walked : !gradients.dnew_state.empty());
    if (!output.needs_gradient || (!output.gradient && !has_state_gradient)) continue;
    if (!output.gradient) {
      output.sum.resize(output.sequence.values.shape());
      output.sum.fill(0);
      output.gradient = output.sum;
    }
    record.back(*this, record);
    record.walked = true;
  }
  // What was never called hands the gradient of its state through.
  for (std::size_t m = 0; m < modules_.size() && !gradients.dstate.empty(); ++m) {
    if (last_calls_[m]) continue;
    for (std::size_t s = modules_[m].first_state;
         s < modules_[m].first_state + modules_[m].states(); ++s) {
      if (!gradients.dstate[s]) continue;
      const View<float> to = gradients.dstate[s];
      if (gradients.dnew_state.empty() || !gradients.dnew_state[s]) {
        std::fill(to.begin(), to.end(), 0.0f);
      } else {
        std::copy(gradients.dnew_state[s].begin(), gradients.dnew_state[s].end(), to.begin());
      }
    }
  }
}

View<const float> Tape::gradient(TapeValue handle) {
  value(handle);
  Value& own = values_[handle.number_];
  if (!own.needs_gradient) {
    throw ConfigError(
        "tape: this value has no gradient: it is made of symbols, or behind "
        "stop_gradient");
  }
  if (!own.gradient) {
    own.sum.resize(own.sequence.values.shape());
    own.sum.fill(0);
    own.gradient = own.sum;
  }
  return own.gradient;
}

const Tape::Record& Tape::record_of(TapeValue handle) const {
  value(handle);
  for (std::size_t i = used_records_; i-- > 0;) {
    if (records_[i]->output == handle.number_) return *records_[i];
  }
  throw ConfigError("tape: this value is an input");
}

std::size_t Tape::memory() const {
  std::size_t total = 0;
  for (const auto& record : records_) {
    total += record->memory.size();
    for (const Tensor& tensor : record->state_before) {
      total += static_cast<std::size_t>(tensor.capacity()) * sizeof(float);
    }
    for (const Tensor& tensor : record->dstate_tensors) {
      total += static_cast<std::size_t>(tensor.capacity()) * sizeof(float);
    }
  }
  for (const Value& value : values_) {
    total += static_cast<std::size_t>(value.sum.capacity()) * sizeof(float);
  }
  return total;
}

}  // namespace rnn
