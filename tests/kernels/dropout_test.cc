// What dropout does to whom: rate, scale, and above all which axes share a mask.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/reference/reference_backend.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/random_values.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::poison_padding;
using test::poisoned;
using test::random_values;

struct Options {
  float rate = 0.4f;
  bool shared_over_time = false;
  std::vector<std::int32_t> lengths{};
  std::vector<std::uint32_t> examples{};
  Random random = Random(5);
};

Tensor dropped(const Backend& backend, const Tensor& x, const Options& options) {
  Tensor y = poisoned<float>(x.shape());
  backend.dropout({.x = x,
                   .lengths = options.lengths,
                   .examples = options.examples,
                   .rate = options.rate,
                   .shared_over_time = options.shared_over_time,
                   .random = options.random,
                   .y = y});
  return y;
}

/// The mask itself: 1 where kept, 0 where not.
Tensor mask_of(const Backend& backend, const Shape& shape, const Options& options) {
  Tensor ones(shape);
  ones.fill(1);
  Tensor mask = dropped(backend, ones, options);
  for (Index i = 0; i < mask.size(); ++i) mask[i] = mask[i] != 0.0f;
  return mask;
}

/// Part of the elements on which two masks agree: rate^2 + (1 - rate)^2 for independent ones.
double agreement(View<const float> mask, View<const float> other) {
  Index same = 0;
  for (Index i = 0; i < mask.size(); ++i) same += mask[i] == other[i];
  return static_cast<double>(same) / static_cast<double>(mask.size());
}

/// Five standard deviations of a mean of n coin throws.
double five_sigma(Index n) { return 5 * 0.5 / std::sqrt(static_cast<double>(n)); }

TEST(Dropout, KeepsTheRightPartAndScalesIt) {
  test::for_each_backend([](const Backend& backend) {
    const Tensor x = random_values<float>({10, 20, 301}, Random(1));
    for (float rate : {0.1f, 0.5f, 0.65f}) {
      const Tensor y = dropped(backend, x, {.rate = rate});
      Index kept = 0;
      for (Index i = 0; i < x.size(); ++i) {
        if (y[i] == 0.0f) continue;
        ++kept;
        EXPECT_FLOAT_EQ(y[i], x[i] / (1 - rate));
      }
      EXPECT_NEAR(static_cast<double>(kept) / static_cast<double>(x.size()), 1 - rate,
                  five_sigma(x.size()));
    }
  });
}

TEST(Dropout, RateZeroChangesNothing) {
  test::for_each_backend([](const Backend& backend) {
    const Tensor x = random_values<float>({3, 2, 5}, Random(1));
    EXPECT_TRUE(bits_equal(dropped(backend, x, {.rate = 0}), x));
  });
}

TEST(Dropout, WithoutAnInputIsTheMask) {
  test::for_each_backend([](const Backend& backend) {
    Tensor ones({4, 3, 17}), mask = poisoned<float>({4, 3, 17});
    ones.fill(1);
    const std::vector<std::int32_t> lengths{4, 0, 2};
    backend.dropout({.lengths = lengths, .rate = 0.4f, .random = Random(5), .y = mask});
    EXPECT_TRUE(bits_equal(mask, dropped(backend, ones, {.lengths = lengths})));
  });
}

TEST(Dropout, BackwardIsTheSameCallWithTheSameMask) {
  test::for_each_backend([](const Backend& backend) {
    const Tensor x = random_values<float>({4, 3, 17}, Random(1));
    const Tensor dy = random_values<float>({4, 3, 17}, Random(2));
    for (bool shared : {false, true}) {
      const Options options{.shared_over_time = shared, .lengths = {4, 0, 2}};
      const Tensor y = dropped(backend, x, options), dx = dropped(backend, dy, options);
      const Tensor mask = mask_of(backend, x.shape(), options);
      for (Index i = 0; i < x.size(); ++i) {
        EXPECT_EQ(y[i] != 0.0f, mask[i] != 0.0f);
        EXPECT_EQ(dx[i] != 0.0f, mask[i] != 0.0f);
        EXPECT_FLOAT_EQ(dx[i], mask[i] != 0.0f ? dy[i] / 0.6f : 0.0f);
      }
    }
  });
}

TEST(Dropout, WorksInPlace) {
  test::for_each_backend([](const Backend& backend) {
    Tensor x = random_values<float>({4, 3, 17}, Random(1));
    const Tensor y = dropped(backend, x, {});
    backend.dropout({.x = x, .rate = 0.4f, .random = Random(5), .y = x});
    EXPECT_TRUE(bits_equal(x, y));
  });
}

