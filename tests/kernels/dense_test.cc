#include <gtest/gtest.h>

#include <vector>

#include "kernels/reference/reference_backend.h"
#include "support/compare.h"
#include "support/complex_step.h"
#include "support/for_each_backend.h"
#include "support/random_values.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::close_to;
using test::Complex;
using test::complex_step;
using test::poison_padding;
using test::poisoned;
using test::random_values;
using test::with_scratch;

struct Options {
  Index time = 3, batch = 4, features = 5, units = 7;
  bool transposed = false, bias = true;
  std::vector<std::int32_t> lengths{};
};

template <class T>
struct Problem {
  explicit Problem(const Options& chosen) : options(chosen) {
    const Index F = options.features, U = options.units;
    x = random_values<T>({options.time, options.batch, F}, Random(1));
    kernel = random_values<T>(options.transposed ? Shape{U, F} : Shape{F, U}, Random(2));
    if (options.bias) bias = random_values<T>({U}, Random(3));
    dy = random_values<T>({options.time, options.batch, U}, Random(4));
    poison_padding(x, options.lengths);
    poison_padding(dy, options.lengths);
    y = poisoned<T>({options.time, options.batch, U});
    dx = poisoned<T>(x.shape());
    dkernel = BasicTensor<T>(kernel.shape());
    if (options.bias) dbias = BasicTensor<T>({U});
  }
  void forward(const BasicBackend<T>& backend) {
    const DenseForward<T> args{.x = x,
                               .lengths = options.lengths,
                               .kernel = kernel,
                               .transposed = options.transposed,
                               .bias = bias,
                               .y = y};
    with_scratch(backend, args, [&](const auto& a) { backend.dense_forward(a); });
  }
  DenseBackward<T> backward_args() {
    return {.x = x,
            .lengths = options.lengths,
            .kernel = kernel,
            .transposed = options.transposed,
            .dy = dy,
            .dx = dx,
            .dkernel = dkernel,
            .dbias = dbias};
  }
  void backward(const BasicBackend<T>& backend, const DenseBackward<T>& args) {
    with_scratch(backend, args, [&](const auto& a) { backend.dense_backward(a); });
  }
  Index length(Index b) const { return length_of(options.lengths, b, options.time); }

  Options options;
  BasicTensor<T> x, kernel, bias, dy, y, dx, dkernel, dbias;
};

/// y by its definition in double, zeros where a sequence is over.
BasicTensor<double> expected_output(const Problem<float>& p) {
  BasicTensor<double> y(p.y.shape());
  for (Index t = 0; t < p.options.time; ++t) {
    for (Index b = 0; b < p.options.batch; ++b) {
      for (Index u = 0; u < p.options.units && t < p.length(b); ++u) {
        double sum = p.options.bias ? p.bias[u] : 0;
        for (Index f = 0; f < p.options.features; ++f) {
          const double w = p.options.transposed ? p.kernel.view()(u, f) : p.kernel.view()(f, u);
          sum += w * p.x.view()(t, b, f);
        }
        y.view()(t, b, u) = sum;
      }
    }
  }
  return y;
}

std::vector<Options> variants() {
  std::vector<Options> all;
  for (bool transposed : {false, true}) {
    for (bool bias : {false, true}) {
      for (const std::vector<std::int32_t>& lengths :
           {std::vector<std::int32_t>{}, {3, 0, 2, 1}, {0, 1, 3, 3}}) {
        all.push_back({.transposed = transposed, .bias = bias, .lengths = lengths});
      }
      all.push_back({.time = 1,
                     .batch = 1,
                     .features = 33,
                     .units = 1,
                     .transposed = transposed,
                     .bias = bias});
      all.push_back({.time = 1,
                     .batch = 9,
                     .features = 1,
                     .units = 35,
                     .transposed = transposed,
                     .bias = bias});
    }
  }
  return all;
}

TEST(Dense, IsTheProductPlusBias) {
  test::for_each_backend([](const Backend& backend) {
    for (const Options& options : variants()) {
      Problem<float> problem(options);
      problem.forward(backend);
      EXPECT_TRUE(close_to(problem.y, expected_output(problem), {1e-6, 3e-6}));
    }
  });
}

