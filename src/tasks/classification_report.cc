#include "rnn/tasks/classification_report.h"

#include <algorithm>

namespace rnn {

ClassificationReport::ClassificationReport(std::span<const std::string> names, bool multi_label) {
  for (const std::string& name : names) labels.push_back({.label = name});
  if (multi_label || names.size() > kMostConfused) return;
  confusion.assign(names.size() * names.size(), 0);
}

void ClassificationReport::add(std::int32_t truth, std::int32_t predicted) {
  add(std::span(&truth, 1), std::span(&predicted, 1));
  if (confusion.empty()) return;
  ++confusion[static_cast<std::size_t>(truth) * labels.size() +
              static_cast<std::size_t>(predicted)];
}

void ClassificationReport::add(std::span<const std::int32_t> truth,
                               std::span<const std::int32_t> predicted) {
  for (std::int32_t label : truth) ++labels[static_cast<std::size_t>(label)].support;
  for (std::int32_t label : predicted) {
    LabelScore& score = labels[static_cast<std::size_t>(label)];
    ++score.predicted;
    score.correct += std::binary_search(truth.begin(), truth.end(), label);
  }
  ++examples;
  right += std::ranges::equal(truth, predicted);
}

double ClassificationReport::accuracy() const {
  return examples > 0 ? static_cast<double>(right) / static_cast<double>(examples) : 0;
}

double ClassificationReport::macro(double (LabelScore::*score)() const) const {
  double sum = 0;
  int counted = 0;
  for (const LabelScore& label : labels) {
    if (label.support + label.predicted == 0) continue;
    sum += (label.*score)();
    ++counted;
  }
  return counted > 0 ? sum / counted : 0;
}

double ClassificationReport::macro_precision() const { return macro(&LabelScore::precision); }
double ClassificationReport::macro_recall() const { return macro(&LabelScore::recall); }
double ClassificationReport::macro_f1() const { return macro(&LabelScore::f1); }

double ClassificationReport::micro_f1() const {
  LabelScore all;
  for (const LabelScore& label : labels) {
    all.support += label.support;
    all.predicted += label.predicted;
    all.correct += label.correct;
  }
  return all.f1();
}

}  // namespace rnn
