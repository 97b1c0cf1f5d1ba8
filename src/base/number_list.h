// Lists of whole numbers as options and model files have them: "2000 10000" or "2,3".
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/error.h"

namespace rnn {

/// The numbers, each at least 1, with spaces or commas between; none of an empty text. Throws
/// ConfigError, naming the option.
inline std::vector<std::int64_t> numbers_of(std::string_view text, std::string_view option) {
  constexpr std::string_view kGaps = " ,";
  std::vector<std::int64_t> numbers;
  for (std::size_t from = text.find_first_not_of(kGaps); from < text.size();) {
    const std::size_t to = std::min(text.find_first_of(kGaps, from), text.size());
    std::int64_t number = 0;
    const auto parsed = std::from_chars(text.data() + from, text.data() + to, number);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + to || number < 1) {
      throw ConfigError(std::string(option) +
                        ": expected whole numbers from 1 with spaces or commas between, got '" +
                        std::string(text) + "'");
    }
    numbers.push_back(number);
    from = text.find_first_not_of(kGaps, to);
  }
  return numbers;
}

inline std::string text_of(const std::vector<std::int64_t>& numbers) {
  std::string text;
  for (const std::int64_t number : numbers)
    text += (text.empty() ? "" : " ") + std::to_string(number);
  return text;
}

}  // namespace rnn
