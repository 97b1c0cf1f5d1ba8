// How symbols are written where a person reads them: the vocabulary file and the output of
// `rnn text tokenize`. vocabulary.h has the table of escapes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rnn {

/// Appends the symbol with escapes. The result has no white space, and unescape gives the symbol.
void append_escaped(std::string_view symbol, std::string& to);

inline std::string escape(std::string_view symbol) {
  std::string text;
  append_escaped(symbol, text);
  return text;
}

/// Replaces `symbol` by what the text means; false, with the position of the backslash in
/// `error_at`, when an escape is not one of the table.
bool unescape(std::string_view text, std::string& symbol, std::size_t& error_at);

}  // namespace rnn
