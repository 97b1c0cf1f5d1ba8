// Recurrent problems for the tests of the native backend, and what a backend makes of them.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/reference/reference_backend.h"
#include "rnn/tensor.h"
#include "support/compare.h"
#include "support/native_paths.h"

namespace rnn::test {

inline constexpr Cell kCells[] = {Cell::kLstm,           Cell::kLstmCoupled, Cell::kGru,
                                  Cell::kGruResetBefore, Cell::kRnnTanh,     Cell::kRnnRelu};

/// Uniform in [-scale, scale), distinct for every seed.
template <class T>
void fill_random(BasicTensor<T>& tensor, std::uint64_t seed, float scale = 1) {
  const Random random = Random(seed).fold(17);
  for (Index i = 0; i < tensor.size(); ++i) {
    tensor[i] = T(scale * (2 * random.uniform(static_cast<std::uint64_t>(i)) - 1));
  }
}
template <class T = float>
BasicTensor<T> random_tensor(const Shape& shape, std::uint64_t seed, float scale = 1) {
  BasicTensor<T> tensor(shape);
  fill_random(tensor, seed, scale);
  return tensor;
}

/// The nearest bf16, ties to even.
inline float to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (std::isnan(x)) return std::bit_cast<float>(bits | 0x400000u);
  return std::bit_cast<float>((bits + 0x7FFFu + (bits >> 16 & 1)) & 0xFFFF0000u);
}
template <class T>
void round_to_bf16(BasicTensor<T>& tensor) {
  for (Index i = 0; i < tensor.size(); ++i) tensor[i] = T(to_bf16(static_cast<float>(tensor[i])));
}

inline std::vector<std::byte> scratch_of(std::size_t bytes) {
  // Whatever stands in scratch must not matter.
  return std::vector<std::byte>(bytes, std::byte{0xFF});
}

struct RecurrentShape {
  Cell cell = Cell::kLstm;
  Index T = 5, B = 3, I = 7, H = 9;
  bool go_backwards = false;
  bool bias = true, initial_state = true, final_gradient = true;
  std::vector<std::int32_t> lengths{};

  std::string to_string() const {
    std::ostringstream text;
    text << name_of(cell) << " T" << T << " B" << B << " I" << I << " H" << H
         << (go_backwards ? " backwards" : "") << (bias ? "" : " without bias")
         << (initial_state ? "" : " from zero") << " lengths";
    for (std::int32_t length : lengths) text << ' ' << length;
    return text.str();
  }
};

/// Inputs of both directions. Padding holds NaN, which must never be read.
template <class T>
struct RecurrentInputs {
  RecurrentShape shape;
  BasicTensor<T> x, kernel, recurrent_kernel, bias, h0, c0, dy, dhn, dcn;

  explicit RecurrentInputs(const RecurrentShape& s, std::uint64_t seed = 1)
      : shape(s),
        x(random_tensor<T>({s.T, s.B, s.I}, seed + 1)),
        kernel(random_tensor<T>({s.I, gates_of(s.cell) * s.H}, seed + 2, 0.6f)),
        recurrent_kernel(random_tensor<T>({s.H, gates_of(s.cell) * s.H}, seed + 3,
                                          1.0f / std::sqrt(static_cast<float>(s.H)))),
        bias(random_tensor<T>(bias_shape(s.cell, s.H), seed + 4, 0.5f)),
        h0(random_tensor<T>({s.B, s.H}, seed + 5)),
        c0(random_tensor<T>({s.B, s.H}, seed + 6)),
        dy(random_tensor<T>({s.T, s.B, s.H}, seed + 7)),
        dhn(random_tensor<T>({s.B, s.H}, seed + 8)),
        dcn(random_tensor<T>({s.B, s.H}, seed + 9)) {
    for (Index b = 0; b < s.B; ++b) {
      for (Index t = length_of(s.lengths, b, s.T); t < s.T; ++t) {
        const T nan = std::numeric_limits<T>::quiet_NaN();
        std::fill_n(x.data() + (t * s.B + b) * s.I, s.I, nan);
        std::fill_n(dy.data() + (t * s.B + b) * s.H, s.H, nan);
      }
    }
  }
};

