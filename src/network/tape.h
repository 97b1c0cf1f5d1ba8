// Tape: the record of a forward, and the walk back along it. What GradientTape and CompositeLayer
// share.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "network/frame.h"
#include "network/output_pass.h"
#include "rnn/gradient_tape.h"

namespace rnn {

/// A layer that can be called by name: where its parameters and state stand among all.
struct TapeModule {
  std::string name{};
  const Layer* layer = nullptr;       // of one input, or
  const JointLayer* joint = nullptr;  // of several
  std::vector<Signal> inputs{};       // what it was made for
  std::vector<std::size_t> parameters{};
  std::size_t first_state = 0;
  std::vector<Index> state_widths{};
  std::size_t key = 0;  // of its random draws

  std::size_t states() const { return state_widths.size(); }
};

/// What a forward needs beside its inputs. Borrowed until the step is over.
struct TapeStep {
  const Backend* backend = nullptr;
  bool training = true;
  Random random{};
  std::uint64_t weights_version = 0;
  CallMemory* shared_scratch = nullptr;  // as in Call
  std::span<const View<const float>> parameters{}, state{};
  std::span<const View<float>> new_state{};
};

/// What a backward adds to and writes; as in Call. `heads` is for losses.
struct TapeGradients {
  std::span<const View<float>> parameters{};
  std::span<const View<const float>> dnew_state{};
  std::span<const View<float>> dstate{};
  TensorList* heads = nullptr;
  float loss_scale = 1;
};

class Tape {
 public:
  struct Record;
  using Back = void (*)(Tape&, Record&);

  struct Value {
    explicit Value(std::pmr::memory_resource* memory) : sum(memory) {}
    Sequence sequence{};
    bool needs_gradient = false;
    View<const float> gradient{};  // null until somebody has given one
    Tensor sum;
  };

  /// One call or operation. Everything in it is kept for the step that records in its place next.
  struct Record : Frame {
    Back back = nullptr;
    std::vector<std::size_t> inputs{};
    std::size_t output = 0;
    std::vector<Sequence> sequences{};
    std::vector<View<const float>> dinputs{};
    std::vector<std::int32_t> lengths{};
    Index first = 0;                             // of a slice
    std::size_t parameter = 0;                   // position, of a parameter as a value
    OutputPass* head = nullptr;                  // of a loss
    LossSum loss{};                              // of a loss
    const TapeModule* module = nullptr;          // of a call
    Record *before = nullptr, *after = nullptr;  // calls of the same layer in this step
    std::vector<Tensor> state_before{}, state_after{}, dstate_tensors{};
    std::vector<View<float>> dstate{};
    std::vector<View<const float>> dstate_given{};  // the same, for the call before
    bool walked = false;                            // backward has been here
  };

  explicit Tape(std::pmr::memory_resource* memory) : memory_(memory) {}

  void set_modules(std::vector<TapeModule> modules);
  const std::vector<TapeModule>& modules() const { return modules_; }
  /// Throws ConfigError with the names there are.
  const TapeModule& module(std::string_view name) const;

  void begin(const TapeStep& step);
  const TapeStep& step() const { return step_; }

  /// By value: what a value of this tape holds may move when another is made.
  TapeValue input(Sequence sequence, bool needs_gradient);
  TapeValue call(const TapeModule& module, std::span<const TapeValue> inputs);
  /// Writes the state of layers that were not called, which is as it was before.
  void finish_states();

  /// Takes a record for an operation on these; `emit` then gives its result a value.
  Record& record(Back back, std::span<const TapeValue> inputs);
  TapeValue emit(Record& record, const Sequence& sequence, bool needs_gradient);
  TapeValue emit(Record& record, const Sequence& sequence);

  const Value& value(TapeValue handle) const;
  Value& at(std::size_t number) { return values_[number]; }
  void add_gradient(std::size_t number, View<const float> gradient);

  void backward(TapeValue from, View<const float> dy, const TapeGradients& gradients);
  const TapeGradients& gradients() const { return gradients_; }
  /// Zeros where nothing arrived.
  View<const float> gradient(TapeValue handle);
  const Record& record_of(TapeValue handle) const;
  std::size_t memory() const;

 private:
  static void back_call(Tape& tape, Record& record);
  void take_gradient(Value& value, View<const float> dy);
  void bind_states(Record& record);

  std::pmr::memory_resource* memory_;
  std::vector<TapeModule> modules_;
  std::vector<Record*> last_calls_;  // in this step, of each module
  TapeStep step_;
  TapeGradients gradients_;
  std::vector<std::unique_ptr<Record>> records_;
  std::vector<Value> values_;
  std::size_t used_records_ = 0, used_values_ = 0;
  bool went_back_ = false;  // in this step: records are used up
};

}  // namespace rnn
