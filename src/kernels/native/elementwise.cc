// Dropout and activations.
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/elementwise.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/native/kernel_table.h"
#include "kernels/native/math-inl.h"
#include "kernels/native/schedule.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

// Multiply-adds that an element is worth, for the schedule.
constexpr Index kElementCost = 16;

/// The uniform draws of units [first, first + size) of one row, rounded up to whole batches:
/// Random::block(example, time, quarter) for many quarters at once. A 64-bit lane carries one
/// block; only the low halves of its four words matter.
#if HWY_TARGET == HWY_SCALAR
void draw_row(const Random& random, std::uint32_t example, std::uint32_t time, Index first,
              Index size, float* draws) {
  for (Index i = 0; i < size; i += 4) {
    const Random::Block block =
        random.block(example, time, static_cast<std::uint32_t>((first + i) / 4));
    for (Index j = 0; j < 4; ++j) draws[i + j] = Random::to_uniform(block[static_cast<size_t>(j)]);
  }
}
constexpr Index kDrawsAtOnce = 4;
#else
constexpr Index kBlocksAtOnce = static_cast<Index>(HWY_LANES(std::uint64_t));
constexpr Index kDrawsAtOnce = 4 * kBlocksAtOnce;

void draw_row(const Random& random, std::uint32_t example, std::uint32_t time, Index first,
              Index size, float* draws) {
  const hn::ScalableTag<std::uint64_t> wide;
  const hn::RepartitionToNarrow<decltype(wide)> words;
  const auto narrow = [&](auto v) HWY_ATTR { return hn::BitCast(words, v); };
  const std::uint64_t low_half = 0xFFFFFFFFu;
  for (Index i = 0; i < size; i += kDrawsAtOnce) {
    auto c0 = narrow(hn::Set(wide, std::uint64_t{example}));
    auto c1 = narrow(hn::Set(wide, std::uint64_t{time}));
    auto c2 = narrow(hn::Iota(wide, static_cast<std::uint64_t>((first + i) / 4)));
    auto c3 = hn::Zero(words);
    std::uint32_t k0 = static_cast<std::uint32_t>(random.key());
    std::uint32_t k1 = static_cast<std::uint32_t>(random.key() >> 32);
    for (int round = 0; round < 10; ++round) {
      const auto p0 = hn::MulEven(hn::Set(words, 0xD2511F53u), c0);
      const auto p1 = hn::MulEven(hn::Set(words, 0xCD9E8D57u), c2);
      const auto high0 = narrow(hn::ShiftRight<32>(p0)), high1 = narrow(hn::ShiftRight<32>(p1));
      c0 = hn::Xor(hn::Xor(high1, c1), hn::Set(words, k0));
      c1 = narrow(p1);
      c2 = hn::Xor(hn::Xor(high0, c3), hn::Set(words, k1));
      c3 = narrow(p0);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    // Word j of block q is the draw of unit 4q + j: two words side by side, then two pairs.
    const auto mask = hn::Set(wide, low_half);
    const auto pair = [&](auto low, auto high) HWY_ATTR {
      return hn::Or(hn::And(hn::BitCast(wide, low), mask),
                    hn::ShiftLeft<32>(hn::BitCast(wide, high)));
    };
    alignas(64) std::uint64_t pairs[2 * HWY_LANES(std::uint64_t)];
    hn::StoreInterleaved2(pair(c0, c1), pair(c2, c3), wide, pairs);
    const hn::RebindToSigned<decltype(words)> ints;
    for (Index j = 0; j < 2; ++j) {
      const auto bits = narrow(hn::Load(wide, pairs + j * kBlocksAtOnce));
      const auto whole = hn::ConvertTo(Floats(), hn::BitCast(ints, hn::ShiftRight<8>(bits)));
      store(hn::Mul(whole, splat(0x1p-24f)), draws + i + j * kLanes);
    }
  }
}
#endif

template <class Work>
void for_elements(Index size, ThreadPool& pool, const Work& work) {
  const Index vectors = vectors_of(size);
  const int parts = pool.threads_for(size * kElementCost);
  pool.run(parts, [&](int part) HWY_ATTR {
    const Index begin = vectors * part / parts * kLanes;
    const Index end = HWY_MIN(size, vectors * (part + 1) / parts * kLanes);
    for_vectors(end - begin, [&](Index i, Index n) HWY_ATTR { work(begin + i, n); });
  });
}

}  // namespace

