#include "rnn/history.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace rnn {
namespace {

TEST(History, KnowsItsBestEpoch) {
  History history;
  EXPECT_EQ(history.best(), nullptr);
  history.epochs.push_back({.epoch = 1, .train = {4, 2}});
  history.epochs.push_back({.epoch = 2, .train = {3, 2}});
  history.epochs.push_back({.epoch = 3, .train = {3, 2}});
  EXPECT_EQ(history.best()->epoch, 2);  // by training loss; the earliest of equals
  for (EpochRecord& record : history.epochs) {
    record.validation = LossSum{static_cast<double>(10 - record.epoch), 5};
  }
  EXPECT_EQ(history.best()->epoch, 3);
  EXPECT_EQ(history.validation_losses(), (std::vector<double>{9.0 / 5, 8.0 / 5, 7.0 / 5}));
}

TEST(History, WhatIsNotFiniteIsNeverTheBest) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const bool by_metric : {false, true}) {
    History history;
    const auto add = [&](double value) {
      EpochRecord record{.epoch = static_cast<std::int64_t>(history.epochs.size()) + 1,
                         .train = {4, 2},
                         .validation = LossSum{by_metric ? 1 : value, 1}};
      if (by_metric) record.metric = -value;
      history.epochs.push_back(record);
      return history.best() ? history.best()->epoch : 0;
    };
    EXPECT_EQ(add(nan), 0);
    EXPECT_EQ(add(infinity), 0);
    EXPECT_EQ(add(5), 3);
    EXPECT_EQ(add(nan), 3);
    EXPECT_EQ(add(-infinity), 3);
    EXPECT_EQ(add(4), 6);
  }
}

TEST(History, AMetricDecidesBeforeTheLoss) {
  History history;
  const double metrics[] = {0.5, 0.75, 0.75, 0.25};
  for (const double metric : metrics) {
    const auto epoch = static_cast<std::int64_t>(history.epochs.size()) + 1;
    history.epochs.push_back({.epoch = epoch,
                              .train = {4, 2},
                              .validation = LossSum{static_cast<double>(10 - epoch), 2},
                              .metric = metric});
  }
  EXPECT_EQ(history.best()->epoch, 2);
  EXPECT_EQ(history.costs(), (std::vector<double>{-0.5, -0.75, -0.75, -0.25}));
  EXPECT_NE(history.to_csv().find("valid_ppl,metric,seconds\n"), std::string::npos);
  EXPECT_NE(history.to_csv().find(",0.75,0.000\n"), std::string::npos);
}

TEST(History, IsATableOfCommas) {
  History history;
  history.epochs.push_back({.epoch = 1,
                            .steps = 3,
                            .tokens = 40,
                            .learning_rate = 0.1,
                            .gradient_norm = 0.25,
                            .train = {2, 4},
                            .seconds = 1.23456});
  history.epochs.push_back({.epoch = 2,
                            .steps = 6,
                            .tokens = 80,
                            .learning_rate = 0.05,
                            .gradient_norm = 0.125,
                            .train = {1, 4},
                            .validation = LossSum{0, 3},
                            .seconds = 2});
  EXPECT_EQ(history.to_csv(),
            "epoch,steps,tokens,learning_rate,gradient_norm,train_nats,train_ppl,valid_nats,"
            "valid_ppl,seconds\n"
            "1,3,40,0.1,0.25,0.5,1.6487212707001282,,,1.235\n"
            "2,6,80,0.05,0.125,0.25,1.2840254166877414,0,1,2.000\n");
}

TEST(History, HasBitsPerCharacterWhereCharactersAreKnown) {
  History history{.validation_characters = 8};
  history.epochs.push_back({.epoch = 1, .train = {4, 2}});
  history.epochs.push_back(
      {.epoch = 2, .train = {4, 2}, .validation = LossSum{4 * std::log(2.0), 2}});
  EXPECT_FALSE(history.bits_per_character(history.epochs[0]));
  EXPECT_DOUBLE_EQ(*history.bits_per_character(history.epochs[1]), 0.5);
  const std::string csv = history.to_csv(), lines = history.to_json_lines();
  EXPECT_NE(csv.find("valid_ppl,valid_bits_per_char,seconds\n"), csv.npos) << csv;
  EXPECT_NE(csv.find(",,,,0.000\n"), csv.npos) << csv;
  EXPECT_NE(csv.find(",0.5,0.000\n"), csv.npos) << csv;
  EXPECT_EQ(lines.find("valid_bits_per_char"), lines.rfind("\"valid_bits_per_char\": 0.5,") + 1);
  history.validation_characters = 0;
  EXPECT_FALSE(history.bits_per_character(history.epochs[1]));
  EXPECT_EQ(history.to_csv().find("bits"), csv.npos);
}

TEST(LossSum, AddsUpAndDivides) {
  LossSum sum{3, 2};
  sum += {1, 2};
  EXPECT_EQ(sum.mean(), 1);
  EXPECT_EQ(perplexity(sum), std::exp(1.0));
  EXPECT_EQ(LossSum{}.mean(), 0);
}

}  // namespace
}  // namespace rnn
