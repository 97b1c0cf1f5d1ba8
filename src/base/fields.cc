#include "rnn/fields.h"

#include <algorithm>
#include <charconv>

#include "base/prefixed_fields.h"

namespace rnn {

void Fields::operator()(std::string_view name, float& value) {
  // Through the shortest decimal text that means this float: a file says 0.1, not 0.10000000149.
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double wide = 0;
  std::from_chars(text, end, wide);
  (*this)(name, wide);
  value = static_cast<float>(wide);
}

void Fields::group(std::string_view name, const std::function<void(Fields&)>& members) {
  PrefixedFields prefixed(*this, std::string(name));
  members(prefixed);
}

std::size_t Fields::chosen(std::string_view name, std::string_view given,
                           std::initializer_list<std::string_view> names) const {
  const auto place = std::find(names.begin(), names.end(), given);
  if (place != names.end()) return static_cast<std::size_t>(place - names.begin());
  std::string message = name_for_messages(name) + ": expected";
  const char* gap = " ";
  for (const std::string_view& candidate : names) {
    message += gap + std::string(candidate);
    gap = &candidate + 2 == names.end() ? " or " : ", ";
  }
  throw ConfigError(message + ", got '" + std::string(given) + "'");
}

void Fields::out_of_range(std::string_view name) const {
  throw ConfigError(name_for_messages(name) + ": the number is out of range");
}

}  // namespace rnn
