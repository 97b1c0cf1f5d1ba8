// Recurrent<Cell>: a recurrent layer around a cell of your own, written as one step forward and one
// step back, in plain loops over the numbers of one sequence. The layer does the rest: time,
// batches, lengths, both directions of reading, state, what backward needs.
//
//   struct MyCell {
//     static constexpr std::string_view kType = "MyCell";       // its name in files
//     Index units = 0;                                           // options, as members
//     void exchange(Fields& fields) { fields("units", units); }
//     void validate() const;                                     // throws ConfigError
//     std::vector<ParameterSpec> parameters(Index input) const;
//     std::vector<StateSpec> states() const;                     // the first is the output, h
//     Index saved() const;                                       // numbers that backward wants
//     void forward(const CellForward& step) const;
//     void backward(const CellBackward& step) const;
//   };
//   Sequential({Embedding({...}), Recurrent<MyCell>({.cell = {.units = 64}}), Softmax({...})});
//
// It runs on the caller's thread and is as fast as the cell's loops: a hundred times slower than a
// fused layer is usual. What is the same for one sequence is the same in any batch, so the promises
// of the library hold for any cell whose step is a function of its arguments.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/kernels.h"
#include "rnn/layer.h"

namespace rnn {

/// Most parts that the state of a cell may have.
inline constexpr std::size_t kMaxCellStates = 4;

/// One step of one sequence. Spans hold what `parameters`, `states` and `saved` announced.
struct CellForward {
  std::span<const float> x;                       ///< [I]
  std::span<const View<const float>> parameters;  ///< as announced
  std::span<const std::span<const float>> state;  ///< before the step
  std::span<const std::span<float>> new_state;    ///< to be written; the first is the output
  std::span<float> saved;                         ///< to be written: for the step back
};

/// The gradient of CellForward.
struct CellBackward {
  std::span<const float> x;
  std::span<const View<const float>> parameters;
  std::span<const std::span<const float>> state;       ///< before the step
  std::span<const std::span<const float>> new_state;   ///< after it
  std::span<const float> saved;                        ///< as forward left it
  std::span<const std::span<const float>> dnew_state;  ///< of the loss, all that flows in
  std::span<float> dx;                                 ///< to be written; empty: not wanted
  std::span<const std::span<float>> dstate;            ///< to be written
  std::span<const View<float>> gradients;              ///< of parameters: added to; null: frozen
};

template <class C>
concept RecurrentCell = requires(C cell, const C& constant, Fields& fields, Index width,
                                 const CellForward& forward, const CellBackward& backward) {
  { C::kType } -> std::convertible_to<std::string_view>;
  cell.exchange(fields);
  constant.validate();
  { constant.parameters(width) } -> std::same_as<std::vector<ParameterSpec>>;
  { constant.states() } -> std::same_as<std::vector<StateSpec>>;
  { constant.saved() } -> std::same_as<Index>;
  constant.forward(forward);
  constant.backward(backward);
};

template <RecurrentCell C>
struct RecurrentOptions {
  C cell{};
  bool return_sequences = true;  ///< every step, not the last alone
  bool go_backwards = false;     ///< outputs stay in the order of time
  void exchange(Fields& fields) {
    cell.exchange(fields);
    fields("return_sequences", return_sequences);
    fields("go_backwards", go_backwards);
  }
};

/// x [T,B,I] -> [T,B,H], or [1,B,H] without return_sequences; H is the width of the first part of
/// the cell's state.
template <RecurrentCell C>
class Recurrent : public Layer {
 public:
  using Options = RecurrentOptions<C>;

  /// Throws ConfigError for what the cell does not validate, and for a cell with no state or too
  /// many parts.
  explicit Recurrent(const Options& options) : options_(options) {
    options_.cell.validate();
    states_ = options_.cell.states();
    if (states_.empty() || states_.size() > kMaxCellStates) {
      throw ConfigError(std::string(type()) + ": the state must have 1 to " +
                        std::to_string(kMaxCellStates) + " parts, got " +
                        std::to_string(states_.size()));
    }
  }

  std::string_view type() const noexcept override { return C::kType; }
  void describe(Fields& fields) const override {
    Options copy = options_;
    copy.exchange(fields);
  }
  bool causal() const override { return options_.return_sequences && !options_.go_backwards; }
  Signal output(const Signal& input) const override {
    if (input.kind != Signal::Kind::kVectors) {
      throw ConfigError(std::string(type()) + ": expected vectors, got " + input.to_string() +
                        "; put an Embedding before it");
    }
    return Signal::vectors(states_.front().width);
  }
  std::vector<ParameterSpec> parameters(const Signal& input) const override {
    return options_.cell.parameters(input.size);
  }
  std::vector<StateSpec> states(const Signal&) const override { return states_; }
  KernelPath path(const Backend&, const Signal&) const override {
    return {"cell", "a cell of the program's own, step by step"};
  }

