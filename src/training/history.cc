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

const EpochRecord* History::best() const {
  const auto loss = [](const EpochRecord& r) { return r.validation.value_or(r.train).mean(); };
  const EpochRecord* best = nullptr;
  for (const EpochRecord& record : epochs) {
    // A loss that is not a number is worse than any.
    if (!best || !(loss(*best) <= loss(record))) best = &record;
  }
  return best;
}

std::string History::to_csv() const {
  std::string csv =
      "epoch,steps,tokens,learning_rate,gradient_norm,train_nats,train_ppl,valid_nats,valid_ppl,"
      "seconds\n";
  for (const EpochRecord& record : epochs) {
    csv += std::to_string(record.epoch) + ',' + std::to_string(record.steps) + ',' +
           std::to_string(record.tokens) + ',' + to_text(record.learning_rate) + ',' +
           to_text(record.gradient_norm) + ',' + to_text(record.train.mean()) + ',' +
           to_text(perplexity(record.train)) + ',';
    if (record.validation) csv += to_text(record.validation->mean());
    csv += ',';
    if (record.validation) csv += to_text(perplexity(*record.validation));
    csv += ',' + to_fixed(record.seconds, 3) + '\n';
  }
  return csv;
}

}  // namespace rnn
