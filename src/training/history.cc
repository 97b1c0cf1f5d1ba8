#include "rnn/history.h"

#include "base/number.h"

namespace rnn {

std::vector<double> History::validation_losses() const {
  std::vector<double> losses;
  for (const EpochRecord& record : epochs) {
    if (record.validation) losses.push_back(record.validation->mean());
  }
  return losses;
}

namespace {

double cost(const EpochRecord& record) {
  return record.metric ? -*record.metric : record.validation.value_or(record.train).mean();
}

}  // namespace

std::vector<double> History::costs() const {
  std::vector<double> costs;
  for (const EpochRecord& record : epochs) {
    if (record.metric || record.validation) costs.push_back(cost(record));
  }
  return costs;
}

const EpochRecord* History::best() const {
  const EpochRecord* best = nullptr;
  for (const EpochRecord& record : epochs) {
    // What is not a number is worse than any.
    if (!best || !(cost(*best) <= cost(record))) best = &record;
  }
  return best;
}

std::string History::to_csv() const {
  const bool metrics = !epochs.empty() && epochs.front().metric.has_value();
  std::string csv =
      "epoch,steps,tokens,learning_rate,gradient_norm,train_nats,train_ppl,valid_nats,valid_ppl,";
  csv += metrics ? "metric,seconds\n" : "seconds\n";
  for (const EpochRecord& record : epochs) {
    csv += std::to_string(record.epoch) + ',' + std::to_string(record.steps) + ',' +
           std::to_string(record.tokens) + ',' + to_text(record.learning_rate) + ',' +
           to_text(record.gradient_norm) + ',' + to_text(record.train.mean()) + ',' +
           to_text(perplexity(record.train)) + ',';
    if (record.validation) csv += to_text(record.validation->mean());
    csv += ',';
    if (record.validation) csv += to_text(perplexity(*record.validation));
    if (metrics) csv += ',' + to_text(record.metric.value_or(0));
    csv += ',' + to_fixed(record.seconds, 3) + '\n';
  }
  return csv;
}

}  // namespace rnn