  Sequence forward(const Sequence& x, Call& call) const override {
    const Index time = x.time(), batch = x.batch(), H = states_.front().width;
    const Index kept = call.training ? time : 1;  // steps whose past is remembered
    const Index S = options_.cell.saved();
    const View<float> saved = call.memory->floats(kSaved, {kept, batch, S});
    for (std::size_t s = 0; s < states_.size(); ++s) {
      call.memory->floats(past(s), {kept + 1, batch, states_[s].width});
    }
    const View<float> y = call.memory->floats(kY, {options_.return_sequences ? time : 1, batch, H});
    std::fill(y.begin(), y.end(), 0.0f);
    Widths<const float> before;
    Widths<float> after;
    for (Index b = 0; b < batch; ++b) {
      const Index length = length_of(x.lengths, b, time);
      for (std::size_t s = 0; s < states_.size(); ++s) {
        const std::span<float> first = row(call, past(s), 0, b);
        if (s < call.state.size() && call.state[s]) {
          std::copy_n(&call.state[s](b, 0), first.size(), first.begin());
        } else {
          std::fill(first.begin(), first.end(), 0.0f);
        }
      }
      for (Index n = 0; n < length; ++n) {
        const Index t = time_of(n, length);
        const Index here = call.training ? n : n % 2, next = call.training ? n + 1 : 1 - n % 2;
        for (std::size_t s = 0; s < states_.size(); ++s) {
          before[s] = row(call, past(s), here, b);
          after[s] = row(call, past(s), next, b);
        }
        options_.cell.forward({.x = step_of(x.values, t, b),
                               .parameters = call.parameters,
                               .state = {before.data(), states_.size()},
                               .new_state = {after.data(), states_.size()},
                               .saved = step_of(saved, call.training ? n : 0, b)});
        if (options_.return_sequences) std::copy_n(after[0].data(), H, &y(t, b, 0));
      }
      const Index last = call.training ? length : length % 2;
      if (!options_.return_sequences) {
        std::copy_n(row(call, past(0), last, b).data(), H, &y(0, b, 0));
      }
      for (std::size_t s = 0; s < call.new_state.size(); ++s) {
        const std::span<float> end = row(call, past(s), last, b);
        if (call.new_state[s]) std::copy_n(end.data(), end.size(), &call.new_state[s](b, 0));
      }
    }
    if (!options_.return_sequences) return {.values = y, .examples = x.examples};
    return {.values = y, .lengths = x.lengths, .examples = x.examples};
  }

  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const override {
    const Index time = x.time(), batch = x.batch();
    const View<float> saved = call.memory->floats(kSaved);
    View<float> dx;
    if (call.wants_dx) {
      dx = call.memory->floats(kDx, x.values.shape());
      std::fill(dx.begin(), dx.end(), 0.0f);
    }
    for (std::size_t s = 0; s < states_.size(); ++s) {
      call.memory->floats(flow(s), {2, batch, states_[s].width});
    }
    Widths<const float> before, after, arriving;
    Widths<float> leaving;
    for (Index b = 0; b < batch; ++b) {
      const Index length = length_of(x.lengths, b, time);
      for (std::size_t s = 0; s < states_.size(); ++s) {
        const std::span<float> end = row(call, flow(s), length % 2, b);
        if (s < call.dnew_state.size() && call.dnew_state[s]) {
          std::copy_n(&call.dnew_state[s](b, 0), end.size(), end.begin());
        } else {
          std::fill(end.begin(), end.end(), 0.0f);
        }
      }
      if (!options_.return_sequences) add(&dy(0, b, 0), row(call, flow(0), length % 2, b));
      for (Index n = length; n-- > 0;) {
        const Index t = time_of(n, length);
        if (options_.return_sequences) add(&dy(t, b, 0), row(call, flow(0), (n + 1) % 2, b));
        for (std::size_t s = 0; s < states_.size(); ++s) {
          before[s] = row(call, past(s), n, b);
          after[s] = row(call, past(s), n + 1, b);
          arriving[s] = row(call, flow(s), (n + 1) % 2, b);
          leaving[s] = row(call, flow(s), n % 2, b);
        }
        options_.cell.backward({.x = step_of(x.values, t, b),
                                .parameters = call.parameters,
                                .state = {before.data(), states_.size()},
                                .new_state = {after.data(), states_.size()},
                                .saved = step_of(saved, n, b),
                                .dnew_state = {arriving.data(), states_.size()},
                                .dx = dx ? step_of(dx, t, b) : std::span<float>(),
                                .dstate = {leaving.data(), states_.size()},
                                .gradients = call.gradients});
      }
      for (std::size_t s = 0; s < call.dstate.size(); ++s) {
        const std::span<float> start = row(call, flow(s), 0, b);
        if (call.dstate[s]) std::copy_n(start.data(), start.size(), &call.dstate[s](b, 0));
      }
    }
    return dx;
  }

 private:
  template <class T>
  using Widths = std::array<std::span<T>, kMaxCellStates>;
  enum Slot : std::size_t { kY, kSaved, kDx, kFirstFree };
  /// The states of all steps of part s, and the gradients that flow back from step to step.
  static std::size_t past(std::size_t s) { return kFirstFree + 2 * s; }
  static std::size_t flow(std::size_t s) { return kFirstFree + 2 * s + 1; }

  Index time_of(Index n, Index length) const { return options_.go_backwards ? length - 1 - n : n; }
  template <class T>
  static std::span<T> step_of(View<T> all, Index t, Index b) {
    const Index width = all.extent(2);
    return {all.data() + (t * all.extent(1) + b) * width, static_cast<std::size_t>(width)};
  }
  static std::span<float> row(Call& call, std::size_t slot, Index n, Index b) {
    return step_of(call.memory->floats(slot), n, b);
  }
  static void add(const float* from, std::span<float> to) {
    for (float& value : to) value += *from++;
  }

  Options options_;
  std::vector<StateSpec> states_;
};

}  // namespace rnn
