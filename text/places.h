// "file:line:column: what": where in the data something is wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "rnn/error.h"
#include "text/utf8.h"

namespace rnn {

/// The column of a byte: characters from 1, as editors count.
inline std::int64_t column_of(std::string_view line, std::size_t byte) {
  return static_cast<std::int64_t>(count_code_points(line.substr(0, byte))) + 1;
}

/// "file:line:column: what".
inline std::string at(const std::string& file, std::int64_t line, std::int64_t column,
                      std::string_view what) {
  return at(file + ":" + std::to_string(line), column, what);
}

[[noreturn]] inline void throw_text_error(const std::string& file, std::int64_t line,
                                          std::int64_t column, std::string_view what) {
  throw TextError(at(file, line, column, what));
}

}  // namespace rnn
