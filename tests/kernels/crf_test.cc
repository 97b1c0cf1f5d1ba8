#include <gtest/gtest.h>

#include <cmath>

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

constexpr Index kTime = 4, kBatch = 4, kLabels = 3;
const std::vector<std::int32_t> kLengths{4, 0, 1, 3};

/// Random scores; with `constrained` label 1 cannot begin, label 2 not follow 0, and 0 not end.
template <class T>
struct Problem {
  explicit Problem(bool constrained, Index time = kTime, Index batch = kBatch) {
    emissions = random_values<T>({time, batch, kLabels}, Random(1), 4);
    transitions = random_values<T>({kLabels, kLabels}, Random(2), 2);
    start = random_values<T>({kLabels}, Random(3));
    end = random_values<T>({kLabels}, Random(4));
    if (constrained) {
      allowed.assign(16, 1);
      allowed[3 * 4 + 1] = allowed[0 * 4 + 2] = allowed[0 * 4 + 3] = 0;
    }
    scratch = BasicTensor<std::byte>({static_cast<Index>(crf_scratch_bytes(time, kLabels))});
  }
  CrfScores<T> scores(std::span<const std::int32_t> lengths) const {
    return {.emissions = emissions,
            .lengths = lengths,
            .transitions = transitions,
            .start = start,
            .end = end,
            .allowed = allowed};
  }
  std::span<std::byte> memory() {
    return {scratch.data(), static_cast<std::size_t>(scratch.size())};
  }
  BasicTensor<T> emissions, transitions, start, end;
  std::vector<std::uint8_t> allowed;
  BasicTensor<std::byte> scratch;
};

/// Every path through sequence b in turn, with its score; -infinity where it is forbidden.
template <class Visit>
void for_each_path(const CrfScores<float>& s, Index b, Visit visit) {
  const Index length = length_of(s.lengths, b, s.emissions.extent(0));
  Index paths = 1;
  for (Index t = 0; t < length; ++t) paths *= kLabels;
  for (Index number = 0; number < paths; ++number) {
    std::vector<std::int32_t> labels;
    for (Index t = 0, rest = number; t < length; ++t, rest /= kLabels) {
      labels.push_back(static_cast<std::int32_t>(rest % kLabels));
    }
    double score = double{s.start[labels.front()]} + double{s.end[labels.back()]};
    bool possible = s.allows(kLabels, labels.front()) && s.allows(labels.back(), kLabels);
    for (std::size_t t = 0; t < labels.size(); ++t) {
      score += double{s.emissions(static_cast<Index>(t), b, labels[t])};
      if (t == 0) continue;
      score += double{s.transitions(labels[t - 1], labels[t])};
      possible = possible && s.allows(labels[t - 1], labels[t]);
    }
    visit(labels, possible ? score : -HUGE_VAL);
  }
}

// Some steps have no target: any label will do there.
const std::vector<std::int32_t> kTargets{0, -1, 2,  2,  //
                                         1, -1, -1, -1, -1, -1, -1, 1, 2, -1, -1, -1};
View<const std::int32_t> target_view() { return {kTargets.data(), {kTime, kBatch}}; }

TEST(CrfKernel, AgreesWithTheSumOverAllPaths) {
  test::for_each_backend([](const Backend& backend) {
    for (bool constrained : {false, true}) {
      Problem<float> p(constrained);
      test::poison_padding(p.emissions, kLengths);
      const CrfScores<float> s = p.scores(kLengths);
      Tensor nats = poisoned<float>({kBatch});
      Tensor marginals = poisoned<float>({kTime, kBatch, kLabels});
      backend.crf_forward({.scores = s,
                           .targets = target_view(),
                           .nats = nats,
                           .marginals = marginals,
                           .scratch = p.memory()});
      for (Index b = 0; b < kBatch; ++b) {
        const Index length = kLengths[static_cast<std::size_t>(b)];
        BasicTensor<double> expected({kTime, kLabels});
        double all = 0, agreeing = 0;
        if (length > 0) {
          for_each_path(s, b, [&](const std::vector<std::int32_t>& labels, double score) {
            bool agrees = true;
            all += std::exp(score);
            for (Index t = 0; t < length; ++t) {
              const std::int32_t label = labels[static_cast<std::size_t>(t)];
              const std::int32_t target = target_view()(t, b);
              agrees = agrees && (target < 0 || target == label);
              expected.view()(t, label) += std::exp(score);
            }
            if (agrees) agreeing += std::exp(score);
          });
        }
        EXPECT_NEAR(nats[b], length > 0 ? std::log(all / agreeing) : 0, 1e-5) << b;
        for (Index t = 0; t < kTime; ++t) {
          for (Index j = 0; j < kLabels; ++j) {
            EXPECT_NEAR(marginals.view()(t, b, j), t < length ? expected.view()(t, j) / all : 0,
                        1e-6);
          }
        }
      }
    }
  });
}

