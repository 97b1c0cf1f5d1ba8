// From units back to text, as they come.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/text/tokenizer.h"
#include "rnn/text/vocabulary.h"

namespace rnn {

/// How a unit reads may depend on its neighbours (gaps between words, characters made of several
/// pieces), so the text of a few units is taken with and without the new ones, and what came after
/// is written.
class TextWriter {
 public:
  TextWriter(const Tokenizer& tokenizer, const std::function<void(std::string_view)>& on_text)
      : tokenizer_(tokenizer), on_text_(on_text) {}

  void unit(std::string_view symbol);
  void end_of_sentence();

  /// From here on the text ends before the first of these strings. What could be the beginning of
  /// one is written once it is known not to be.
  void stop_at(std::span<const std::string> strings) { stops_ = strings; }
  /// Whether one of them has come: what is written after it is lost.
  bool stopped() const { return stopped_; }
  /// All of the text, to the last unit.
  std::string take();

 private:
  std::string detokenized(std::size_t count) const;
  void write_after(const std::string& text);
  void flush_units();
  void emit(std::string_view piece);
  void release(std::size_t bytes);

  const Tokenizer& tokenizer_;
  const std::function<void(std::string_view)>& on_text_;
  std::vector<std::string> units_{};  // of the sentence at hand: the last written, and after them
  std::size_t written_ = 0;
  std::span<const std::string> stops_{};
  bool stopped_ = false;
  std::string held_{};  // may be the beginning of a stop string
  std::string text_{};
};

/// A unit that reads `text`, or the end of a sentence.
inline void write(TextWriter& writer, std::int32_t id, std::string_view text,
                  const Vocabulary& vocabulary) {
  if (id == vocabulary.end_id()) {
    writer.end_of_sentence();
  } else {
    writer.unit(text);
  }
}

}  // namespace rnn
