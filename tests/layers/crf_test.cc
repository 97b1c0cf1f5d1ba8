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

TEST(CRF, PathsOfEmissionsAloneAreThoseWithZeros) {
  const Tensor emissions = test::random_values<float>({4, 1, 3}, Random(1));
  const Tensor transitions(Shape{3, 3}), ends(Shape{3});
  const CrfScores<float> alone{.emissions = emissions},
      zeros{.emissions = emissions, .transitions = transitions, .start = ends, .end = ends};
  EXPECT_EQ(crf_best_labels(alone, 0), crf_best_labels(zeros, 0));
  const auto some = crf_n_best(alone, 0, 5), same = crf_n_best(zeros, 0, 5);
  ASSERT_EQ(some.size(), same.size());
  for (std::size_t i = 0; i < some.size(); ++i) {
    EXPECT_EQ(some[i].labels, same[i].labels);
    EXPECT_EQ(some[i].log_prob, same[i].log_prob);
  }
}

/// Forward-backward in long double, apart from the library's: what a sequence's paths add up to.
struct ExactChain {
  std::vector<std::vector<long double>> forward, backward;
  long double z = 0;
};

long double log_sum(const std::vector<long double>& values) {
  const long double most = *std::max_element(values.begin(), values.end());
  long double sum = 0;
  for (const long double value : values) sum += std::exp(value - most);
  return most + std::log(sum);
}

ExactChain exact_chain(const CrfScores<float>& s, Index T, Index K) {
  using Row = std::vector<long double>;
  ExactChain chain{std::vector<Row>(static_cast<std::size_t>(T), Row(static_cast<std::size_t>(K))),
                   {}};
  chain.backward = chain.forward;
  const auto at = [](std::vector<Row>& rows, Index t, Index k) -> long double& {
    return rows[static_cast<std::size_t>(t)][static_cast<std::size_t>(k)];
  };
  Row sum(static_cast<std::size_t>(K));
  for (Index t = 0; t < T; ++t) {
    for (Index k = 0; k < K; ++k) {
      for (Index j = 0; j < K; ++j) {
        sum[static_cast<std::size_t>(j)] =
            t > 0 ? at(chain.forward, t - 1, j) + s.transitions(j, k) : s.start[k];
      }
      at(chain.forward, t, k) = s.emissions(t, 0, k) + (t > 0 ? log_sum(sum) : sum[0]);
    }
  }
  for (Index t = T; t-- > 0;) {
    for (Index k = 0; k < K; ++k) {
      for (Index j = 0; j < K; ++j) {
        sum[static_cast<std::size_t>(j)] =
            t + 1 < T
                ? s.transitions(k, j) + s.emissions(t + 1, 0, j) + at(chain.backward, t + 1, j)
                : s.end[k];
      }
      at(chain.backward, t, k) = t + 1 < T ? log_sum(sum) : sum[0];
    }
  }
  for (Index k = 0; k < K; ++k) {
    sum[static_cast<std::size_t>(k)] = at(chain.forward, T - 1, k) + s.end[k];
  }
  chain.z = log_sum(sum);
  return chain;
}

// Scores of a trained model's size, so that products of probabilities would be far below what a
// float can hold.
TEST(CRF, TwoThousandStepsStayFiniteAndExact) {
  constexpr Index T = 2000, K = 7;
  const Random random(5);
  const Tensor emissions = test::random_values<float>({T, 1, K}, random.fold(1), 16);
  const Tensor transitions = test::random_values<float>({K, K}, random.fold(2), 4);
  const Tensor ends = test::random_values<float>({K}, random.fold(3));
  const std::vector<std::int32_t> lengths{T};
  const CrfScores<float> scores{.emissions = emissions,
                                .lengths = lengths,
                                .transitions = transitions,
                                .start = ends,
                                .end = ends};
  const ExactChain exact = exact_chain(scores, T, K);

  // The best path, by trying for every last label the best of all labels before.
  std::vector<long double> best(K);
  for (Index t = 0; t < T; ++t) {
    const std::vector<long double> before = best;
    for (Index k = 0; k < K; ++k) {
      long double most = ends.view()[k];
      for (Index j = 0; t > 0 && j < K; ++j) {
        const long double through = before[static_cast<std::size_t>(j)] + scores.transitions(j, k);
        most = j == 0 ? through : std::max(most, through);
      }
      best[static_cast<std::size_t>(k)] = most + scores.emissions(t, 0, k);
    }
  }
  for (Index k = 0; k < K; ++k) best[static_cast<std::size_t>(k)] += ends.view()[k];
  const long double most = *std::max_element(best.begin(), best.end());
  const CrfPath path = crf_viterbi(scores, 0);
  ASSERT_EQ(path.labels.size(), static_cast<std::size_t>(T));
  EXPECT_NEAR(path.log_prob, static_cast<double>(most - exact.z), 1e-8);
  long double along = 0;
  for (Index t = 0; t < T; ++t) {
    const Index label = path.labels[static_cast<std::size_t>(t)];
    along += scores.emissions(t, 0, label);
    along += t > 0 ? scores.transitions(path.labels[static_cast<std::size_t>(t) - 1], label)
                   : ends.view()[label];
  }
  along += ends.view()[path.labels.back()];
  EXPECT_NEAR(static_cast<double>(along), static_cast<double>(most), 1e-8);
  EXPECT_EQ(crf_best_labels(scores, 0), path.labels);
  const std::vector<CrfPath> two = crf_n_best(scores, 0, 2);
  EXPECT_EQ(two[0].labels, path.labels);
  EXPECT_NEAR(two[0].log_prob, path.log_prob, 1e-8);
  EXPECT_LE(two[1].log_prob, path.log_prob);

  // The head's loss and marginals, with these emissions as its features.
  test::for_each_backend([&](const Backend& backend) {
    HeadBench made{std::make_shared<CRF>(CRFOptions{.units = K}), K, backend, lengths, path.labels};
    made.features = emissions;
    Tensor identity({K, K});
    for (Index k = 0; k < K; ++k) identity.view()(k, k) = 1;
    made.parameters = {identity, Tensor({K}), transitions, ends, ends};
    EXPECT_NEAR(made.loss().nats / T, -path.log_prob / T, 1e-5);
    const Tensor marginals = made.predict();
    for (Index t = 0; t < T; ++t) {
      double sum = 0;
      for (Index k = 0; k < K; ++k) {
        const double p = double{marginals.view()(t, 0, k)};
        const auto row = static_cast<std::size_t>(t), label = static_cast<std::size_t>(k);
        EXPECT_NEAR(p,
                    static_cast<double>(
                        std::exp(exact.forward[row][label] + exact.backward[row][label] - exact.z)),
                    1e-4);
        sum += p;
      }
      ASSERT_NEAR(sum, 1, 1e-5) << t;
    }
  });
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
  // Of a description alone no table is made, however many labels it claims.
  const CRF large({.units = 1 << 28, .forbidden = "0>1"});
  EXPECT_EQ(large.parameters(Signal::vectors(1 << 28)).front().shape.size(), Index{1} << 56);
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
