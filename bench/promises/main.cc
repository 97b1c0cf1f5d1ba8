// rnn_bench_promises: what the promises of DESIGN cost, each against a kernel that does not make it
// and is otherwise the same. Medians of rounds that alternate. See bench/README.md.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "bench/kernels/work.h"
#include "rnn/backend.h"
#include "rnn/random.h"
#include "rnn/tensor.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/promises/main.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::bench {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// c[n] = sum of a[k] * b[k][n] for four vectors of columns, each element in kSums sums that are
/// added at the end: with one, the order of k, as the promises want it.
template <int kSums>
void columns(const float* a, const float* b, long depth, float* c) {
  const hn::ScalableTag<float> d;
  const long lanes = static_cast<long>(hn::Lanes(d));
  hn::Vec<decltype(d)> sums[kSums][4];
  for (auto& row : sums) {
    for (auto& sum : row) sum = hn::Zero(d);
  }
  for (long k = 0; k + kSums <= depth; k += kSums) {
    for (int s = 0; s < kSums; ++s, b += 4 * lanes) {
      const auto x = hn::Set(d, a[k + s]);
      for (int v = 0; v < 4; ++v) {
        sums[s][v] = hn::MulAdd(x, hn::LoadU(d, b + v * lanes), sums[s][v]);
      }
    }
  }
  for (int v = 0; v < 4; ++v) {
    for (int s = 1; s < kSums; ++s) sums[0][v] = hn::Add(sums[0][v], sums[s][v]);
    hn::StoreU(sums[0][v], d, c + v * lanes);
  }
}
void columns_in_order(const float* a, const float* b, long depth, float* c) {
  columns<1>(a, b, depth, c);
}
void columns_in_four(const float* a, const float* b, long depth, float* c) {
  columns<4>(a, b, depth, c);
}
long panel_width() { return 4 * static_cast<long>(hn::Lanes(hn::ScalableTag<float>())); }

/// Dropout with a mask from memory, drawn once.
void multiply_by(const float* x, const float* mask, long size, float* y) {
  const hn::ScalableTag<float> d;
  const long lanes = static_cast<long>(hn::Lanes(d));
  for (long i = 0; i + lanes <= size; i += lanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::LoadU(d, mask + i)), d, y + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::bench {
HWY_EXPORT(columns_in_order);
HWY_EXPORT(columns_in_four);
HWY_EXPORT(panel_width);
HWY_EXPORT(multiply_by);
namespace {

template <class With, class Without>
void compare(const char* what, int rounds, const With& with, const Without& without) {
  with();
  without();
  std::vector<double> a, b, ratios;
  for (int round = 0; round < rounds; ++round) {
    a.push_back(seconds_a_call(with, 0.05));
    b.push_back(seconds_a_call(without, 0.05));
    ratios.push_back(a.back() / b.back());
  }
  std::printf("%-64s %9.4f ms, without %9.4f ms, price %+.1f %%\n", what, 1e3 * median(a),
              1e3 * median(b), 100 * (median(ratios) - 1));
  std::fflush(stdout);
}

void one_accumulator(long H, int rounds) {
  const long width = HWY_DYNAMIC_DISPATCH(panel_width)(), panels = 4 * H / width;
  std::vector<float> h(static_cast<std::size_t>(H), 0.5f);
  std::vector<float> weights(static_cast<std::size_t>(4 * H * H), 0.01f);
  std::vector<float> c(static_cast<std::size_t>(4 * H));
  const auto all = [&](auto kernel) {
    return [&, kernel] {
      for (long p = 0; p < panels; ++p) {
        kernel(h.data(), weights.data() + p * width * H, H, c.data() + p * width);
      }
    };
  };
  const std::string what = "one accumulator in the order of k: [1," + std::to_string(H) + "] x [" +
                           std::to_string(H) + "," + std::to_string(4 * H) + "], 1 thread";
  const auto in_order = [](auto... args) { HWY_DYNAMIC_DISPATCH(columns_in_order)(args...); };
  const auto in_four = [](auto... args) { HWY_DYNAMIC_DISPATCH(columns_in_four)(args...); };
  compare(what.c_str(), rounds, all(in_order), all(in_four));
}

/// A gradient of weights divided over its elements, against half of the rows for each thread and
/// the two results added.
void divided_over_outputs(Index rows, Index F, Index U, int rounds) {
  Tensor x({1, rows, F}), dy({1, rows, U}), kernel({F, U}), dkernel({F, U}), second({F, U});
  x.fill(0.5f);
  dy.fill(0.01f);
  std::vector<std::byte> scratch[2];
  const auto backward = [&](const Backend& backend, Index first, Index count, Tensor& gradient,
                            std::vector<std::byte>& memory) {
    DenseBackward<float> g;
    g.x = View<const float>(x.data() + first * F, {1, count, F});
    g.dy = View<const float>(dy.data() + first * U, {1, count, U});
    g.kernel = kernel.view();
    g.dkernel = gradient.view();
    memory.resize(std::max(memory.size(), backend.scratch_bytes(g)));
    g.scratch = memory;
    backend.dense_backward(g);
  };
  const auto two = make_backend({.name = "native", .threads = {.threads = 2}});
  const std::shared_ptr<const Backend> ones[] = {
      make_backend({.name = "native", .threads = {.threads = 1}}),
      make_backend({.name = "native", .threads = {.threads = 1}})};
  ThreadPool pool({.threads = 2});
  const std::string what = "same bits for any threads: gradient [" + std::to_string(F) + "," +
                           std::to_string(U) + "] of " + std::to_string(rows) + " rows, 2 threads";
  compare(
      what.c_str(), rounds, [&] { backward(*two, 0, rows, dkernel, scratch[0]); },
      [&] {
        pool.run(2, [&](int part) {
          if (part == 1) second.fill(0);
          backward(*ones[part], part * (rows / 2), rows / 2, part == 0 ? dkernel : second,
                   scratch[part]);
        });
        pool.run(2, [&](int part) {
          const Index half = dkernel.size() / 2;
          for (Index i = part * half; i < (part + 1) * half; ++i) dkernel[i] += second[i];
        });
      });
}

void counted_draws(Index T, Index B, Index F, int rounds) {
  Tensor x({T, B, F}), y({T, B, F}), mask({T, B, F});
  x.fill(1);
  mask.fill(2);
  const auto backend = make_backend({.name = "native", .threads = {.threads = 1}});
  const std::string what = "draws by counter: dropout of [" + std::to_string(T) + "," +
                           std::to_string(B) + "," + std::to_string(F) +
                           "], against a mask drawn beforehand, 1 thread";
  const auto multiply = [&] {
    HWY_DYNAMIC_DISPATCH(multiply_by)(x.data(), mask.data(), x.size(), y.data());
  };
  const auto drop = [&] {
    backend->dropout({.x = x.view(), .rate = 0.5f, .random = Random(1), .y = y.view()});
  };
  compare(what.c_str(), rounds, drop, multiply);
}

}  // namespace
}  // namespace rnn::bench

int main(int argc, char** argv) {
  const int rounds = argc > 2 && !std::strcmp(argv[1], "--rounds") ? std::atoi(argv[2]) : 7;
  rnn::bench::one_accumulator(256, rounds);
  rnn::bench::one_accumulator(512, rounds);
  rnn::bench::one_accumulator(1024, rounds);
  rnn::bench::divided_over_outputs(400, 200, 10000, rounds);
  rnn::bench::divided_over_outputs(700, 650, 2600, rounds);
  rnn::bench::counted_draws(35, 20, 650, rounds);
}
#endif
