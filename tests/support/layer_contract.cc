#include "support/layer_contract.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "support/counting_memory.h"

namespace rnn::test {
namespace {

/// sum(dy * y) + sum(dnew * new_state) over what is no padding: what backward differentiates.
double projection(const LayerInput& in, const LayerOutput& out) {
  double sum = 0;
  for (Index b = 0; b < in.batch; ++b) {
    for (Index t = 0; t < out.length(b); ++t) {
      for (Index u = 0; u < out.y.extent(2); ++u) {
        sum += double{in.dy.view()(t, b, u)} * double{out.y.view()(t, b, u)};
      }
    }
  }
  for (std::size_t s = 0; s < in.dnew.size(); ++s) {
    for (Index i = 0; i < in.dnew[s].size(); ++i) {
      sum += double{in.dnew[s][i]} * double{out.new_state[s][i]};
    }
  }
  return sum;
}

/// Central differences of every element of `values`, against `gradient`.
void expect_gradient(const LayerBench& bench, const LayerCase& chosen, LayerInput& in,
                     Tensor& values, const Tensor& gradient, const std::string& name) {
  const float step = chosen.step;
  const auto loss = [&] {
    const LayerOutput out = bench.run(in, {});
    return projection(in, out) + (chosen.penalty ? chosen.penalty(in, out) : 0);
  };
  ASSERT_EQ(values.shape(), gradient.shape()) << name;
  double largest = 0;
  for (Index i = 0; i < gradient.size(); ++i) {
    largest = std::max(largest, std::abs(double{gradient[i]}));
  }
  EXPECT_GT(largest, 1e-3) << name << " has no gradient worth a test";
  for (Index i = 0; i < values.size(); ++i) {
    const float value = values[i];
    if (std::isnan(value)) {  // padding
      EXPECT_EQ(gradient[i], 0.0f) << name << position_of(values.shape(), i);
      continue;
    }
    values[i] = value + step;
    const double above = double{values[i]}, loss_above = loss();
    values[i] = value - step;
    const double below = double{values[i]}, loss_below = loss();
    values[i] = value;
    const double expected = (loss_above - loss_below) / (above - below);
    EXPECT_NEAR(double{gradient[i]}, expected, 1e-2 * std::abs(expected) + 3e-3 * largest)
        << name << position_of(values.shape(), i);
  }
}

class LayerContract {
 public:
  LayerContract(const LayerCase& chosen, const Backend& backend)
      : case_(chosen), bench_(chosen.layer, chosen.input, backend, chosen.seed) {}

  void check_all() {
    check_shapes();
    check_description();
    check_padding();
    check_mates();
    if (case_.streams) check_windows();
    check_missing_state_is_zero();
    check_gradients();
    check_gradients_are_added();
    check_frozen_parameters();
    check_evaluation();
    check_allocations();
  }

 private:
  LayerInput ragged() const { return ragged({5, 0, 3, 1, 5, 2}); }
  LayerInput ragged(const std::vector<std::int32_t>& lengths) const {
    LayerInput in = bench_.input(5, static_cast<Index>(lengths.size()), lengths);
    bench_.add_dy(in);
    return in;
  }

  void check_shapes() {
    SCOPED_TRACE("shapes");
    const Signal promised = case_.layer->output(case_.input);
    const LayerOutput out = bench_.run(bench_.input(4, 3), {});
    EXPECT_EQ(promised.kind, Signal::Kind::kVectors);
    EXPECT_EQ(out.y.extent(2), promised.size);
    EXPECT_EQ(out.y.extent(1), 3);
    if (case_.steps) {
      EXPECT_EQ(out.y.extent(0), case_.steps(4));
    } else {
      EXPECT_TRUE(out.y.extent(0) == 4 || out.y.extent(0) == 1);
      if (out.y.extent(0) == 1) {
        EXPECT_TRUE(out.lengths.empty());
      }
    }
    for (const ParameterSpec& spec : case_.layer->parameters(case_.input)) {
      EXPECT_GT(spec.shape.size(), 0) << spec.name;
      EXPECT_EQ(spec.name.find('/'), std::string::npos) << spec.name;
    }
  }

