#include "rnn/crf.h"

#include <numeric>
#include <set>

#include "support/for_each_backend.h"
#include "support/head_call.h"
#include "support/random_values.h"

namespace rnn {
namespace {

using test::HeadBench;

constexpr Index kLabels = 3, kFeatures = 4;
const std::vector<std::int32_t> kLengths{3, 0, 1, 4};
// [T,B], with a step of the last sequence that may have any label.
const std::vector<std::int32_t> kTargets{0, -1, 2, 1, 1, -1, -1, -1, 1, -1, -1, 2, -1, -1, -1, 0};

HeadBench bench(const CRFOptions& options, const Backend& backend) {
  return {std::make_shared<CRF>(options), kFeatures, backend, kLengths, kTargets};
}

TEST(CRF, GradientsMatesAndDescription) {
  test::for_each_backend([](const Backend& backend) {
    for (const CRFOptions& options :
         {CRFOptions{.units = kLabels}, CRFOptions{.units = kLabels, .use_bias = false},
          CRFOptions{.units = kLabels, .forbidden = "0>2 2>2"}}) {
      HeadBench made = bench(options, backend);
      made.check_gradients();
      made.check_weighted_gradients(true);
      made.check_mates();
      made.check_description();
    }
  });
}

TEST(CRF, TheLossStandsAtTheFirstTargetAndEveryTargetCounts) {
  test::for_each_backend([](const Backend& backend) {
    HeadBench made = bench({.units = kLabels}, backend);
    const LossSum sum = made.loss();
    EXPECT_EQ(sum.targets, 7);
    double total = 0;
    for (Index t = 0; t < made.time; ++t) {
      for (Index b = 0; b < made.batch; ++b) {
        const float nats = made.nats.view()(t, b);
        EXPECT_EQ(nats > 0, t == 0 && b != 1) << t << ' ' << b;
        total += double{nats};
      }
    }
    EXPECT_EQ(sum.nats, total);
    std::fill(made.targets.begin(), made.targets.end(), -1);
    EXPECT_EQ(made.loss().nats, 0);
    EXPECT_EQ(made.loss().targets, 0);
  });
}

/// All paths through a sequence, best first, by trying each.
std::vector<CrfPath> all_paths(const CrfScores<float>& s, Index b) {
  const Index length = length_of(s.lengths, b, s.emissions.extent(0));
  std::vector<CrfPath> paths;
  double z = 0;
  Index count = 1;
  for (Index t = 0; t < length; ++t) count *= kLabels;
  for (Index number = 0; number < count; ++number) {
    CrfPath path;
    bool possible = true;
    Index before = kLabels, rest = number;
    for (Index t = 0; t < length; ++t, rest /= kLabels) {
      const Index label = rest % kLabels;
      possible = possible && s.allows(before, label);
      path.log_prob += double{s.emissions(t, b, label)} +
                       (t == 0 ? double{s.start[label]} : double{s.transitions(before, label)});
      path.labels.push_back(static_cast<std::int32_t>(label));
      before = label;
    }
    path.log_prob += double{s.end[before]};
    if (!possible || !s.allows(before, kLabels)) continue;
    z += std::exp(path.log_prob);
    paths.push_back(path);
  }
  for (CrfPath& path : paths) path.log_prob -= std::log(z);
  std::sort(paths.begin(), paths.end(),
            [](const CrfPath& p, const CrfPath& q) { return p.log_prob > q.log_prob; });
  return paths;
}

TEST(CRF, TheNBestPathsAreThoseOfAllPaths) {
  test::for_each_backend([](const Backend& backend) {
    for (const char* forbidden : {"", "start>1 0>2 2>end"}) {
      HeadBench made = bench({.units = kLabels, .forbidden = forbidden}, backend);
      made.call([&](auto x, auto, Call& call) {
        const CrfScores<float> s = static_cast<const CRF&>(*made.head).scores(x, call);
        for (Index b : {0, 2, 3}) {
          const std::vector<CrfPath> expected = all_paths(s, b), got = crf_n_best(s, b, 1000);
          ASSERT_EQ(got.size(), expected.size());
          double total = 0;
          for (std::size_t i = 0; i < got.size(); ++i) {
            EXPECT_EQ(got[i].labels, expected[i].labels) << i;
            EXPECT_NEAR(got[i].log_prob, expected[i].log_prob, 1e-9);
            total += std::exp(got[i].log_prob);
          }
          EXPECT_NEAR(total, 1, 1e-9);
          EXPECT_EQ(crf_viterbi(s, b).labels, expected[0].labels);
          EXPECT_EQ(crf_n_best(s, b, 2).size(), std::min<std::size_t>(2, expected.size()));
        }
        EXPECT_TRUE(crf_viterbi(s, 1).labels.empty());
        EXPECT_TRUE(crf_n_best(s, 0, 0).empty());
      });
    }
  });
}

// The fast way gives the labels of the slow one.
TEST(CRF, TheBestLabelsAreThoseOfTheBestPath) {
  const Index K = 5;
  const std::vector<std::int32_t> lengths{7, 0, 1};
  for (const bool restricted : {false, true}) {
    std::vector<std::uint8_t> allowed((K + 1) * (K + 1), 1);
    for (const std::size_t i : {2, 14, 31, 11}) allowed[i] = !restricted;  // of rows of 6
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      const Random random(seed);
      const Tensor emissions = test::random_values<float>({7, 3, K}, random.fold(1));
      const Tensor transitions = test::random_values<float>({K, K}, random.fold(2));
      const Tensor ends = test::random_values<float>({K}, random.fold(3));
      const CrfScores<float> scores{.emissions = emissions,
                                    .lengths = lengths,
                                    .transitions = transitions,
                                    .start = ends,
                                    .end = ends,
                                    .allowed = allowed};
      for (Index b = 0; b < 3; ++b) {
        EXPECT_EQ(crf_best_labels(scores, b), crf_n_best(scores, b, 2).front().labels);
      }
    }
  }
}

TEST(CRF, PredictsMarginalsThatAgreeWithTheLossOfOneTarget) {
  test::for_each_backend([](const Backend& backend) {
    HeadBench made = bench({.units = kLabels}, backend);
    const Tensor p = made.predict();
    // With one target alone the loss is minus the log of that label's marginal.
    for (std::int32_t label = 0; label < kLabels; ++label) {
      std::fill(made.targets.begin(), made.targets.end(), -1);
      made.targets[static_cast<std::size_t>(2 * made.batch + 3)] = label;
      EXPECT_NEAR(made.loss().nats, -std::log(double{p.view()(2, 3, label)}), 1e-5);
    }
    for (Index label = 0; label < kLabels; ++label) EXPECT_EQ(p.view()(0, 1, label), 0);
  });
}

TEST(CRF, RefusesWhatIsForbiddenOrNoLabel) {
  EXPECT_THROW(CRF({.units = 0}), ConfigError);
  for (const char* bad : {"0-1", "0>3", "end>0", "0>start", "x>1", "-1>0", ">"}) {
    EXPECT_THROW(CRF({.units = kLabels, .forbidden = bad}), ConfigError) << bad;
  }
  test::for_each_backend([](const Backend& backend) {
    for (const char* forbidden : {"start>0", "0>1", "0>end"}) {
      EXPECT_THROW(bench({.units = kLabels, .forbidden = forbidden}, backend).loss(), ShapeError)
          << forbidden;
    }
    HeadBench made = bench({.units = kLabels}, backend);
    made.targets[0] = kLabels;
    EXPECT_THROW(made.loss(), ShapeError);
  });
}

}  // namespace
}  // namespace rnn
