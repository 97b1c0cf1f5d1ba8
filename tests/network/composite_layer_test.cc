#include "rnn/composite_layer.h"

#include <gtest/gtest.h>

#include "rnn/bidirectional.h"
#include "rnn/dense.h"
#include "rnn/dropout.h"
#include "rnn/lstm_cell.h"
#include "rnn/recurrent.h"
#include "rnn/registry.h"
#include "support/layer_contract.h"

namespace rnn {
namespace {

struct WaysOptions {
  Index units = 0;
  void exchange(Fields& fields) { fields("units", units); }
};

/// A forward with a branch, operations and a recurrent layer that is called twice.
class Ways : public CompositeLayer {
 public:
  explicit Ways(const WaysOptions& options)
      : options_(options),
        lstm_(LSTM({.units = options.units, .kernel_initializer = Initializer::uniform(0.5f)})),
        dense_(Dense({.units = options.units})) {}

  std::string_view type() const noexcept override { return "Ways"; }
  void describe(Fields& fields) const override {
    WaysOptions copy = options_;
    copy.exchange(fields);
  }
  std::vector<Inner> layers(const Signal& input) const override {
    return {{"lstm", lstm_, input}, {"dense", dense_, Signal::vectors(options_.units)}};
  }
  bool causal() const override { return true; }
  Signal output(const Signal&) const override { return Signal::vectors(2 * options_.units); }
  TapeValue run(CompositeTape& tape, TapeValue x) const override {
    const auto h = tape.call("lstm", x);
    const auto d = tape.call("dense", h);
    return tape.concat({tape.add(h, d), tape.activation(tape.mul(d, h), Activation::kTanh)});
  }

 private:
  WaysOptions options_;
  AnyLayer lstm_, dense_;
};

TEST(CompositeLayer, KeepsTheContractOfLayers) {
  if (!knows_layer("Ways")) register_layer<Ways, WaysOptions>("Ways");
  test::check_layer_contract(
      {.layer = std::make_shared<Ways>(WaysOptions{.units = 4}), .input = Signal::vectors(3)});
}

/// Layers inside that run on different kernels: the library's, and plain loops.
class Mixed : public Ways {
 public:
  using Ways::Ways;
  std::vector<Inner> layers(const Signal& input) const override {
    auto inner = Ways::layers(input);
    inner.push_back({"cell", Recurrent<LstmCell>({.cell = {.units = 4}}), input});
    return inner;
  }
};

TEST(CompositeLayer, SaysWhatTheLayersInsideRunOn) {
  const auto native = make_backend({.name = "native"});
  const Signal input = Signal::vectors(3);
  const std::string fused = LSTM({.units = 4}).path(*native, input).path;
  const std::string loops = Recurrent<LstmCell>({.cell = {.units = 4}}).path(*native, input).path;
  ASSERT_NE(fused, loops);
  EXPECT_EQ(Ways({.units = 4}).path(*native, input).path, fused);
  EXPECT_EQ(Mixed({.units = 4}).path(*native, input).path, fused + ", " + loops);
  const Bidirectional both(
      {.layer = LSTM({.units = 4}),
       .backward = Recurrent<LstmCell>({.cell = {.units = 4}, .go_backwards = true})});
  EXPECT_EQ(both.path(*native, input).path, fused + ", " + loops);
}

}  // namespace
}  // namespace rnn
