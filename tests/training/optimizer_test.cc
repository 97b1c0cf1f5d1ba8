// Options, validation and the bookkeeping of `apply`, against the formulas written out in double
// precision. The kernels' own test has the arithmetic.
#include "rnn/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "rnn/error.h"
#include "support/for_each_backend.h"
#include "support/random_values.h"

namespace rnn {
namespace {

constexpr int kSteps = 6;
constexpr double kRate = 0.05, kGradientScale = 0.5;

/// What an optimiser does to one number: parameter, gradient, and its memory p, q after step n.
using Formula = double (*)(double w, double g, double& p, double& q, int step);

/// Walks several tensors through steps of random gradients, beside the formula for each element.
void expect_formula(const Optimizer& optimizer, Formula formula) {
  test::for_each_backend([&](const Backend& backend) {
    Parameters parameters;
    TensorList gradients;
    parameters.add("a", test::random_values<float>({2, 3}, Random(1)));
    parameters.add("b", test::random_values<float>({5}, Random(2)));
    gradients.add("a", Tensor(Shape{2, 3}));
    gradients.add("b", Tensor(Shape{5}));
    std::vector<std::vector<double>> w, p, q;
    for (const auto& entry : parameters) {
      w.emplace_back(entry.tensor.view().begin(), entry.tensor.view().end());
      p.emplace_back(w.back().size(), 0.0);
      q.emplace_back(w.back().size(), 0.0);
    }
    OptimizerState state;
    for (int step = 1; step <= kSteps; ++step) {
      for (std::size_t i = 0; i < 2; ++i) {
        gradients[i] = test::random_values<float>(gradients[i].shape(),
                                                  Random(3).fold(10 * step + static_cast<int>(i)));
        for (std::size_t j = 0; j < w[i].size(); ++j) {
          w[i][j] = formula(w[i][j], kGradientScale * gradients[i][static_cast<Index>(j)], p[i][j],
                            q[i][j], step);
        }
      }
      const auto version = parameters.version();
      apply(optimizer, static_cast<float>(kRate), static_cast<float>(kGradientScale), gradients,
            parameters, state, backend);
      EXPECT_NE(parameters.version(), version);
      EXPECT_EQ(state.steps, step);
      for (std::size_t i = 0; i < 2; ++i) {
        for (std::size_t j = 0; j < w[i].size(); ++j) {
          EXPECT_NEAR(parameters[i][static_cast<Index>(j)], w[i][j], 1e-5) << step;
        }
      }
    }
  });
}

TEST(Optimizer, PlainSgd) {
  expect_formula(SGD{}, [](double w, double g, double&, double&, int) { return w - kRate * g; });
}
TEST(Optimizer, SgdWithMomentum) {
  expect_formula(SGD{.momentum = 0.9f}, [](double w, double g, double& v, double&, int) {
    v = 0.9 * v + g;
    return w - kRate * v;
  });
}
TEST(Optimizer, SgdWithNesterovMomentumAndPenalty) {
  expect_formula(SGD{.momentum = 0.8f, .nesterov = true, .weight_decay = 0.1f},
                 [](double w, double g, double& v, double&, int) {
                   g += 0.1 * w;
                   v = 0.8 * v + g;
                   return w - kRate * (g + 0.8 * v);
                 });
}
TEST(Optimizer, RmsProp) {
  expect_formula(RMSprop{.rho = 0.7f, .epsilon = 1e-3f, .weight_decay = 0.1f},
                 [](double w, double g, double& s, double&, int) {
                   g += 0.1 * w;
                   s = 0.7 * s + 0.3 * g * g;
                   return w - kRate * g / (std::sqrt(s) + 1e-3);
                 });
}
TEST(Optimizer, AdamWithPenalty) {
  expect_formula(Adam{.beta_1 = 0.8f, .beta_2 = 0.95f, .epsilon = 1e-4f, .weight_decay = 0.1f},
                 [](double w, double g, double& m, double& v, int step) {
                   g += 0.1 * w;
                   m = 0.8 * m + 0.2 * g;
                   v = 0.95 * v + 0.05 * g * g;
                   return w - kRate * (m / (1 - std::pow(0.8, step))) /
                                  (std::sqrt(v / (1 - std::pow(0.95, step))) + 1e-4);
                 });
}
TEST(Optimizer, AdamWDecaysBesideTheGradient) {
  expect_formula(AdamW{.beta_1 = 0.8f, .beta_2 = 0.95f, .epsilon = 1e-4f, .weight_decay = 0.1f},
                 [](double w, double g, double& m, double& v, int step) {
                   m = 0.8 * m + 0.2 * g;
                   v = 0.95 * v + 0.05 * g * g;
                   return w - kRate * ((m / (1 - std::pow(0.8, step))) /
                                           (std::sqrt(v / (1 - std::pow(0.95, step))) + 1e-4) +
                                       0.1 * w);
                 });
}

TEST(Optimizer, FindsTheMinimumOfAQuadratic) {
  test::for_each_backend([](const Backend& backend) {
    for (const Optimizer& optimizer :
         {Optimizer(SGD{.learning_rate = 0.1f}),
          Optimizer(SGD{.learning_rate = 0.02f, .momentum = 0.8f}),
          Optimizer(RMSprop{.learning_rate = 0.02f}), Optimizer(Adam{.learning_rate = 0.05f}),
          Optimizer(AdamW{.learning_rate = 0.05f, .weight_decay = 0})}) {
      Parameters parameters;
      TensorList gradients;
      parameters.add("w", Tensor(Shape{2}));
      gradients.add("w", Tensor(Shape{2}));
      OptimizerState state;
      for (int step = 0; step < 400; ++step) {  // (w0 - 1)^2 + 3 (w1 + 2)^2
        gradients[0][0] = 2 * (parameters[0][0] - 1);
        gradients[0][1] = 6 * (parameters[0][1] + 2);
        apply(optimizer, learning_rate_of(optimizer), 1, gradients, parameters, state, backend);
      }
      EXPECT_NEAR(parameters[0][0], 1, 0.05) << optimizer.index();
      EXPECT_NEAR(parameters[0][1], -2, 0.05) << optimizer.index();
    }
  });
}

TEST(Optimizer, NamesTheOptionThatIsOutOfRange) {
  const auto expect_refused = [](const Optimizer& optimizer, const char* member) {
    try {
      validate(optimizer);
      ADD_FAILURE() << member;
    } catch (const ConfigError& error) {
      EXPECT_NE(std::string(error.what()).find(member), std::string::npos) << error.what();
    }
  };
  expect_refused(SGD{.learning_rate = 0}, "learning_rate");
  expect_refused(SGD{.learning_rate = std::nanf("")}, "learning_rate");
  expect_refused(SGD{.momentum = 1}, "momentum");
  expect_refused(SGD{.weight_decay = -1}, "weight_decay");
  expect_refused(RMSprop{.rho = 1}, "rho");
  expect_refused(RMSprop{.epsilon = 0}, "epsilon");
  expect_refused(Adam{.beta_1 = -0.1f}, "beta_1");
  expect_refused(Adam{.beta_2 = 1}, "beta_2");
  expect_refused(AdamW{.beta_2 = 2}, "beta_2");
  for (const Optimizer& good :
       {Optimizer(SGD{}), Optimizer(RMSprop{}), Optimizer(Adam{}), Optimizer(AdamW{})}) {
    EXPECT_NO_THROW(validate(good));
  }
}

template <class O>
void expect_round_trip(O options) {
  Json json = Json::object();
  JsonWriter write(json);
  options.exchange(write);
  O read{};
  JsonReader reader(json, "here");
  read.exchange(reader);
  EXPECT_NO_THROW(reader.finish());
  Json again = Json::object();
  JsonWriter write_again(again);
  read.exchange(write_again);
  EXPECT_EQ(again, json);
  EXPECT_EQ(read.learning_rate, options.learning_rate);
  EXPECT_EQ(read.weight_decay, options.weight_decay);
}

TEST(Optimizer, OptionsAreReadAsTheyAreWritten) {
  expect_round_trip(
      SGD{.learning_rate = 0.3f, .momentum = 0.9f, .nesterov = true, .weight_decay = 1e-6f});
  expect_round_trip(
      RMSprop{.learning_rate = 0.3f, .rho = 0.5f, .epsilon = 1e-3f, .weight_decay = 0.1f});
  expect_round_trip(Adam{.learning_rate = 0.3f,
                         .beta_1 = 0.1f,
                         .beta_2 = 0.2f,
                         .epsilon = 1e-3f,
                         .weight_decay = 0.1f});
  expect_round_trip(AdamW{.learning_rate = 0.3f,
                          .beta_1 = 0.1f,
                          .beta_2 = 0.2f,
                          .epsilon = 1e-3f,
                          .weight_decay = 0.1f});
}

}  // namespace
}  // namespace rnn
