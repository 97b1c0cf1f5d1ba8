#include "rnn/tasks/classification_report.h"

#include <gtest/gtest.h>

namespace rnn {
namespace {

TEST(ClassificationReport, CountsWhatWasGivenForWhat) {
  const std::string names[] = {"a", "b", "c"};
  ClassificationReport report(names);
  // Rows are true: a 3 of 4 right and 1 taken for b; b 1 of 2, 1 taken for a; c never occurs.
  for (const auto& [truth, given] : {std::pair{0, 0}, {0, 0}, {0, 0}, {0, 1}, {1, 1}, {1, 0}}) {
    report.add(truth, given);
  }
  EXPECT_EQ(report.examples, 6);
  EXPECT_DOUBLE_EQ(report.accuracy(), 4.0 / 6);
  EXPECT_EQ(report.confusion, (std::vector<std::int64_t>{3, 1, 0, 1, 1, 0, 0, 0, 0}));
  EXPECT_DOUBLE_EQ(report.labels[0].precision(), 0.75);
  EXPECT_DOUBLE_EQ(report.labels[0].recall(), 0.75);
  EXPECT_DOUBLE_EQ(report.labels[1].precision(), 0.5);
  EXPECT_DOUBLE_EQ(report.labels[1].f1(), 0.5);
  EXPECT_DOUBLE_EQ(report.labels[2].f1(), 0);
  // c is in no text and no answer: it does not count in means.
  EXPECT_DOUBLE_EQ(report.macro_f1(), (0.75 + 0.5) / 2);
  EXPECT_DOUBLE_EQ(report.micro_f1(), report.accuracy());
}

TEST(ClassificationReport, CountsSetsOfLabels) {
  const std::string names[] = {"a", "b", "c"};
  ClassificationReport report(names, true);
  const auto add = [&](std::vector<std::int32_t> truth, std::vector<std::int32_t> given) {
    report.add(truth, given);
  };
  add({0, 2}, {0, 2});
  add({1}, {1, 2});
  add({}, {});
  add({0}, {});
  EXPECT_DOUBLE_EQ(report.accuracy(), 0.5);  // two sets are wholly right
  EXPECT_TRUE(report.confusion.empty());
  EXPECT_DOUBLE_EQ(report.labels[0].recall(), 0.5);
  EXPECT_DOUBLE_EQ(report.labels[2].precision(), 0.5);
  EXPECT_DOUBLE_EQ(report.micro_f1(), 2 * 3.0 / (4 + 4));
  EXPECT_DOUBLE_EQ(report.macro_recall(), (0.5 + 1 + 1) / 3);
}

TEST(ClassificationReport, CountsConfusionsOfSoManyLabelsAndNoMore) {
  std::vector<std::string> names(kMostConfused, "x");
  EXPECT_EQ(ClassificationReport(names).confusion.size(), kMostConfused * kMostConfused);
  names.emplace_back("y");
  ClassificationReport report(names);
  EXPECT_TRUE(report.confusion.empty());
  report.add(0, 1);
  report.add(2, 2);
  EXPECT_DOUBLE_EQ(report.accuracy(), 0.5);
}

TEST(ClassificationReport, IsZeroWhereNothingWasCounted) {
  const ClassificationReport report;
  EXPECT_EQ(report.accuracy(), 0);
  EXPECT_EQ(report.macro_f1(), 0);
  EXPECT_EQ(report.micro_f1(), 0);
}

}  // namespace
}  // namespace rnn
