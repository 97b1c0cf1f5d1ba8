// Inputs that are rows of a table: what the native backend knows of them from steps and calls
// before has the bits of what it would compute.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/native_problem.h"
#include "support/random_problem.h"

namespace rnn::test {
namespace {

using Problem = RecurrentProblem<float>;

constexpr Index kSymbols = 60000;  // more than the native backend keeps for any of these cells
constexpr Index kInputs = 5, kUnits = 83;

/// Symbols of a ragged batch: some come again in it and in other texts, some are seldom.
struct Text {
  Index time, batch;
  std::uint64_t seed = 1;
  float seldom = 0.2f;
  bool backwards = false;

  ProblemOptions options(const Variant& variant) const {
    ProblemOptions made{.cell = variant.cell,
                        .extras = variant.extras,
                        .time = time,
                        .batch = batch,
                        .inputs = kInputs,
                        .units = kUnits,
                        .go_backwards = backwards,
                        .seed = seed};
    for (Index b = 0; time != 1 && b < batch; ++b) {
      made.lengths.push_back(static_cast<std::int32_t>((b * 7 + 3) % (time + 1)));
    }
    return made;
  }
  /// One in eleven is none at all; padding holds what no table has.
  BasicTensor<std::int32_t> symbols(const ProblemOptions& made) const {
    BasicTensor<std::int32_t> ids({time, batch});
    const Random random(seed);
    for (Index row = 0; row < ids.size(); ++row) {
      const auto place = static_cast<std::uint64_t>(2 * row);
      const float range = random.uniform(place) < seldom ? float{kSymbols} : 9;
      const auto id = static_cast<std::int32_t>(random.uniform(place + 1) * range);
      const bool padding = row / batch >= length_of(made.lengths, row % batch, time);
      ids[row] = padding ? 0x7fffffff : row % 11 == 5 ? -1 : id;
    }
    return ids;
  }
};

std::uint64_t next_version() {
  static std::uint64_t last = 6;
  return ++last;
}

const Tensor& first_table() {
  static const Tensor made = random_tensor<float>({kSymbols, kInputs}, 1);
  return made;
}

/// A layer behind a table. Its calls share their scratch, as those of a network do.
class TableLayer {
 public:
  explicit TableLayer(const Variant& variant)
      : variant_(variant), weights_(Text{1, 1}.options(variant)), table(first_table()) {}

  /// y [T,B,P]. `told` of the table, and otherwise as if x came from anywhere.
  Tensor run(const NativeBackend& backend, const Text& text, bool told) {
    Problem problem(text.options(variant_));
    const BasicTensor<std::int32_t> symbols = text.symbols(problem.options);
    for (Index row = 0; row < symbols.size(); ++row) {
      const std::int32_t id = symbols[row];
      float* x = problem.x.data() + row * kInputs;
      if (id < 0) std::fill_n(x, kInputs, 0.0f);
      if (id >= 0 && id < kSymbols) std::copy_n(table.data() + id * kInputs, kInputs, x);
    }
    problem.prepare();
    RecurrentForward<float> args = problem.inference_args();
    take_weights(args);
    args.weights_version = version;
    if (told) {
      args.symbols = symbols;
      args.table = table;
    }
    // What stands there is of other layers at first. Calls that do not know of the table have
    // another, or all would be forgotten.
    static std::vector<std::byte> scratches[2];
    std::vector<std::byte>& scratch = scratches[told];
    if (scratch.size() < backend.scratch_bytes(args)) {
      scratch = scratch_of(backend.scratch_bytes(args));
    }
    args.scratch = scratch;
    backend.recurrent_forward(args);
    return problem.y;
  }

  void expect_same(const NativeBackend& backend, const Text& text) {
    const Tensor known = run(backend, text, true);
    const Tensor again = run(backend, text, true);
    const Tensor computed = run(backend, text, false);
    EXPECT_TRUE(bits_equal(known, computed)) << variant_.name << " T " << text.time;
    EXPECT_TRUE(bits_equal(again, computed)) << variant_.name << " T " << text.time;
  }