  void check_description() {
    SCOPED_TRACE("description");
    Json first = Json::object(), second = Json::object();
    JsonWriter write(first);
    case_.layer->describe(write);
    JsonReader read(first, "first");
    const std::shared_ptr<const Layer> again = make_layer(case_.layer->type(), read);
    EXPECT_NO_THROW(read.finish());
    EXPECT_EQ(again->type(), case_.layer->type());
    JsonWriter write_again(second);
    again->describe(write_again);
    EXPECT_EQ(first, second);
    EXPECT_FALSE(first.empty());
    // The copy is the same function, not only the same words.
    const LayerBench twin(again, case_.input, bench_.backend, case_.seed);
    const LayerInput in = ragged();
    ASSERT_EQ(twin.parameters.size(), bench_.parameters.size());
    EXPECT_TRUE(bits_equal(twin.run(in, {}).y, bench_.run(in, {}).y));
  }

  void check_padding() {
    SCOPED_TRACE("padding");
    const LayerInput in = ragged();
    for (bool training : {true, false}) {
      LayerInput forward_only = in;
      if (!training) forward_only.dy = Tensor();
      // Evaluation may hand its input through: then padding must be zeros already.
      if (!forward_only.values.empty() && (case_.hands_through || (!training && !case_.steady))) {
        for (float& value : forward_only.values.view()) {
          if (std::isnan(value)) value = 0;
        }
      }
      const LayerOutput out = bench_.run(forward_only, {.training = training});
      for (Index b = 0; b < in.batch; ++b) {
        for (Index t = 0; t < out.y.extent(0); ++t) {
          for (Index u = 0; u < out.y.extent(2); ++u) {
            const float y = out.y.view()(t, b, u);
            EXPECT_TRUE(t < out.length(b) ? std::isfinite(y) : y == 0) << t << ' ' << b << ' ' << u;
          }
        }
      }
      for (const Tensor& state : out.new_state) EXPECT_TRUE(finite(state));
      for (const Tensor& gradient : out.gradients) EXPECT_TRUE(finite(gradient));
      for (const Tensor& dstate : out.dstate) EXPECT_TRUE(!training || finite(dstate));
      for (Index b = 0; b < in.batch && !out.dx.empty(); ++b) {
        for (Index t = 0; t < in.time; ++t) {
          for (Index i = 0; i < out.dx.extent(2); ++i) {
            const float dx = out.dx.view()(t, b, i);
            EXPECT_TRUE(t < in.length(b) ? std::isfinite(dx) : dx == 0) << t << ' ' << b;
          }
        }
      }
    }
  }

  void check_mates() {
    SCOPED_TRACE("batch mates");
    const LayerInput in = ragged({5, 0, 3, 1, 5, 2, 4, 4, 1, 5, 3, 2, 0, 5, 5, 1,
                                  2, 3, 5, 4, 0, 1, 5, 5, 3, 2, 4, 1, 5, 0, 2, 5});
    const LayerOutput whole = bench_.run(in, {});
    const auto expect_same = [&](const std::vector<Index>& which, Index time) {
      const Index steps = case_.steps ? case_.steps(time) : whole.y.extent(0) == in.time ? time : 1;
      const LayerInput part = pick(in, whole, which, time, steps);
      const LayerOutput out = bench_.run(part, {});
      for (std::size_t place = 0; place < which.size(); ++place) {
        const Index b = which[place], j = static_cast<Index>(place);
        SCOPED_TRACE("sequence " + std::to_string(b));
        EXPECT_TRUE(bits_equal(steps_of(out.y, j, 0, out.length(j)),
                               steps_of(whole.y, b, 0, whole.length(b))));
        if (!whole.dx.empty()) {
          EXPECT_TRUE(bits_equal(steps_of(out.dx, j, 0, in.length(b)),
                                 steps_of(whole.dx, b, 0, in.length(b))));
        }
        for (std::size_t s = 0; s < whole.new_state.size(); ++s) {
          EXPECT_TRUE(bits_equal(row_of(out.new_state[s], j), row_of(whole.new_state[s], b)));
          EXPECT_TRUE(bits_equal(row_of(out.dstate[s], j), row_of(whole.dstate[s], b)));
        }
      }
    };
    for (Index b = 0; b < in.batch; ++b) expect_same({b}, std::max<Index>(1, in.length(b)));
    expect_same({5, 2, 31, 2, 0, 3}, 7);
  }

