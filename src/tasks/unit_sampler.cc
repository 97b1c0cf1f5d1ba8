#include "tasks/unit_sampler.h"

#include <algorithm>
#include <cmath>

#include "rnn/error.h"

namespace rnn {

void require_probabilities(View<const float> probabilities) {
  for (float probability : probabilities) {
    if (std::isfinite(probability) && probability >= 0) continue;
    throw DivergenceError(
        "generate: the model's probabilities are not finite; its training must have diverged");
  }
}

void refuse_no_unit(bool unknown_is_banned) {
  if (unknown_is_banned) {
    throw ConfigError(
        "unknown: here the model finds no unit possible but <unk>, which is not written unless "
        "asked for; give --unknown (GenerateOptions::unknown)");
  }
  throw ConfigError("repetition-penalty: it leaves no unit a probability; give one nearer to 1");
}

std::int32_t UnitSampler::choose(View<const float> probabilities, std::span<const char> seen,
                                 double draw) {
  require_probabilities(probabilities);
  candidates_.clear();
  for (std::int32_t id = 0; id < probabilities.size(); ++id) {
    if (id == banned_) continue;
    const double log_prob = std::log(static_cast<double>(probabilities[id]));
    const bool again = seen[static_cast<std::size_t>(id)] != 0;
    candidates_.push_back({again ? log_prob * options_.repetition_penalty : log_prob, 0, id});
  }
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.log_prob != b.log_prob ? a.log_prob > b.log_prob : a.id < b.id;
  };
  if (options_.temperature == 0) {
    const Candidate& top = *std::min_element(candidates_.begin(), candidates_.end(), likelier);
    if (!std::isfinite(top.log_prob)) refuse_no_unit(banned_ >= 0);
    return top.id;
  }
  std::sort(candidates_.begin(), candidates_.end(), likelier);
  if (!std::isfinite(candidates_.front().log_prob)) refuse_no_unit(banned_ >= 0);
  if (options_.top_k > 0 && options_.top_k < static_cast<std::int64_t>(candidates_.size())) {
    candidates_.resize(static_cast<std::size_t>(options_.top_k));
  }
  // p^(1/temperature), relative to the likeliest so that nothing overflows.
  double total = 0;
  for (Candidate& candidate : candidates_) {
    const double lead = candidate.log_prob - candidates_.front().log_prob;
    candidate.weight = std::exp(lead / options_.temperature);
    total += candidate.weight;
  }
  if (options_.top_p < 1) keep_share(options_.top_p, total);
  if (options_.typical < 1) cut_to_typical(total);
  double left = draw * total;
  std::int32_t chosen = candidates_.front().id;
  for (const Candidate& candidate : candidates_) {
    if (candidate.weight == 0) continue;  // also where rounding leaves something over at the end
    chosen = candidate.id;
    left -= candidate.weight;
    if (left < 0) break;
  }
  return chosen;
}

void UnitSampler::keep_share(double share, double& total) {
  double kept = 0;
  std::size_t count = 0;
  do {
    kept += candidates_[count++].weight;
  } while (count < candidates_.size() && kept < share * total);
  candidates_.resize(count);
  total = kept;
}

/// Those whose surprise -log p is nearest to the entropy, the surprise that is expected.
void UnitSampler::cut_to_typical(double& total) {
  const auto surprise = [&](const Candidate& c) { return std::log(total) - std::log(c.weight); };
  double entropy = 0;
  for (const Candidate& candidate : candidates_) {
    if (candidate.weight > 0) entropy += candidate.weight / total * surprise(candidate);
  }
  std::stable_sort(candidates_.begin(), candidates_.end(),
                   [&](const Candidate& a, const Candidate& b) {
                     return std::abs(surprise(a) - entropy) < std::abs(surprise(b) - entropy);
                   });
  keep_share(options_.typical, total);
}

}  // namespace rnn