// The specification, to the bit: one accumulator for each element, started at the bias, in order.
TEST(Dense, ReferenceAddsInOrder) {
  for (bool transposed : {false, true}) {
    Problem<float> p(
        {.time = 1, .batch = 3, .features = 37, .units = 21, .transposed = transposed});
    Tensor y(p.y.shape()), dx(p.dx.shape());
    for (Index b = 0; b < 3; ++b) {
      const auto weight = [&](Index f, Index u) {
        return transposed ? p.kernel.view()(u, f) : p.kernel.view()(f, u);
      };
      for (Index u = 0; u < 21; ++u) {
        float sum = p.bias[u];
        for (Index f = 0; f < 37; ++f) sum += p.x.view()(0, b, f) * weight(f, u);
        y.view()(0, b, u) = sum;
      }
      for (Index f = 0; f < 37; ++f) {
        float sum = 0;
        for (Index u = 0; u < 21; ++u) sum += p.dy.view()(0, b, u) * weight(f, u);
        dx.view()(0, b, f) = sum;
      }
    }
    p.forward(ReferenceBackend<float>());
    p.backward(ReferenceBackend<float>(), p.backward_args());
    EXPECT_TRUE(bits_equal(p.y, y)) << "y";
    EXPECT_TRUE(bits_equal(p.dx, dx)) << "dx";
  }
}

TEST(Dense, GradientsEqualComplexStep) {
  constexpr test::Tolerance kExact{1e-10, 1e-13};
  for (const Options& options : variants()) {
    const ReferenceBackend<double> backend;
    Problem<double> real(options);
    real.backward(backend, real.backward_args());
    Problem<Complex> imaginary(options);
    const auto loss = [&] {
      imaginary.forward(ReferenceBackend<Complex>());
      Complex sum = 0;
      for (Index t = 0; t < options.time; ++t) {
        for (Index b = 0; b < options.batch; ++b) {
          for (Index u = 0; u < options.units && t < imaginary.length(b); ++u) {
            sum += imaginary.dy.view()(t, b, u) * imaginary.y.view()(t, b, u);
          }
        }
      }
      return sum;
    };
    EXPECT_TRUE(close_to(real.dx, complex_step(imaginary.x, loss), kExact)) << "dx";
    EXPECT_TRUE(close_to(real.dkernel, complex_step(imaginary.kernel, loss), kExact)) << "dkernel";
    EXPECT_TRUE(close_to(real.dbias, complex_step(imaginary.bias, loss), kExact)) << "dbias";
  }
}

TEST(Dense, BackwardAgreesWithTheReference) {
  test::for_each_backend([](const Backend& backend) {
    for (const Options& options : variants()) {
      Problem<double> expected(options);
      expected.backward(ReferenceBackend<double>(), expected.backward_args());
      Problem<float> problem(options);
      problem.backward(backend, problem.backward_args());
      EXPECT_TRUE(close_to(problem.dx, expected.dx, {1e-6, 3e-6})) << "dx";
      EXPECT_TRUE(close_to(problem.dkernel, expected.dkernel, {1e-6, 3e-6})) << "dkernel";
      EXPECT_TRUE(close_to(problem.dbias, expected.dbias, {1e-6, 3e-6})) << "dbias";
    }
  });
}

TEST(Dense, ParameterGradientsAddAndFrozenOnesMayBeNull) {
  test::for_each_backend([](const Backend& backend) {
    for (const Options& options : variants()) {
      Problem<float> once(options), twice(options), frozen(options);
      once.backward(backend, once.backward_args());
      twice.backward(backend, twice.backward_args());
      twice.backward(backend, twice.backward_args());
      EXPECT_TRUE(bits_equal(twice.dx, once.dx));
      for (auto* gradient : {&once.dkernel, &once.dbias}) {
        for (Index i = 0; i < gradient->size(); ++i) (*gradient)[i] *= 2;
      }
      EXPECT_TRUE(close_to(twice.dkernel, once.dkernel, {1e-6, 3e-6}));
      EXPECT_TRUE(close_to(twice.dbias, once.dbias, {1e-6, 3e-6}));

      DenseBackward<float> args = frozen.backward_args();
      args.dkernel = args.dbias = {};
      frozen.backward(backend, args);
      EXPECT_TRUE(bits_equal(frozen.dx, once.dx));
      args = frozen.backward_args();
      args.dx = {};
      frozen.backward(backend, args);
      frozen.backward(backend, args);
      EXPECT_TRUE(bits_equal(frozen.dkernel, twice.dkernel));
    }
  });
}

}  // namespace
}  // namespace rnn
