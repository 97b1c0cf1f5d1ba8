#include "rnn/text/line_reader.h"

#include "text/lines.h"

namespace rnn {

struct LineReader::Impl {
  BlockReader reader;
  TextPolicy policy;
  Block block{};
  LineCursor cursor{};
};

LineReader::LineReader(std::string path, const TextPolicy& policy)
    : impl_(new Impl{BlockReader(ByteSource(std::move(path), policy.never_packed)), policy}) {}
LineReader::~LineReader() = default;
LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;

bool LineReader::next() {
  while (!impl_->cursor.next()) {
    try {
      if (!impl_->reader.next(impl_->block)) return false;
    } catch (...) {
      rethrow_in_line(line_number() + 1);
    }
    impl_->cursor = LineCursor(impl_->block, name(), line_number(), impl_->policy);
  }
  return true;
}

std::string_view LineReader::line() const { return impl_->cursor.line(); }
std::string_view LineReader::line_end() const { return impl_->cursor.line_end(); }
std::string_view LineReader::line_start() const { return impl_->cursor.line_start(); }
bool LineReader::buffered() const { return !impl_->cursor.at_end(); }
std::int64_t LineReader::line_number() const { return impl_->cursor.line_number(); }
const std::string& LineReader::name() const { return impl_->reader.source().name(); }
std::int64_t LineReader::bytes_read() const { return impl_->reader.source().done(); }
std::int64_t LineReader::bytes_total() const { return impl_->reader.source().total(); }

}  // namespace rnn
