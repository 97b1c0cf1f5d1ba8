#include <gtest/gtest.h>

#include "kernels/reference/reference_backend.h"
#include "support/compare.h"
#include "support/complex_step.h"
#include "support/for_each_backend.h"
#include "support/projection.h"
#include "support/random_values.h"

namespace rnn {
namespace {

using test::close_to;
using test::Complex;
using test::complex_step;
using test::poisoned;
using test::random_values;

constexpr Index kTime = 7, kBatch = 3, kWidth = 2;

struct Layout {
  Index places, kernel_size, stride, dilation, left;
};
constexpr Layout kLayouts[] = {{7, 3, 1, 1, 1}, {7, 3, 1, 2, 4}, {4, 2, 2, 3, 1}, {3, 5, 1, 1, 0}};
const std::vector<std::int32_t> kLengths{5, 0, 7};

template <class T>
struct Problem {
  explicit Problem(const Layout& chosen) : layout(chosen) {
    x = random_values<T>({kTime, kBatch, kWidth}, Random(1));
    test::poison_padding(x, kLengths);
    context = random_values<T>({kBatch, layout.left * kWidth}, Random(2));
    new_context = poisoned<T>(context.shape());
    y = poisoned<T>({layout.places, kBatch, layout.kernel_size * kWidth});
    for (std::int32_t length : kLengths) {  // any will do that leaves padding
      y_lengths.push_back(std::min(length, static_cast<std::int32_t>(layout.places)));
    }
  }
  void forward(const BasicBackend<T>& backend) {
    backend.window_forward({.x = x,
                            .lengths = kLengths,
                            .y_lengths = y_lengths,
                            .stride = layout.stride,
                            .dilation = layout.dilation,
                            .left = layout.left,
                            .context = context,
                            .y = y,
                            .new_context = new_context});
  }
  Layout layout;
  BasicTensor<T> x, context, new_context, y;
  std::vector<std::int32_t> y_lengths;
};

/// Step s of sequence b, with its context before it; zero outside.
float step(const Problem<float>& p, Index s, Index b, Index f) {
  if (s < -p.layout.left || s >= kLengths[static_cast<std::size_t>(b)]) return 0;
  return s >= 0 ? p.x.view()(s, b, f) : p.context.view()(b, (s + p.layout.left) * kWidth + f);
}

TEST(WindowKernel, PutsWhatAPlaceSeesSideBySide) {
  test::for_each_backend([](const Backend& backend) {
    for (const Layout& layout : kLayouts) {
      Problem<float> p(layout);
      p.forward(backend);
      for (Index b = 0; b < kBatch; ++b) {
        for (Index t = 0; t < layout.places; ++t) {
          for (Index k = 0; k < layout.kernel_size; ++k) {
            for (Index f = 0; f < kWidth; ++f) {
              const bool padding = t >= p.y_lengths[static_cast<std::size_t>(b)];
              const Index s = t * layout.stride - layout.left + k * layout.dilation;
              EXPECT_EQ(p.y.view()(t, b, k * kWidth + f), padding ? 0 : step(p, s, b, f));
            }
          }
        }
        for (Index i = 0; i < layout.left; ++i) {
          for (Index f = 0; f < kWidth; ++f) {
            const Index s = kLengths[static_cast<std::size_t>(b)] - layout.left + i;
            EXPECT_EQ(p.new_context.view()(b, i * kWidth + f), step(p, s, b, f));
          }
        }
      }
    }
  });
}

TEST(WindowKernel, GradientEqualsComplexStep) {
  for (const Layout& layout : kLayouts) {
    const Problem<double> p(layout);
    const auto dy = random_values<double>(p.y.shape(), Random(3));
    const auto dnew = random_values<double>(p.context.shape(), Random(4));
    auto dy_poisoned = dy;
    test::poison_padding(dy_poisoned, p.y_lengths);
    auto dx = poisoned<double>(p.x.shape()), dcontext = poisoned<double>(p.context.shape());
    ReferenceBackend<double>().window_backward({.lengths = kLengths,
                                                .y_lengths = p.y_lengths,
                                                .stride = layout.stride,
                                                .dilation = layout.dilation,
                                                .left = layout.left,
                                                .dy = dy_poisoned,
                                                .dnew_context = dnew,
                                                .dx = dx,
                                                .dcontext = dcontext});
    Problem<Complex> c(layout);
    const auto loss = [&] {
      c.forward(ReferenceBackend<Complex>());
      Complex sum = test::projected(c.y, dy, c.y_lengths);
      for (Index i = 0; i < dnew.size(); ++i) sum += dnew[i] * c.new_context[i];
      return sum;
    };
    EXPECT_TRUE(close_to(dx, complex_step(c.x, loss), {1e-10, 1e-14}));
    EXPECT_TRUE(close_to(dcontext, complex_step(c.context, loss), {1e-10, 1e-14}));
  }
}

}  // namespace
}  // namespace rnn
