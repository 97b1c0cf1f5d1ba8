#include "rnn/text/tag_scores.h"

#include <algorithm>
#include <charconv>

#include "rnn/error.h"
#include "rnn/text/entity_tags.h"

namespace rnn {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

/// As printf's "%6.2f%%" of a fraction, whatever the locale.
std::string percent(double fraction) {
  char digits[32];
  const auto end =
      std::to_chars(digits, digits + sizeof digits, 100 * fraction, std::chars_format::fixed, 2);
  const std::string text(digits, end.ptr);
  return std::string(text.size() < 6 ? 6 - text.size() : 0, ' ') + text;
}

std::string line_of(const SpanCounts& counts) {
  return "precision: " + percent(counts.precision()) + "%; recall: " + percent(counts.recall()) +
         "%; FB1: " + percent(counts.f1());
}

}  // namespace

double SpanCounts::precision() const { return share(correct, found); }
double SpanCounts::recall() const { return share(correct, gold); }
double SpanCounts::f1() const {
  const double p = precision(), r = recall();
  return p + r > 0 ? 2 * p * r / (p + r) : 0;
}

void TagScores::add(std::span<const std::string> gold, std::span<const std::string> predicted) {
  if (gold.size() != predicted.size()) {
    throw ShapeError("TagScores: " + std::to_string(gold.size()) + " gold tags, but " +
                     std::to_string(predicted.size()) + " predicted ones");
  }
  ++sentences_;
  tokens_ += static_cast<std::int64_t>(gold.size());
  for (std::size_t i = 0; i < gold.size(); ++i) correct_ += gold[i] == predicted[i];
  const std::vector<Entity> wanted = entities_of_any(gold), found = entities_of_any(predicted);
  for (const Entity& entity : wanted) ++types_[entity.type].gold;
  auto other = wanted.begin();  // both are in order
  for (const Entity& entity : found) {
    SpanCounts& counts = types_[entity.type];
    ++counts.found;
    while (other != wanted.end() && other->begin < entity.begin) ++other;
    counts.correct += other != wanted.end() && *other == entity;
  }
}

double TagScores::accuracy() const { return share(correct_, tokens_); }

SpanCounts TagScores::all() const {
  SpanCounts sum;
  for (const auto& [type, counts] : types_) {
    sum.gold += counts.gold;
    sum.found += counts.found;
    sum.correct += counts.correct;
  }
  return sum;
}

std::string TagScores::conlleval() const {
  const SpanCounts sum = all();
  std::string text = "processed " + std::to_string(tokens_) + " tokens with " +
                     std::to_string(sum.gold) + " phrases; found: " + std::to_string(sum.found) +
                     " phrases; correct: " + std::to_string(sum.correct) + ".\n";
  text += "accuracy: " + percent(accuracy()) + "%; " + line_of(sum) + "\n";
  for (const auto& [type, counts] : types_) {
    text += std::string(type.size() < 17 ? 17 - type.size() : 0, ' ') + type + ": " +
            line_of(counts) + "  " + std::to_string(counts.found) + "\n";
  }
  return text;
}

}  // namespace rnn
