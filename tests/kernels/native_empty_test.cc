// The native kernels where there is nothing to do: no step, no sequence, or no sequence with a
// step, on every path (SIMD target and precision). States are carried, padding is zero, gradients
// of parameters stay as they are.
#include <gtest/gtest.h>

#include "support/compare.h"
#include "support/native_problem.h"
#include "support/random_problem.h"

namespace rnn::test {
namespace {

struct EmptyBatch {
  Index time, batch;
  std::vector<std::int32_t> lengths;
};
const EmptyBatch kEmptyBatches[] = {
    {0, 3, {}}, {0, 3, {0, 0, 0}}, {4, 0, {}}, {0, 0, {}}, {4, 3, {0, 0, 0}}};

class NativeEmpty : public testing::TestWithParam<NativePath> {
 protected:
  static NativeBackend backend() { return GetParam().backend(3, 0); }
};

bool all_zero(const Tensor& tensor) {
  return std::all_of(tensor.view().begin(), tensor.view().end(), [](float x) { return x == 0; });
}

TEST_P(NativeEmpty, RecurrentLayersCarryTheirState) {
  const NativeBackend native = backend();
  for (const Variant& variant : all_variants()) {
    for (const auto& [time, batch, lengths] : kEmptyBatches) {
      for (const bool initial_state : {true, false}) {
        SCOPED_TRACE(variant.name + " T " + std::to_string(time) + " B " + std::to_string(batch));
        RecurrentProblem<float> problem({.cell = variant.cell,
                                         .extras = variant.extras,
                                         .time = time,
                                         .batch = batch,
                                         .inputs = 7,
                                         .units = 19,
                                         .lengths = lengths,
                                         .initial_state = initial_state});
        const bool with_c = has_cell_state(variant.cell);
        const auto expect_carried = [&] {
          EXPECT_TRUE(all_zero(problem.y));
          EXPECT_TRUE(initial_state ? bits_equal(problem.hn, problem.h0) : all_zero(problem.hn));
          if (!with_c) return;
          EXPECT_TRUE(initial_state ? bits_equal(problem.cn, problem.c0) : all_zero(problem.cn));
        };
        with_scratch(native, problem.inference_args(),
                     [&](const auto& a) { native.recurrent_forward(a); });
        expect_carried();
        if (!GetParam().trains()) continue;
        problem.prepare();
        problem.forward(native);
        expect_carried();
        for (const auto& parameter : problem.parameters()) parameter.gradient->fill(0.5f);
        problem.backward(native);
        EXPECT_TRUE(all_zero(problem.dx));
        EXPECT_TRUE(bits_equal(problem.dh0, problem.dhn));
        if (with_c) {
          EXPECT_TRUE(bits_equal(problem.dc0, problem.dcn));
        }
        for (const auto& parameter : problem.parameters()) {
          Tensor untouched(parameter.gradient->shape());
          untouched.fill(0.5f);
          EXPECT_TRUE(bits_equal(*parameter.gradient, untouched)) << parameter.name;
        }
      }
    }
  }
}

TEST_P(NativeEmpty, DenseLayersGiveZeros) {
  const NativeBackend native = backend();
  for (const auto& [time, batch, lengths] : kEmptyBatches) {
    for (const bool transposed : {false, true}) {
      SCOPED_TRACE(testing::Message() << time << ' ' << batch << ' ' << transposed);
      const Tensor x = poisoned<float>({time, batch, 7}), dy = poisoned<float>({time, batch, 19});
      const Tensor kernel = random_tensor(transposed ? Shape{19, 7} : Shape{7, 19}, 1);
      const Tensor bias = random_tensor({19}, 2);
      Tensor y = poisoned<float>({time, batch, 19}), dx = poisoned<float>({time, batch, 7});
      Tensor dkernel(kernel.shape()), dbias({19});
      with_scratch(native,
                   DenseForward<float>{.x = x,
                                       .lengths = lengths,
                                       .kernel = kernel,
                                       .transposed = transposed,
                                       .bias = bias,
                                       .y = y},
                   [&](const auto& a) { native.dense_forward(a); });
      EXPECT_TRUE(all_zero(y));
      if (!GetParam().trains()) continue;
      with_scratch(native,
                   DenseBackward<float>{.x = x,
                                        .lengths = lengths,
                                        .kernel = kernel,
                                        .transposed = transposed,
                                        .dy = dy,
                                        .dx = dx,
                                        .dkernel = dkernel,
                                        .dbias = dbias},
                   [&](const auto& a) { native.dense_backward(a); });
      EXPECT_TRUE(all_zero(dx));
      EXPECT_TRUE(all_zero(dkernel));
      EXPECT_TRUE(all_zero(dbias));
    }
  }
}

TEST_P(NativeEmpty, EmbeddingsAndDropoutGiveZeros) {
  const NativeBackend native = backend();
  for (const auto& [time, batch, lengths] : kEmptyBatches) {
    SCOPED_TRACE(testing::Message() << time << ' ' << batch);
    BasicTensor<std::int32_t> ids({time, batch});
    ids.fill(2);
    const Tensor table = random_tensor({5, 19}, 1), dy = poisoned<float>({time, batch, 19});
    Tensor y = poisoned<float>({time, batch, 19}), dtable({5, 19});
    native.embedding_forward({ids.view(), lengths, table.view(), y.view()});
    EXPECT_TRUE(all_zero(y));
    native.embedding_backward({ids.view(), lengths, dy.view(), dtable.view()});
    EXPECT_TRUE(all_zero(dtable));
    Tensor dropped = poisoned<float>({time, batch, 19});
    native.dropout({.x = dy.view(), .lengths = lengths, .rate = 0.5f, .y = dropped.view()});
    EXPECT_TRUE(all_zero(dropped));
  }
}

TEST_P(NativeEmpty, SoftmaxLossesOfNothingAreNothing) {
  if (!GetParam().trains()) return;
  const NativeBackend native = backend();
  for (const auto& [time, batch, lengths] : kEmptyBatches) {
    for (const bool transposed : {false, true}) {
      SCOPED_TRACE(testing::Message() << time << ' ' << batch << ' ' << transposed);
      const Tensor x = poisoned<float>({time, batch, 7});
      const Tensor kernel = random_tensor(transposed ? Shape{19, 7} : Shape{7, 19}, 1);
      const Tensor bias = random_tensor({19}, 2);
      BasicTensor<std::int32_t> targets({time * batch});
      targets.fill(-1);  // padding is masked
      Tensor nats = poisoned<float>({time * batch}), dx = poisoned<float>({time, batch, 7});
      Tensor dkernel(kernel.shape()), dbias({19});
      SoftmaxLossForward<float> forward{.x = x,
                                        .lengths = lengths,
                                        .kernel = kernel,
                                        .transposed = transposed,
                                        .bias = bias,
                                        .targets = targets,
                                        .nats = nats};
      Tensor kept = poisoned<float>({native.kept_floats(forward)});
      forward.kept = kept;
      with_scratch(native, forward, [&](const auto& a) { native.softmax_loss_forward(a); });
      EXPECT_TRUE(all_zero(nats));
      with_scratch(native,
                   SoftmaxLossBackward<float>{.x = x,
                                              .lengths = lengths,
                                              .kernel = kernel,
                                              .transposed = transposed,
                                              .targets = targets,
                                              .kept = kept,
                                              .dx = dx,
                                              .dkernel = dkernel,
                                              .dbias = dbias},
                   [&](const auto& a) { native.softmax_loss_backward(a); });
      EXPECT_TRUE(all_zero(dx));
      EXPECT_TRUE(all_zero(dkernel));
      EXPECT_TRUE(all_zero(dbias));
    }
  }
}

TEST_P(NativeEmpty, LossesOfNothingAreNothing) {
  const NativeBackend native = backend();
  for (const Index rows : {0, 3}) {
    const Tensor logits = random_tensor({rows, 19}, 1);
    BasicTensor<std::int32_t> targets({rows});
    targets.fill(-1);  // masked
    Tensor nats = poisoned<float>({rows}), normalizer = poisoned<float>({rows});
    Tensor dlogits = poisoned<float>({rows, 19});
    native.cross_entropy_forward({logits.view(), targets.view(), nats.view(), normalizer.view()});
    native.cross_entropy_backward({.logits = logits.view(),
                                   .targets = targets.view(),
                                   .log_normalizer = normalizer.view(),
                                   .scale = 1,
                                   .dlogits = dlogits.view()});
    EXPECT_TRUE(all_zero(nats));
    EXPECT_TRUE(all_zero(dlogits));
  }
  Tensor nothing({0, 19});
  native.softmax({nothing.view(), nothing.view()});
  native.activation_forward({Activation::kTanh, nothing.view(), nothing.view()});
  native.activation_backward({Activation::kTanh, nothing.view(), nothing.view(), nothing.view()});
  native.fill(nothing.view(), 1);
  native.clip(nothing.view(), 1);
  EXPECT_EQ(native.sum_of_squares(nothing.view()), 0);
}

INSTANTIATE_TEST_SUITE_P(Paths, NativeEmpty, testing::ValuesIn(all_native_paths()), path_name);

}  // namespace
}  // namespace rnn::test
