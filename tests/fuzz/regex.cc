// A first line as the pattern of the tokenizer `regex`, which a model may bring along, and what
// follows as a text: units in their order, or an error, and never for long.
#include "fuzz/memory_file.h"
#include "rnn/error.h"
#include "rnn/text/line_reader.h"
#include "rnn/text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(all.find('\n'), size);
  const rnn::MemoryFile file(data + std::min(end + 1, size), size - std::min(end + 1, size));
  try {
    const auto tokenizer =
        rnn::make_tokenizer({.unit = "regex", .pattern = std::string(all.substr(0, end))});
    rnn::LineReader reader(file.path(), {.replace_invalid = true});
    std::vector<rnn::Token> tokens;
    while (reader.next()) {
      tokenizer->tokenize(reader.line(), tokens);
      std::size_t last = 0;
      for (const rnn::Token& token : tokens) {
        rnn::require(last <= token.begin && token.begin < token.end &&
                     token.end <= reader.line().size());
        last = token.end;
      }
    }
  } catch (const rnn::Error&) {
  }
  return 0;
}