void dropout(const DropoutForward<float>& a, ThreadPool& pool) {
  const Index time = a.y.extent(0), batch = a.y.extent(1), F = a.y.extent(2);
  const FloatVec rate = splat(a.rate), scale = splat(a.scaled ? 1.0f / (1.0f - a.rate) : 1.0f);
  const int parts = pool.threads_for(time * batch * F * kElementCost);
  pool.run(parts, [&](int part) HWY_ATTR {
    // Draws are made a stretch at a time, so that they need no memory of the row's size.
    constexpr Index kStretch = 16 * kDrawsAtOnce;
    alignas(64) float draws[kStretch];
    for (Index row = time * batch * part / parts; row < time * batch * (part + 1) / parts; ++row) {
      const Index t = row / batch, b = row % batch;
      float* y = a.y.data() + row * F;
      if (t >= length_of(a.lengths, b, time)) {
        std::memset(y, 0, static_cast<size_t>(F) * sizeof(float));
        continue;
      }
      const float* x = a.x ? a.x.data() + row * F : nullptr;
      const auto example = a.examples.empty() ? static_cast<std::uint32_t>(b)
                                              : a.examples[static_cast<std::size_t>(b)];
      const auto drawn_at = a.shared_over_time ? 0u : static_cast<std::uint32_t>(t);
      for (Index first = 0; first < F; first += kStretch) {
        const Index size = HWY_MIN(kStretch, F - first);
        draw_row(a.random, example, drawn_at, first, size, draws);
        for_vectors(size, [&](Index i, Index n) HWY_ATTR {
          const auto kept = hn::Ge(load(draws + i), rate);
          const FloatVec value = x ? hn::Mul(load_n(x + first + i, n), scale) : scale;
          store_n(hn::IfThenElseZero(kept, value), y + first + i, n);
        });
      }
    }
  });
}

void activation_forward(const ActivationForward<float>& a, ThreadPool& pool) {
  for_elements(a.x.size(), pool, [&](Index i, Index n) HWY_ATTR {
    const FloatVec x = load_n(a.x.data() + i, n);
    const FloatVec y = a.activation == Activation::kTanh ? tanh_of(x)
                       : a.activation == Activation::kSigmoid
                           ? sigmoid_of(x)
                           : hn::IfThenElseZero(hn::Gt(x, hn::Zero(Floats())), x);
    store_n(y, a.y.data() + i, n);
  });
}

void activation_backward(const ActivationBackward<float>& a, ThreadPool& pool) {
  const FloatVec one = splat(1.0f);
  for_elements(a.y.size(), pool, [&](Index i, Index n) HWY_ATTR {
    const FloatVec y = load_n(a.y.data() + i, n), dy = load_n(a.dy.data() + i, n);
    const FloatVec dx = a.activation == Activation::kTanh ? hn::Mul(dy, hn::NegMulAdd(y, y, one))
                        : a.activation == Activation::kSigmoid
                            ? hn::Mul(hn::Mul(dy, y), hn::Sub(one, y))
                            : hn::IfThenElseZero(hn::Gt(y, hn::Zero(Floats())), dy);
    store_n(dx, a.dx.data() + i, n);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::native {
HWY_EXPORT(dropout);
HWY_EXPORT(activation_forward);
HWY_EXPORT(activation_backward);

void fill_elementwise(KernelTable& table, int target) {
  table.dropout = HWY_DISPATCH_TABLE(dropout)[target];
  table.activation_forward = HWY_DISPATCH_TABLE(activation_forward)[target];
  table.activation_backward = HWY_DISPATCH_TABLE(activation_backward)[target];
}
}  // namespace rnn::native
#endif
