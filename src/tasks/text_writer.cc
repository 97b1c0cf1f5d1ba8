#include "tasks/text_writer.h"

#include <algorithm>

namespace rnn {

void TextWriter::unit(std::string_view symbol) {
  units_.emplace_back(symbol);
  const std::string text = detokenized(units_.size());
  // U+FFFD at the end: a character whose other bytes may still come.
  if (text.ends_with("\xEF\xBF\xBD")) return;
  write_after(text);
  units_.erase(units_.begin(), units_.begin() + static_cast<std::ptrdiff_t>(written_));
  written_ = units_.size();
}

void TextWriter::end_of_sentence() {
  flush_units();
  emit("\n");
}

std::string TextWriter::take() {
  flush_units();
  release(held_.size());
  return std::move(text_);
}

std::string TextWriter::detokenized(std::size_t count) const {
  const std::vector<std::string_view> some(units_.begin(),
                                           units_.begin() + static_cast<std::ptrdiff_t>(count));
  return tokenizer_.detokenize(some);
}

void TextWriter::write_after(const std::string& text) {
  const std::size_t before = written_ == 0 ? 0 : detokenized(written_).size();
  if (before < text.size()) emit(std::string_view(text).substr(before));
}

void TextWriter::flush_units() {
  if (written_ < units_.size()) write_after(detokenized(units_.size()));
  units_.clear();
  written_ = 0;
}

void TextWriter::emit(std::string_view piece) {
  if (stopped_) return;
  held_ += piece;
  std::size_t end = held_.size(), sure = held_.size();
  for (const std::string& stop : stops_) {
    end = std::min(end, held_.find(stop));
    // The longest end of the text that a stop string begins with.
    for (std::size_t length = std::min(stop.size() - 1, held_.size()); length > 0; --length) {
      if (!held_.ends_with(std::string_view(stop).substr(0, length))) continue;
      sure = std::min(sure, held_.size() - length);
      break;
    }
  }
  if (end < held_.size()) {
    stopped_ = true;
    held_.resize(end);
    sure = end;
  }
  release(sure);
}

void TextWriter::release(std::size_t bytes) {
  if (bytes == 0) return;
  const std::string_view piece = std::string_view(held_).substr(0, bytes);
  text_ += piece;
  if (on_text_) on_text_(piece);
  held_.erase(0, bytes);
}

}  // namespace rnn
