#include "rnn/history.h"

#include <cmath>
#include <numbers>
#include <utility>

#include "base/number.h"

namespace rnn {
namespace {

using Columns = std::vector<std::pair<const char*, std::string>>;

/// What a record has, by name; an empty text: it has no such thing.
Columns columns_of(const EpochRecord& record, const History& history, bool metrics) {
  const auto of_validation = [&](auto value) {
    return record.validation ? to_text(value(*record.validation)) : std::string();
  };
  Columns columns{{"epoch", std::to_string(record.epoch)},
                  {"steps", std::to_string(record.steps)},
                  {"tokens", std::to_string(record.tokens)},
                  {"learning_rate", to_text(record.learning_rate)},
                  {"gradient_norm", to_text(record.gradient_norm)},
                  {"train_nats", to_text(record.train.mean())},
                  {"train_ppl", to_text(perplexity(record.train))},
                  {"valid_nats", of_validation([](const LossSum& loss) { return loss.mean(); })},
                  {"valid_ppl", of_validation(perplexity)}};
  if (history.validation_characters > 0) {
    const auto bits = history.bits_per_character(record);
    columns.emplace_back("valid_bits_per_char", bits ? to_text(*bits) : "");
  }
  if (metrics) columns.emplace_back("metric", record.metric ? to_text(*record.metric) : "");
  columns.emplace_back("seconds", to_fixed(record.seconds, 3));
  return columns;
}

}  // namespace

double cost_of(const EpochRecord& record) {
  return record.metric ? -*record.metric : record.validation.value_or(record.train).mean();
}

std::vector<double> History::validation_losses() const {
  std::vector<double> losses;
  for (const EpochRecord& record : epochs) {
    if (record.validation) losses.push_back(record.validation->mean());
  }
  return losses;
}

std::vector<double> History::costs() const {
  std::vector<double> costs;
  for (const EpochRecord& record : epochs) {
    if (record.metric || record.validation) costs.push_back(cost_of(record));
  }
  return costs;
}

const EpochRecord* History::best() const {
  const EpochRecord* best = nullptr;
  for (const EpochRecord& record : epochs) {
    const double cost = cost_of(record);
    if (std::isfinite(cost) && (!best || cost < cost_of(*best))) best = &record;
  }
  return best;
}

double bits_per_character(const LossSum& loss, std::int64_t characters) {
  return loss.nats / std::numbers::ln2 / static_cast<double>(characters);
}

std::optional<double> History::bits_per_character(const EpochRecord& record) const {
  if (validation_characters <= 0 || !record.validation) return std::nullopt;
  return rnn::bits_per_character(*record.validation, validation_characters);
}

std::string History::to_csv() const {
  std::string csv;
  const bool metrics = !epochs.empty() && epochs.front().metric.has_value();
  for (const auto& [name, text] : columns_of({}, *this, metrics))
    csv += (csv.empty() ? "" : ",") + std::string(name);
  csv += '\n';
  for (const EpochRecord& record : epochs) {
    bool first = true;
    for (const auto& [name, text] : columns_of(record, *this, metrics)) {
      csv += (first ? "" : ",") + text;
      first = false;
    }
    csv += '\n';
  }
  return csv;
}

std::string History::to_json_lines() const {
  std::string lines;
  for (const EpochRecord& record : epochs) {
    std::string object;
    for (const auto& [name, text] : columns_of(record, *this, record.metric.has_value())) {
      if (text.empty()) continue;
      const bool number = text.find_first_of("in") == std::string::npos;  // no inf, no nan
      object +=
          (object.empty() ? "{\"" : ", \"") + std::string(name) + "\": " + (number ? text : "null");
    }
    lines += object + "}\n";
  }
  return lines;
}

}  // namespace rnn
