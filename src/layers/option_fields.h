// Fields of types that only layers have, and the checks that their options share.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/require.h"
#include "rnn/fields.h"
#include "rnn/initializer.h"
#include "rnn/layer.h"

namespace rnn {

inline void exchange_initializer(Fields& fields, std::string_view name, Initializer& value) {
  std::string text = value.to_string();
  fields(name, text);
  value = Initializer::parse(text);
}

/// None is "linear".
inline void exchange_activation(Fields& fields, std::string_view name,
                                std::optional<Activation>& value) {
  int choice = value ? static_cast<int>(*value) + 1 : 0;
  fields.choice(name, choice, {"linear", "tanh", "sigmoid", "relu"});
  value = choice > 0 ? std::optional(static_cast<Activation>(choice - 1)) : std::nullopt;
}

/// What `describe` does with a copy, since exchanging may write.
template <class Options>
void show(Options options, Fields& fields) {
  options.exchange(fields);
}

/// Sizes, also those of what flows between layers, are bounded so that no product of two of them
/// and no sum of many overflows.
inline constexpr Index kMostWide = Index{1} << 28;

inline void require_size(std::string_view type, std::string_view option, Index value) {
  require(value >= 1 && value <= kMostWide, std::string(type) + " " + std::string(option),
          "1 to " + to_text(kMostWide), value);
}

inline void require_rate(std::string_view type, std::string_view option, float value) {
  require(value >= 0 && value < 1, std::string(type) + " " + std::string(option),
          "at least 0 and below 1", value);
}

inline void require_vectors(std::string_view type, const Signal& input) {
  if (input.kind == Signal::Kind::kVectors) return;
  throw ConfigError(std::string(type) + ": expected vectors, got " + input.to_string() +
                    (input.kind == Signal::Kind::kRows ? "; those are for Gather"
                                                       : "; put an Embedding before it"));
}

/// Zeros beyond each length, after a function that does not keep zero.
inline void clear_padding(View<float> y, std::span<const std::int32_t> lengths) {
  for (Index t = 0; !lengths.empty() && t < y.extent(0); ++t) {
    for (Index b = 0; b < y.extent(1); ++b) {
      if (t >= lengths[b]) std::fill_n(&y(t, b, 0), y.extent(2), 0.0f);
    }
  }
}

}  // namespace rnn