TEST(CrfKernel, GradientEqualsComplexStep) {
  for (bool constrained : {false, true}) {
    Problem<double> p(constrained);
    const double scale = 0.37;
    auto demissions = poisoned<double>(p.emissions.shape());
    BasicTensor<double> dtransitions(p.transitions.shape()), dstart({kLabels}), dend({kLabels});
    ReferenceBackend<double>().crf_backward({.scores = p.scores(kLengths),
                                             .targets = target_view(),
                                             .scale = scale,
                                             .demissions = demissions,
                                             .dtransitions = dtransitions,
                                             .dstart = dstart,
                                             .dend = dend,
                                             .scratch = p.memory()});
    Problem<Complex> c(constrained);
    BasicTensor<Complex> nats({kBatch});
    const auto loss = [&] {
      ReferenceBackend<Complex>().crf_forward({.scores = c.scores(kLengths),
                                               .targets = target_view(),
                                               .nats = nats,
                                               .scratch = c.memory()});
      Complex sum = 0;
      for (Index b = 0; b < kBatch; ++b) sum += nats[b];
      return scale * sum;
    };
    EXPECT_TRUE(close_to(demissions, complex_step(c.emissions, loss), {1e-10, 1e-13}));
    EXPECT_TRUE(close_to(dtransitions, complex_step(c.transitions, loss), {1e-10, 1e-13}));
    EXPECT_TRUE(close_to(dstart, complex_step(c.start, loss), {1e-10, 1e-13}));
    EXPECT_TRUE(close_to(dend, complex_step(c.end, loss), {1e-10, 1e-13}));
  }
}

// With no transitions between labels the chain is a softmax of each step by itself, so its loss is
// known for any length.
TEST(CrfKernel, IsExactAndFiniteForTwoThousandTokensAndHugeScores) {
  test::for_each_backend([](const Backend& backend) {
    constexpr Index kLong = 2000;
    for (float scale : {1.0f, 1000.0f}) {
      Problem<float> p(false, kLong, 1);
      for (auto* zeros : {&p.transitions, &p.start, &p.end}) zeros->fill(0);
      for (float& value : p.emissions.view()) value *= scale;
      const std::vector<std::int32_t> targets(kLong, 1);
      Tensor nats({1}), demissions(p.emissions.shape());
      backend.crf_forward({.scores = p.scores({}),
                           .targets = {targets.data(), {kLong, 1}},
                           .nats = nats,
                           .scratch = p.memory()});
      backend.crf_backward({.scores = p.scores({}),
                            .targets = {targets.data(), {kLong, 1}},
                            .demissions = demissions,
                            .scratch = p.memory()});
      double expected = 0;
      for (Index t = 0; t < kLong; ++t) {
        double top = -HUGE_VAL, sum = 0;
        for (Index j = 0; j < kLabels; ++j) {
          top = std::max(top, double{p.emissions.view()(t, 0, j)});
        }
        for (Index j = 0; j < kLabels; ++j) {
          sum += std::exp(double{p.emissions.view()(t, 0, j)} - top);
        }
        expected += top + std::log(sum) - double{p.emissions.view()(t, 0, 1)};
        for (Index j = 0; j < kLabels; ++j) {
          const double q = std::exp(double{p.emissions.view()(t, 0, j)} - top) / sum;
          EXPECT_NEAR(demissions.view()(t, 0, j), q - (j == 1 ? 1 : 0), 1e-5);
        }
      }
      EXPECT_NEAR(nats[0], expected, 1e-6 * expected);
    }
  });
}

}  // namespace
}  // namespace rnn