template <class T>
struct RecurrentOutputs {
  BasicTensor<T> y, hn, cn, y_inference, dx, dh0, dc0, dkernel, drecurrent_kernel, dbias;
};

/// Forward with and without keeping the gates, then backward.
template <class T>
RecurrentOutputs<T> run_recurrent(const BasicBackend<T>& backend, const RecurrentInputs<T>& in) {
  const RecurrentShape& s = in.shape;
  const bool lstm = has_cell_state(s.cell);
  const Index width = gates_of(s.cell) * s.H;
  RecurrentOutputs<T> out;
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const auto make = [nan](const Shape& shape) {
    BasicTensor<T> tensor(shape);
    tensor.fill(nan);  // outputs are overwritten
    return tensor;
  };
  out.y = make({s.T, s.B, s.H});
  out.y_inference = make({s.T, s.B, s.H});
  out.hn = make({s.B, s.H});
  out.cn = make({s.B, s.H});
  BasicTensor<T> gates = make({s.T, s.B, width}), extra = make({s.T, s.B, s.H});

  RecurrentForward<T> f;
  f.cell = s.cell;
  f.go_backwards = s.go_backwards;
  f.x = in.x.view();
  f.lengths = s.lengths;
  f.kernel = in.kernel.view();
  f.recurrent_kernel = in.recurrent_kernel.view();
  if (s.bias) f.bias = in.bias.view();
  if (s.initial_state) f.h0 = in.h0.view();
  if (s.initial_state && lstm) f.c0 = in.c0.view();
  f.y = out.y_inference.view();
  {
    auto scratch = scratch_of(backend.scratch_bytes(f));
    f.scratch = scratch;
    backend.recurrent_forward(f);
  }
  f.y = out.y.view();
  f.hn = out.hn.view();
  if (lstm) f.cn = out.cn.view();
  f.gates = gates.view();
  if (keeps_extra(s.cell)) f.extra = extra.view();
  {
    auto scratch = scratch_of(backend.scratch_bytes(f));
    f.scratch = scratch;
    backend.recurrent_forward(f);
  }

  out.dx = make({s.T, s.B, s.I});
  out.dh0 = make({s.B, s.H});
  out.dc0 = make({s.B, s.H});
  out.dkernel = random_tensor<T>({s.I, width}, 91);
  out.drecurrent_kernel = random_tensor<T>({s.H, width}, 92);
  out.dbias = random_tensor<T>(bias_shape(s.cell, s.H), 93);
  RecurrentBackward<T> g;
  g.cell = s.cell;
  g.go_backwards = s.go_backwards;
  g.x = f.x;
  g.lengths = s.lengths;
  g.kernel = f.kernel;
  g.recurrent_kernel = f.recurrent_kernel;
  g.h0 = f.h0;
  g.c0 = f.c0;
  g.y = f.y;
  g.gates = f.gates;
  g.extra = f.extra;
  g.dy = in.dy.view();
  if (s.final_gradient) g.dhn = in.dhn.view();
  if (s.final_gradient && lstm) g.dcn = in.dcn.view();
  g.dx = out.dx.view();
  g.dh0 = out.dh0.view();
  if (lstm) g.dc0 = out.dc0.view();
  g.dkernel = out.dkernel.view();
  g.drecurrent_kernel = out.drecurrent_kernel.view();
  if (s.bias) g.dbias = out.dbias.view();
  auto scratch = scratch_of(backend.scratch_bytes(g));
  g.scratch = scratch;
  backend.recurrent_backward(g);
  if (!lstm) {
    out.cn.fill(T(0));
    out.dc0.fill(T(0));
  }
  return out;
}

/// Largest |a - b| relative to the largest |b| or 1; NaN where there is one.
template <class A, class B>
double distance(const BasicTensor<A>& a, const BasicTensor<B>& b) {
  double most = 0, scale = 1;
  for (Index i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (std::isnan(difference)) return difference;
    most = std::max(most, difference);
    scale = std::max(scale, std::abs(static_cast<double>(b[i])));
  }
  return most / scale;
}

}  // namespace rnn::test