 private:
  /// Those of one problem, whose places in memory stay.
  void take_weights(RecurrentForward<float>& args) {
    const RecurrentForward<float> own = weights_.inference_args();
    args.kernel = own.kernel;
    args.recurrent_kernel = own.recurrent_kernel;
    args.bias = own.bias;
    args.options.kernel_gamma = own.options.kernel_gamma;
    args.options.recurrent_gamma = own.options.recurrent_gamma;
    args.options.cell_gamma = own.options.cell_gamma;
    args.options.cell_beta = own.options.cell_beta;
    args.options.peephole = own.options.peephole;
    args.options.projection = own.options.projection;
  }

  Variant variant_;
  Problem weights_;

 public:
  Tensor table;
  std::uint64_t version = next_version();
};

class NativeKnownInputs : public testing::TestWithParam<NativePath> {};

TEST_P(NativeKnownInputs, HaveTheBitsOfThoseComputed) {
  const NativeBackend backend = GetParam().backend(3, 0);
  for (const Variant& variant : all_variants()) {
    TableLayer layer(variant);
    layer.expect_same(backend, {4, 5, 1});  // divided by units
    layer.expect_same(backend, {1, 1, 2});  // single steps
    layer.expect_same(backend, {1, 12, 3});
    layer.expect_same(backend, {0, 3, 4});
    layer.expect_same(backend, {6, 5, 5, 0.2f, true});
  }
  for (const Cell cell : {Cell::kLstm, Cell::kGruResetBefore}) {
    TableLayer layer({cell, {}, std::string(name_of(cell))});
    layer.expect_same(backend, {20, 40});  // by sequences, in several chunks
  }
}

TEST_P(NativeKnownInputs, AreTheSameForTeamsOfOneAndMore) {
  const NativeBackend backend = GetParam().backend(3);  // a small text is not worth a team
  TableLayer layer({Cell::kGru, {}, "gru"});
  for (const std::uint64_t seed : {1, 2}) {
    layer.expect_same(backend, {1, 1, seed});
    layer.expect_same(backend, {20, 40, seed});
  }
}

TEST_P(NativeKnownInputs, AreNotComputedAgain) {
  const NativeBackend backend = GetParam().backend(2, 0);
  TableLayer layer({Cell::kLstm, {}, "lstm"});
  const Text text{4, 5, 1, 0};  // frequent symbols alone
  const Tensor before = layer.run(backend, text, true);
  Tensor changed = random_tensor<float>({kSymbols, kInputs}, 9);
  std::copy_n(changed.data(), changed.size(), layer.table.data());  // and nobody is told
  EXPECT_TRUE(bits_equal(layer.run(backend, text, true), before));
  EXPECT_FALSE(bits_equal(layer.run(backend, text, false), before));
}

TEST_P(NativeKnownInputs, AreForgottenWithTheWeights) {
  const NativeBackend backend = GetParam().backend(2, 0);
  TableLayer layer({Cell::kLstm, {}, "lstm"});
  const Text text{4, 5};
  const Tensor before = layer.run(backend, text, true);
  fill_random(layer.table, 9);
  layer.version = next_version();
  EXPECT_FALSE(bits_equal(layer.run(backend, text, true), before));
  layer.expect_same(backend, text);
  // Another table of the same parameters.
  Tensor other = random_tensor<float>({kSymbols, kInputs}, 10);
  std::swap(layer.table, other);
  layer.expect_same(backend, text);
  // Weights of no version are others in every call.
  layer.version = 0;
  layer.expect_same(backend, text);
  fill_random(layer.table, 11);
  layer.expect_same(backend, text);
}

INSTANTIATE_TEST_SUITE_P(Paths, NativeKnownInputs, testing::ValuesIn(all_native_paths()),
                         path_name);

}  // namespace
}  // namespace rnn::test
