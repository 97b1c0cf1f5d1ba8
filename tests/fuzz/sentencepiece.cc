// Any bytes as a SentencePiece model: refused, or used without harm.
#include "rnn/text/sentencepiece.h"

#include "fuzz/memory_file.h"
#include "rnn/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const rnn::SentencePieceTokenizer tokenizer(
        std::string(reinterpret_cast<const char*>(data), size));
    std::vector<rnn::Token> tokens;
    tokenizer.tokenize("Hello  w\u00F6rld \u2581 \u65E5", tokens);
    std::vector<std::string_view> views;
    views.reserve(tokens.size());
    for (const rnn::Token& token : tokens) views.push_back(token.text);
    static_cast<void>(tokenizer.detokenize(views));
  } catch (const rnn::Error&) {
  }
  return 0;
}