  void check_windows() {
    SCOPED_TRACE("windows");
    LayerInput in = bench_.input(7, 3);
    const LayerOutput whole = bench_.run(in, {.training = false});
    for (Index steps : {1, 2, 3}) {
      std::vector<Tensor> state = in.state;
      for (Index start = 0; start < in.time; start += steps) {
        LayerInput part = in;
        part.time = std::min(steps, in.time - start);
        part.state = state;
        if (!in.ids.empty()) {
          part.ids.assign(in.ids.begin() + start * in.batch,
                          in.ids.begin() + (start + part.time) * in.batch);
        } else {
          part.values = Tensor(Shape{part.time, in.batch, in.values.extent(2)});
          for (Index b = 0; b < in.batch; ++b) {
            take_sequence(in.values, b, start, part.time, part.values, b);
          }
        }
        const LayerOutput out = bench_.run(part, {.training = false});
        for (Index b = 0; b < in.batch; ++b) {
          EXPECT_TRUE(
              bits_equal(steps_of(out.y, b, 0, part.time), steps_of(whole.y, b, start, part.time)))
              << "window of " << steps << " at " << start;
        }
        state = out.new_state;
      }
      for (std::size_t s = 0; s < state.size(); ++s) {
        EXPECT_TRUE(bits_equal(state[s], whole.new_state[s]));
      }
    }
  }

  void check_missing_state_is_zero() {
    SCOPED_TRACE("no state given");
    LayerInput zeros = ragged(), none = zeros;
    for (Tensor& state : zeros.state) state.fill(0);
    for (Tensor& dnew : zeros.dnew) dnew.fill(0);
    none.state.clear();
    none.dnew.clear();
    const LayerOutput expected = bench_.run(zeros, {}), actual = bench_.run(none, {});
    EXPECT_TRUE(bits_equal(actual.y, expected.y));
    EXPECT_TRUE(bits_equal(actual.dx, expected.dx));
    for (std::size_t s = 0; s < expected.dstate.size(); ++s) {
      EXPECT_TRUE(bits_equal(actual.new_state[s], expected.new_state[s]));
      EXPECT_TRUE(bits_equal(actual.dstate[s], expected.dstate[s]));
    }
    for (std::size_t p = 0; p < expected.gradients.size(); ++p) {
      EXPECT_TRUE(bits_equal(actual.gradients[p], expected.gradients[p]));
    }
  }

  void check_gradients() {
    SCOPED_TRACE("gradients");
    LayerInput in = bench_.input(4, 4, {4, 2, 0, 3});
    bench_.add_dy(in);
    const LayerOutput out = bench_.run(in, {});
    const auto specs = case_.layer->parameters(case_.input);
    for (std::size_t p = 0; p < specs.size(); ++p) {
      if (!specs[p].trainable) continue;
      expect_gradient(bench_, case_, in, bench_.parameters[p], out.gradients[p], specs[p].name);
    }
    if (in.ids.empty()) expect_gradient(bench_, case_, in, in.values, out.dx, "x");
    const auto states = case_.layer->states(case_.input);
    for (std::size_t s = 0; s < states.size(); ++s) {
      if (is_flag(states[s])) continue;
      expect_gradient(bench_, case_, in, in.state[s], out.dstate[s], states[s].name);
    }
  }

