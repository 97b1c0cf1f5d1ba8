// The units a cache remembers, each with the state that it followed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "rnn/tasks/adaptive_language_model.h"
#include "rnn/view.h"

namespace rnn {

class CacheMemory {
 public:
  CacheMemory(const NeuralCache& options, Index width)
      : options_(options),
        width_(width),
        states_(static_cast<std::size_t>(options.size * width)),
        units_(static_cast<std::size_t>(options.size)),
        scores_(units_.size()) {}

  /// -log P of `unit` after state h [width], where the model alone says `nats`; remembers it.
  float read(const float* h, std::int32_t unit, float nats) {
    const float mixed = used_ > 0 ? mix(h, unit, nats) : nats;
    remember(h, unit);
    return mixed;
  }

 private:
  float mix(const float* h, std::int32_t unit, float nats) {
    const auto size = static_cast<std::size_t>(options_.size);
    std::fill_n(scores_.begin(), used_, 0.0f);
    // Values of one feature stand together, so that this runs over places and not over features.
    for (Index f = 0; f < width_; ++f) {
      const float factor = options_.theta * h[f];
      const float* const values = states_.data() + static_cast<std::size_t>(f) * size;
      for (std::size_t i = 0; i < used_; ++i) scores_[i] += factor * values[i];
    }
    const float most = *std::max_element(scores_.begin(), scores_.begin() + used_count());
    double all = 0, same = 0;
    for (std::size_t i = 0; i < used_; ++i) {
      const double weight = std::exp(static_cast<double>(scores_[i] - most));
      all += weight;
      if (units_[i] == unit) same += weight;
    }
    const double share = static_cast<double>(options_.weight);
    const double model = std::exp(-static_cast<double>(nats));
    return static_cast<float>(-std::log((1 - share) * model + share * same / all));
  }

  void remember(const float* h, std::int32_t unit) {
    for (Index f = 0; f < width_; ++f) {
      states_[static_cast<std::size_t>(f * options_.size) + next_] = h[f];
    }
    units_[next_] = unit;
    next_ = (next_ + 1) % units_.size();
    used_ = std::min(used_ + 1, units_.size());
  }

  std::ptrdiff_t used_count() const { return static_cast<std::ptrdiff_t>(used_); }

  NeuralCache options_;
  Index width_;
  std::vector<float> states_;  // [width, size]
  std::vector<std::int32_t> units_;
  std::vector<float> scores_;
  std::size_t next_ = 0, used_ = 0;
};

}  // namespace rnn
