#include "text/lines.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "rnn/error.h"
#include "text/places.h"
#include "text/utf8.h"

namespace rnn {

namespace {

std::string too_long(std::size_t longest) {
  return "this line is longer than " + std::to_string(longest >> 20) +
         " MiB, which no line of text is; is this a text file?";
}

}  // namespace

LongLineError::LongLineError(std::string name, std::size_t longest)
    : TextError(name + ": " + too_long(longest)),
      name_(std::move(name)),
      what_(too_long(longest)) {}

TextError LongLineError::in_line(std::int64_t line) const {
  return TextError(at(name_, line, 1, what_));
}

void rethrow_in_line(std::int64_t line) {
  try {
    throw;
  } catch (const UnpackError& error) {
    throw error.in_line(line);
  } catch (const LongLineError& error) {
    throw error.in_line(line);
  }
}

bool BlockReader::next(Block& block, std::size_t wanted) {
  // A file smaller than the block does not need all of it; one that is packed may be larger inside.
  constexpr std::int64_t kLeast = 1 << 14;
  if (source_.total() >= 0) {
    wanted = std::min(wanted, static_cast<std::size_t>(std::max(source_.total() + 1, kLeast)));
  }
  block.starts_file = !started_;
  started_ = true;
  block.size = rest_.size();
  if (block.memory.size() < std::max(wanted, 2 * rest_.size())) {
    block.memory.resize(std::max(wanted, 2 * rest_.size()));
  }
  std::copy(rest_.begin(), rest_.end(), block.memory.begin());
  rest_.clear();
  while (!ended_) {
    if (block.size >= longest_line_) throw LongLineError(source_.name(), longest_line_);
    if (block.size == block.memory.size()) block.memory.resize(2 * block.memory.size());
    char* const fresh = block.memory.data() + block.size;
    const std::size_t count = source_.read({fresh, block.memory.size() - block.size});
    if (count == 0) {
      ended_ = true;
      break;
    }
    block.size += count;
    if (const void* feed = memrchr(fresh, '\n', count)) {
      const char* const cut = static_cast<const char*>(feed) + 1;
      rest_.assign(cut, static_cast<std::size_t>(fresh + count - cut));
      block.size -= rest_.size();
      return true;
    }
  }
  return block.size > 0;
}

LineCursor::LineCursor(const Block& block, const std::string& name, std::int64_t lines_before,
                       const TextPolicy& policy)
    : at_(block.memory.data()),
      end_(block.memory.data() + block.size),
      name_(&name),
      number_(lines_before),
      policy_(policy) {
  if (block.starts_file && !policy.keep_marks &&
      std::string_view(at_, block.size).starts_with(kByteOrderMark)) {
    mark_ = kByteOrderMark;
    at_ += mark_.size();
  }
}

bool LineCursor::next() {
  if (at_ == end_) return false;
  line_start_ = std::exchange(mark_, {});
  ++number_;
  const auto left = static_cast<std::size_t>(end_ - at_);
  const auto* feed = static_cast<const char*>(std::memchr(at_, '\n', left));
  line_ = {at_, feed ? static_cast<std::size_t>(feed - at_) : left};
  at_ = feed ? feed + 1 : end_;
  line_end_ = feed ? "\n" : "";
  if (feed && !policy_.keep_marks && !line_.empty() && line_.back() == '\r') {
    line_.remove_suffix(1);
    line_end_ = "\r\n";
  }
  if (policy_.any_bytes) return true;
  const std::size_t bad = find_invalid_utf8(line_);
  if (bad == std::string_view::npos) return true;
  if (policy_.replace_invalid) {
    replaced_.clear();
    append_replacing_invalid(line_, replaced_);
    line_ = replaced_;
    return true;
  }
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(line_[bad]);
  // Columns and bytes are the same whether the mark is kept or not: editors do not show it.
  const bool marked = policy_.keep_marks && number_ == 1 && line_.starts_with(kByteOrderMark);
  const std::size_t mark = marked ? kByteOrderMark.size() : 0;
  throw_text_error(*name_, number_, column_of(line_.substr(mark), bad - mark),
                   "invalid UTF-8 at byte " + std::to_string(bad - mark + 1) + " of the line (0x" +
                       kDigits[byte >> 4] + kDigits[byte & 15] +
                       "); convert the file to UTF-8, or go on with U+FFFD in place of such bytes: "
                       "--replace-invalid");
}

}  // namespace rnn
