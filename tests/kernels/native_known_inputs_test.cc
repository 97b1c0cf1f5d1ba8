// Inputs that are rows of a table: what the native backend knows of them from steps and calls
// before has the bits of what it would compute.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/native_problem.h"

namespace rnn::test {
namespace {

constexpr Index kSymbols = 12000, kInputs = 5, kUnits = 83;  // more than the native backend keeps

class NativeKnownInputs : public testing::TestWithParam<NativePath> {};

/// One layer whose calls share their scratch, beside one that is not told of the table.
struct Layer {
  Cell cell;
  Tensor table, kernel, recurrent_kernel, bias;
  std::uint64_t version = 7;
  std::vector<std::byte> scratch{};

  explicit Layer(Cell layer_cell)
      : cell(layer_cell),
        table(random_tensor<float>({kSymbols, kInputs}, 1)),
        kernel(random_tensor<float>({kInputs, gates_of(cell) * kUnits}, 2, 0.6f)),
        recurrent_kernel(random_tensor<float>({kUnits, gates_of(cell) * kUnits}, 3, 0.2f)),
        bias(random_tensor<float>(bias_shape(cell, kUnits), 4)) {}

  struct Text {
    Index time, batch;
    std::vector<std::int32_t> symbols{}, lengths{};
  };

  /// Symbols that come again within a call and from call to call, and some that are seldom.
  static Text text(Index time, Index batch, std::uint64_t seed) {
    Text result{.time = time, .batch = batch};
    const Random random(seed);
    for (Index i = 0; i < time * batch; ++i) {
      const auto place = static_cast<std::uint64_t>(2 * i);
      const Index range = random.uniform(place) < 0.8f ? 9 : kSymbols;
      result.symbols.push_back(
          static_cast<std::int32_t>(random.uniform(place + 1) * static_cast<float>(range)));
    }
    for (Index b = 0; time > 1 && b < batch; ++b) {
      result.lengths.push_back(static_cast<std::int32_t>((b * 7 + 3) % (time + 1)));
    }
    return result;
  }

  Tensor run(const NativeBackend& backend, const Text& text, bool backwards, bool told) {
    Tensor x({text.time, text.batch, kInputs}), y({text.time, text.batch, kUnits});
    for (Index row = 0; row < text.time * text.batch; ++row) {
      const auto symbol = static_cast<Index>(text.symbols[static_cast<std::size_t>(row)]);
      std::copy_n(table.data() + symbol * kInputs, kInputs, x.data() + row * kInputs);
    }
    RecurrentForward<float> args{.cell = cell,
                                 .go_backwards = backwards,
                                 .x = x,
                                 .lengths = text.lengths,
                                 .kernel = kernel,
                                 .recurrent_kernel = recurrent_kernel,
                                 .bias = bias,
                                 .y = y,
                                 .weights_version = version};
    if (told) {
      args.symbols = {text.symbols.data(), {text.time, text.batch}};
      args.table = table;
    }
    std::vector<std::byte> own;
    std::vector<std::byte>& memory = told ? scratch : own;
    // As CallMemory does it, memory moves when more is needed.
    if (memory.size() < backend.scratch_bytes(args)) {
      memory = scratch_of(backend.scratch_bytes(args));
    }
    args.scratch = memory;
    backend.recurrent_forward(args);
    return y;
  }

  void expect_same(const NativeBackend& backend, const Text& text, bool backwards = false) {
    const Tensor known = run(backend, text, backwards, true);
    EXPECT_TRUE(bits_equal(known, run(backend, text, backwards, false)))
        << name_of(cell) << " T " << text.time << " B " << text.batch;
  }
};

TEST_P(NativeKnownInputs, HaveTheBitsOfThoseComputed) {
  for (const int threads : {1, 3}) {
    const NativeBackend backend = GetParam().backend(threads, 0);
    for (const Cell cell : kCells) {
      Layer layer(cell);
      layer.expect_same(backend, Layer::text(4, 5, 1));    // divided by units
      layer.expect_same(backend, Layer::text(1, 1, 2));    // single steps
      layer.expect_same(backend, Layer::text(1, 12, 3));
      layer.expect_same(backend, Layer::text(30, 40, 4));  // by sequences, in several chunks
      layer.expect_same(backend, Layer::text(6, 5, 5), true);
    }
  }
}

TEST_P(NativeKnownInputs, AreForgottenWithTheWeights) {
  const NativeBackend backend = GetParam().backend(2, 0);
  Layer layer(Cell::kLstm);
  const Layer::Text text = Layer::text(4, 5, 1);
  const Tensor before = layer.run(backend, text, false, true);
  fill_random(layer.table, 9);
  ++layer.version;
  EXPECT_FALSE(bits_equal(layer.run(backend, text, false, true), before));
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
