// ClassificationReport: how often the labels that a classifier gave are the true ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "rnn/export.h"
#include "rnn/output_head.h"

namespace rnn {

/// One label. All shares are fractions, and 0 where they would divide by 0.
struct LabelScore {
  std::string label{};
  std::int64_t support = 0;    ///< texts that have the label
  std::int64_t predicted = 0;  ///< texts that were given it
  std::int64_t correct = 0;    ///< texts of which both hold

  double precision() const { return predicted > 0 ? share(correct, predicted) : 0; }
  double recall() const { return support > 0 ? share(correct, support) : 0; }
  /// Harmonic mean of the two.
  double f1() const {
    const std::int64_t both = support + predicted;
    return both > 0 ? 2 * share(correct, both) : 0;
  }

 private:
  static double share(std::int64_t part, std::int64_t whole) {
    return static_cast<double>(part) / static_cast<double>(whole);
  }
};

/// Labels whose confusions are counted, each with each.
inline constexpr std::size_t kMostConfused = 2048;

struct RNN_API ClassificationReport {
  LossSum loss{};  ///< as validation in training sums it
  std::int64_t examples = 0;
  std::int64_t right = 0;  ///< texts whose label, or whole set of labels, is the true one
  std::vector<LabelScore> labels{};
  /// [true * labels + predicted] texts; empty with several labels a text, and with more labels than
  /// kMostConfused.
  std::vector<std::int64_t> confusion{};

  /// For so many labels, nothing counted yet.
  explicit ClassificationReport(std::span<const std::string> names = {}, bool multi_label = false);
  /// Counts a text with one label.
  void add(std::int32_t truth, std::int32_t predicted);
  /// Counts a text with any number of them; both ascending.
  void add(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted);

  double accuracy() const;  ///< right / examples
  /// Means over the labels that some text has or was given.
  double macro_precision() const;
  double macro_recall() const;
  double macro_f1() const;
  /// F1 of all decisions counted together; with one label a text it is the accuracy.
  double micro_f1() const;

 private:
  double macro(double (LabelScore::*score)() const) const;
};

}  // namespace rnn