TEST(Dropout, SharedOverTimeIsOneMaskForEachSequence) {
  test::for_each_backend([](const Backend& backend) {
    const Index batch = 3, units = 2001;
    const Tensor mask = mask_of(backend, {6, batch, units}, {.shared_over_time = true});
    const Tensor first = mask_of(backend, {1, batch, units}, {});
    for (Index t = 0; t < 6; ++t) {
      for (Index i = 0; i < batch * units; ++i) {
        ASSERT_EQ(mask[t * batch * units + i], first[i]) << "drawn as at t = 0";
      }
    }
    for (Index b = 1; b < batch; ++b) {  // and sequences do not share it
      EXPECT_NEAR(agreement(first.view().slice(0).slice(b), first.view().slice(0).slice(0)), 0.52,
                  five_sigma(units));
    }
  });
}

TEST(Dropout, WithoutSharingStepsExamplesAndUnitsAreIndependent) {
  test::for_each_backend([](const Backend& backend) {
    const Index time = 5, batch = 4, units = 2000;
    const Tensor mask = mask_of(backend, {time, batch, units}, {});
    const auto shifted = [&](Index by) {  // element i + by in place of i, round the end
      Tensor moved(mask.shape());
      for (Index i = 0; i < mask.size(); ++i) moved[i] = mask[(i + by) % mask.size()];
      return moved;
    };
    for (Index by : {Index{1}, Index{2}, Index{3}, Index{4}, units, batch * units}) {
      EXPECT_NEAR(agreement(mask, shifted(by)), 0.52, five_sigma(mask.size())) << by;
    }
  });
}

TEST(Dropout, OtherKeysGiveOtherMasks) {
  test::for_each_backend([](const Backend& backend) {
    const Shape shape{2, 3, 1000};
    const Tensor mask = mask_of(backend, shape, {});
    const Tensor other = mask_of(backend, shape, {.random = Random(6)});
    EXPECT_NEAR(agreement(mask, other), 0.52, five_sigma(mask.size()));
    EXPECT_TRUE(bits_equal(mask_of(backend, shape, {}), mask));
  });
}

TEST(Dropout, MaskBelongsToTheExampleNotToItsPlace) {
  test::for_each_backend([](const Backend& backend) {
    const Shape shape{3, 3, 37};
    for (bool shared : {false, true}) {
      const Tensor mask =
          mask_of(backend, shape, {.shared_over_time = shared, .examples = {7, 1000000, 0}});
      const Tensor moved =
          mask_of(backend, shape, {.shared_over_time = shared, .examples = {0, 7, 1000000}});
      const Tensor alone = mask_of(backend, {3, 1, 37},
                                   {.shared_over_time = shared, .lengths = {2}, .examples = {7}});
      for (Index t = 0; t < 3; ++t) {
        for (Index b = 0; b < 3; ++b) {
          for (Index u = 0; u < 37; ++u) {
            ASSERT_EQ(mask.view()(t, b, u), moved.view()(t, (b + 1) % 3, u));
          }
        }
        for (Index u = 0; u < 37; ++u) {
          ASSERT_EQ(alone.view()(t, 0, u), t < 2 ? mask.view()(t, 0, u) : 0.0f);
        }
      }
    }
  });
}

TEST(Dropout, WithoutIdentitiesExamplesAreNumbered) {
  test::for_each_backend([](const Backend& backend) {
    const Shape shape{2, 3, 37};
    EXPECT_TRUE(
        bits_equal(mask_of(backend, shape, {}), mask_of(backend, shape, {.examples = {0, 1, 2}})));
  });
}

TEST(Dropout, PaddingIsNotReadAndBecomesZeros) {
  test::for_each_backend([](const Backend& backend) {
    Tensor x({3, 3, 5});
    x.fill(1);
    const Options options{.rate = 0.4f, .lengths = {1, 0, 3}};
    poison_padding(x, options.lengths);
    const Tensor y = dropped(backend, x, options);
    for (Index t = 0; t < 3; ++t) {
      for (Index b = 0; b < 3; ++b) {
        for (Index u = 0; u < 5; ++u) {
          const float value = y.view()(t, b, u);
          if (t >= options.lengths[static_cast<std::size_t>(b)]) {
            EXPECT_EQ(value, 0.0f);
          } else {
            EXPECT_TRUE(value == 0.0f || value > 1.6f) << value;
          }
        }
      }
    }
  });
}

TEST(Dropout, EveryBackendDrawsTheSameMask) {
  const Shape shape{3, 4, 37};
  for (bool shared : {false, true}) {
    const Options options{.shared_over_time = shared, .lengths = {3, 1, 0, 2}};
    const Tensor expected = mask_of(ReferenceBackend<float>(), shape, options);
    test::for_each_backend([&](const Backend& backend) {
      EXPECT_TRUE(bits_equal(mask_of(backend, shape, options), expected));
    });
  }
}

}  // namespace
}  // namespace rnn
