// Weights that stay packed in scratch from call to call, on every path (SIMD target and precision):
// a pool gives a large call a team and a small one a single thread, and each takes the panels that
// the other left.
#include <gtest/gtest.h>

#include "support/compare.h"
#include "support/native_problem.h"
#include "support/random_problem.h"

namespace rnn::test {
namespace {

class NativePacking : public testing::TestWithParam<NativePath> {
 protected:
  /// Large calls of these tests are worth three threads, small ones are not.
  const NativeBackend native_ = GetParam().backend(3, 50'000);

  /// run(is_large, version, scratch) makes a call; `weights` are what it multiplies by.
  template <class Run>
  void expect_panels_to_serve(const std::vector<Tensor*>& weights, const Run& run) {
    for (const bool large_first : {true, false}) {
      SCOPED_TRACE(large_first ? "a team first" : "one thread first");
      const std::vector<bool> calls{large_first, !large_first, large_first};
      std::vector<std::byte> unused, scratch;
      std::vector<Tensor> expected, before;
      for (const bool is_large : calls) expected.push_back(run(is_large, 0, unused));
      for (Tensor* w : weights) before.push_back(*w);
      for (std::size_t call = 0; call < calls.size(); ++call) {
        EXPECT_TRUE(bits_equal(run(calls[call], 5, scratch), expected[call])) << "call " << call;
        for (Tensor* w : weights) w->fill(NAN);  // packing them again would show
      }
      for (std::size_t w = 0; w < weights.size(); ++w) *weights[w] = before[w];
    }
  }

  template <class Args, class Kernel>
  static void with_kept_scratch(const Backend& backend, Args args, std::vector<std::byte>& scratch,
                                const Kernel& kernel) {
    // Whole from the first call on: more memory would have nothing packed in it.
    scratch.resize(std::max<std::size_t>(scratch.size(), std::size_t{8} << 20));
    ASSERT_LE(backend.scratch_bytes(args), scratch.size());
    args.scratch = scratch;
    kernel(args);
  }
};

TEST_P(NativePacking, RecurrentPanelsServeTeamsOfAnySize) {
  for (const Variant& variant : all_variants()) {
    SCOPED_TRACE(variant.name);
    RecurrentProblem<float> large({.cell = variant.cell,
                                   .extras = variant.extras,
                                   .time = 3,
                                   .batch = 8,
                                   .inputs = 37,
                                   .units = 83});
    RecurrentProblem<float> small = window(select(large, {0}, 3), 0, 1);
    const auto run = [&](bool is_large, std::uint64_t version, std::vector<std::byte>& scratch) {
      RecurrentProblem<float>& problem = is_large ? large : small;
      problem.prepare();
      RecurrentForward<float> args = problem.inference_args();
      args.kernel = large.kernel;
      args.recurrent_kernel = large.recurrent_kernel;
      args.options.projection = large.projection;
      args.weights_version = version;
      with_kept_scratch(native_, args, scratch,
                        [&](const auto& a) { native_.recurrent_forward(a); });
      return problem.y;
    };
    std::vector<Tensor*> weights{&large.kernel, &large.recurrent_kernel};
    if (variant.extras.projection) weights.push_back(&large.projection);
    expect_panels_to_serve(weights, run);
  }
}

TEST_P(NativePacking, DensePanelsServeTeamsOfAnySize) {
  for (const Index units : {1, 19, 83, 301}) {
    for (const bool transposed : {false, true}) {
      SCOPED_TRACE(testing::Message() << units << (transposed ? " transposed" : ""));
      Tensor kernel = random_tensor(transposed ? Shape{units, 140} : Shape{140, units}, 1);
      const Tensor x = random_tensor({1, 60, 140}, 2), bias = random_tensor({units}, 3);
      const auto run = [&](bool is_large, std::uint64_t version, std::vector<std::byte>& scratch) {
        const Index rows = is_large ? 60 : 1;
        Tensor y({1, rows, units});
        with_kept_scratch(native_,
                          DenseForward<float>{.x = {x.data(), {1, rows, 140}},
                                              .kernel = kernel,
                                              .transposed = transposed,
                                              .bias = bias,
                                              .y = y,
                                              .weights_version = version},
                          scratch, [&](const auto& a) { native_.dense_forward(a); });
        return y;
      };
      expect_panels_to_serve({&kernel}, run);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, NativePacking, testing::ValuesIn(all_native_paths()), path_name);

}  // namespace
}  // namespace rnn::test
