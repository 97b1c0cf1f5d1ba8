// Recurrent<Cell>: the contract of layers with a user's cell, and the LSTM as a cell against the
// fused one.
#include "rnn/recurrent_cell.h"

#include <cmath>

#include "rnn/lstm_cell.h"
#include "rnn/recurrent.h"
#include "rnn/registry.h"
#include "support/layer_contract.h"

namespace rnn {
namespace {

/// A leaky integrator: h' = a * h + (1 - a) * tanh(W x), with a rate a for each unit.
struct LeakyCell {
  static constexpr std::string_view kType = "LeakyCell";
  Index units = 0;

  void exchange(Fields& fields) { fields("units", units); }
  void validate() const {
    if (units < 1) throw ConfigError("LeakyCell units: expected at least 1");
  }
  std::vector<ParameterSpec> parameters(Index input) const {
    return {{"kernel", {input, units}, Initializer::uniform(0.5f)},
            {"rate", {units}, Initializer::constant(0.5f)}};
  }
  std::vector<StateSpec> states() const { return {{"h", units}}; }
  Index saved() const { return units; }

  void forward(const CellForward& s) const {
    for (std::size_t j = 0; j < s.saved.size(); ++j) {
      const auto at = static_cast<Index>(j);
      float z = 0;
      for (std::size_t k = 0; k < s.x.size(); ++k) {
        z += s.x[k] * s.parameters[0](static_cast<Index>(k), at);
      }
      const float u = s.saved[j] = std::tanh(z), a = s.parameters[1][at];
      s.new_state[0][j] = a * s.state[0][j] + (1 - a) * u;
    }
  }
  void backward(const CellBackward& s) const {
    std::fill(s.dx.begin(), s.dx.end(), 0.0f);
    for (std::size_t j = 0; j < s.saved.size(); ++j) {
      const auto at = static_cast<Index>(j);
      const float dh = s.dnew_state[0][j], a = s.parameters[1][at], u = s.saved[j];
      s.dstate[0][j] = dh * a;
      if (s.gradients[1]) s.gradients[1][at] += dh * (s.state[0][j] - u);
      const float dz = dh * (1 - a) * (1 - u * u);
      for (std::size_t k = 0; k < s.x.size(); ++k) {
        const auto row = static_cast<Index>(k);
        if (!s.dx.empty()) s.dx[k] += dz * s.parameters[0](row, at);
        if (s.gradients[0]) s.gradients[0](row, at) += dz * s.x[k];
      }
    }
  }
};

template <class Cell>
std::shared_ptr<const Layer> layer_of(const RecurrentOptions<Cell>& options) {
  if (!knows_layer(Cell::kType)) {
    register_layer<Recurrent<Cell>, RecurrentOptions<Cell>>(std::string(Cell::kType));
  }
  return std::make_shared<Recurrent<Cell>>(options);
}

template <class Cell>
void check_contract(const Cell& cell) {
  for (const auto& [sequences, backwards] :
       {std::pair(true, false), {false, false}, {true, true}}) {
    test::check_layer_contract(
        {.layer = layer_of<Cell>(
             {.cell = cell, .return_sequences = sequences, .go_backwards = backwards}),
         .input = Signal::vectors(3),
         .streams = sequences && !backwards});
  }
}

TEST(RecurrentCells, KeepTheContractOfLayers) {
  check_contract(LeakyCell{.units = 4});
  check_contract(
      LstmCell{.units = 3, .forget_bias = 0.5f, .kernel_initializer = Initializer::uniform(0.5f)});
}

TEST(RecurrentCells, TheLstmCellIsTheFusedLstm) {
  test::for_each_backend([](const Backend& backend) {
    for (const auto& [sequences, backwards] :
         {std::pair(true, false), {false, false}, {true, true}, {false, true}}) {
      const auto initializer = Initializer::uniform(0.5f);
      const auto cell = layer_of<LstmCell>(
          {.cell = {.units = 9, .forget_bias = 0.5f, .kernel_initializer = initializer},
           .return_sequences = sequences,
           .go_backwards = backwards});
      const auto fused = std::make_shared<LSTM>(LSTMOptions{.units = 9,
                                                            .return_sequences = sequences,
                                                            .go_backwards = backwards,
                                                            .kernel_initializer = initializer,
                                                            .forget_bias = 0.5f});
      const test::LayerBench ours(cell, Signal::vectors(7), backend, 1);
      const test::LayerBench theirs(fused, Signal::vectors(7), backend, 1);
      ASSERT_EQ(ours.parameters.size(), theirs.parameters.size());
      for (std::size_t p = 0; p < ours.parameters.size(); ++p) {
        EXPECT_TRUE(test::bits_equal(ours.parameters[p], theirs.parameters[p]));
      }
      test::LayerInput in = ours.input(6, 5, {6, 0, 3, 1, 5});
      ours.add_dy(in);
      const test::LayerOutput a = ours.run(in, {}), b = theirs.run(in, {});
      EXPECT_TRUE(test::close_to(a.y, b.y, {1e-5, 1e-6}));
      EXPECT_TRUE(test::close_to(a.dx, b.dx, {1e-4, 1e-5}));
      for (std::size_t s = 0; s < a.new_state.size(); ++s) {
        EXPECT_TRUE(test::close_to(a.new_state[s], b.new_state[s], {1e-5, 1e-6}));
        EXPECT_TRUE(test::close_to(a.dstate[s], b.dstate[s], {1e-4, 1e-5}));
      }
      for (std::size_t p = 0; p < a.gradients.size(); ++p) {
        EXPECT_TRUE(test::close_to(a.gradients[p], b.gradients[p], {1e-4, 1e-5}));
      }
    }
  });
}

struct ManyStates : LeakyCell {
  std::vector<StateSpec> states() const { return std::vector<StateSpec>(5, {"s", 2}); }
};

TEST(RecurrentCells, AreCheckedWhenALayerIsMade) {
  EXPECT_THROW(Recurrent<LeakyCell>({}), ConfigError);
  EXPECT_THROW(Recurrent<ManyStates>({.cell = {{.units = 2}}}), ConfigError);
  EXPECT_THROW(Recurrent<LeakyCell>({.cell = {.units = 2}}).output(Signal::symbols(4)),
               ConfigError);
}

}  // namespace
}  // namespace rnn