  void check_gradients_are_added() {
    SCOPED_TRACE("gradients are added to");
    const LayerInput in = ragged();
    const LayerOutput from_zero = bench_.run(in, {}),
                      from_two = bench_.run(in, {.gradients_before = 2});
    for (std::size_t p = 0; p < from_zero.gradients.size(); ++p) {
      Tensor expected = from_zero.gradients[p];
      for (float& value : expected.view()) value += 2;
      EXPECT_TRUE(close_to(from_two.gradients[p], expected, {1e-5, 1e-5}));
    }
  }

  void check_frozen_parameters() {
    SCOPED_TRACE("frozen parameters");
    const LayerInput in = ragged();
    const LayerOutput free = bench_.run(in, {});
    for (std::size_t frozen = 0; frozen < free.gradients.size(); ++frozen) {
      const LayerOutput out = bench_.run(in, {.frozen = static_cast<int>(frozen)});
      EXPECT_TRUE(bits_equal(out.dx, free.dx));
      for (std::size_t p = 0; p < free.gradients.size(); ++p) {
        const Tensor untouched(free.gradients[p].shape());
        EXPECT_TRUE(bits_equal(out.gradients[p], p == frozen ? untouched : free.gradients[p]));
      }
    }
    const LayerOutput without_dx = bench_.run(in, {.wants_dx = false});
    EXPECT_TRUE(without_dx.dx.empty());
    for (std::size_t p = 0; p < free.gradients.size(); ++p) {
      EXPECT_TRUE(bits_equal(without_dx.gradients[p], free.gradients[p]));
    }
  }

  void check_evaluation() {
    SCOPED_TRACE("evaluation");
    LayerInput in = ragged();
    in.dy = Tensor();
    CallMemory in_training, in_evaluation;
    const LayerOutput trained = bench_.run(in, {.training = true, .memory = &in_training});
    const LayerOutput evaluated = bench_.run(in, {.training = false, .memory = &in_evaluation});
    for (Index b = 0; b < in.batch && case_.steady; ++b) {
      EXPECT_TRUE(bits_equal(steps_of(evaluated.y, b, 0, trained.length(b)),
                             steps_of(trained.y, b, 0, trained.length(b))));
    }
    for (std::size_t s = 0; s < trained.new_state.size() && case_.steady; ++s) {
      EXPECT_TRUE(bits_equal(evaluated.new_state[s], trained.new_state[s]));
    }
    if (bench_.backend.name() != "reference") return;  // another's scratch may differ
    EXPECT_LE(in_evaluation.size(), in_training.size());
    if (case_.keeps && (!trained.new_state.empty() || !case_.steady)) {
      EXPECT_LT(in_evaluation.size(), in_training.size()) << "kept what only backward needs";
    }
  }

  void check_allocations() {
    SCOPED_TRACE("allocations");
    CountingMemory counting;
    CallMemory memory(&counting);
    const auto run = [&](Index time, Index batch, std::vector<std::int32_t> lengths) {
      LayerInput in = bench_.input(time, batch, std::move(lengths));
      bench_.add_dy(in);
      bench_.run(in, {.memory = &memory});
      in.dy = Tensor();
      bench_.run(in, {.training = false, .memory = &memory});
    };
    run(6, 5, {});
    const int before = counting.allocations();
    EXPECT_GT(before, 0) << "memory does not come from the call's resource";
    run(6, 5, {});
    run(6, 5, {6, 1, 0, 2, 5});
    run(3, 4, {});
    run(1, 1, {});
    run(6, 5, {});
    EXPECT_EQ(counting.allocations(), before);
  }

  static bool finite(const Tensor& values) {
    return std::all_of(values.view().begin(), values.view().end(),
                       [](float value) { return std::isfinite(value); });
  }

  LayerCase case_;
  LayerBench bench_;
};

}  // namespace

void check_layer_contract(const LayerCase& chosen) {
  for_each_backend([&](const Backend& backend) { LayerContract(chosen, backend).check_all(); });
}

}  // namespace rnn::test
