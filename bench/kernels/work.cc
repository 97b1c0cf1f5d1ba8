#include "bench/kernels/work.h"

#include "rnn/random.h"

namespace rnn::bench {
namespace {

Tensor random_tensor(const Shape& shape, std::uint64_t seed, float scale, const Backend& backend) {
  Tensor tensor(shape, backend.memory());
  const Random random(seed);
  for (Index i = 0; i < tensor.size(); ++i) {
    tensor[i] = scale * (2 * random.uniform(static_cast<std::uint64_t>(i)) - 1);
  }
  return tensor;
}

std::span<std::byte> scratch_in(BasicTensor<std::byte>& memory, std::size_t bytes) {
  memory.resize({std::max(memory.size(), static_cast<Index>(bytes))});
  return {memory.data(), static_cast<std::size_t>(memory.size())};
}

}  // namespace

RecurrentWork::RecurrentWork(const Backend& backend, Cell cell, Index T, Index B, Index I, Index H,
                             std::vector<std::int32_t> lengths)
    : backend_(backend),
      cell_(cell),
      lengths_(std::move(lengths)),
      x_(random_tensor({T, B, I}, 1, 1, backend)),
      kernel_(random_tensor({I, gates_of(cell) * H}, 2, 0.05f, backend)),
      recurrent_kernel_(random_tensor({H, gates_of(cell) * H}, 3, 0.05f, backend)),
      bias_(random_tensor(bias_shape(cell, H), 4, 0.1f, backend)),
      h_(Shape{B, H}, backend.memory()),
      c_(Shape{B, H}, backend.memory()),
      y_(Shape{T, B, H}, backend.memory()),
      gates_(Shape{T, B, gates_of(cell) * H}, backend.memory()),
      extra_(Shape{T, B, H}, backend.memory()),
      dy_(random_tensor({T, B, H}, 5, 0.01f, backend)),
      dx_(Shape{T, B, I}, backend.memory()),
      dkernel_(kernel_.shape(), backend.memory()),
      drecurrent_kernel_(recurrent_kernel_.shape(), backend.memory()),
      dbias_(bias_.shape(), backend.memory()),
      scratch_(backend.memory()),
      inference_scratch_(backend.memory()) {
  Index rows = 0;
  for (Index b = 0; b < B; ++b) rows += length_of(lengths_, b, T);
  operations_ = 2.0 * static_cast<double>(rows * (I + H) * gates_of(cell) * H);
}

RecurrentForward<float> RecurrentWork::forward_args() {
  RecurrentForward<float> f;
  f.cell = cell_;
  f.lengths = lengths_;
  f.x = x_.view();
  f.kernel = kernel_.view();
  f.recurrent_kernel = recurrent_kernel_.view();
  f.bias = bias_.view();
  f.y = y_.view();
  return f;
}

void RecurrentWork::forward() {
  RecurrentForward<float> f = forward_args();
  f.gates = gates_.view();
  if (keeps_extra(cell_)) f.extra = extra_.view();
  f.scratch = scratch_in(scratch_, backend_.scratch_bytes(f));
  backend_.recurrent_forward(f);
}

void RecurrentWork::backward() {
  RecurrentBackward<float> g;
  g.cell = cell_;
  g.lengths = lengths_;
  g.x = x_.view();
  g.kernel = kernel_.view();
  g.recurrent_kernel = recurrent_kernel_.view();
  g.y = y_.view();
  g.gates = gates_.view();
  if (keeps_extra(cell_)) g.extra = extra_.view();
  g.dy = dy_.view();
  g.dx = dx_.view();
  g.dkernel = dkernel_.view();
  g.drecurrent_kernel = drecurrent_kernel_.view();
  g.dbias = dbias_.view();
  g.scratch = scratch_in(scratch_, backend_.scratch_bytes(g));
  backend_.recurrent_backward(g);
}

void RecurrentWork::infer(Index steps) {
  RecurrentForward<float> f = forward_args();
  f.x = View<const float>(x_.data(), {steps, x_.extent(1), x_.extent(2)});
  f.y = View<float>(y_.data(), {steps, y_.extent(1), y_.extent(2)});
  f.lengths = {};
  f.h0 = h_.view();
  f.hn = h_.view();
  if (cell_ == Cell::kLstm) {
    f.c0 = c_.view();
    f.cn = c_.view();
  }
  f.weights_version = 1;
  f.scratch = scratch_in(inference_scratch_, backend_.scratch_bytes(f));
  backend_.recurrent_forward(f);
}

}  // namespace rnn::bench
