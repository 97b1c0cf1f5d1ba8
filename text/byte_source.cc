#include "text/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "rnn/error.h"

namespace rnn {

struct ByteSource::Inflater {
  z_stream stream{};
  std::vector<char> packed = std::vector<char>(std::size_t{1} << 16);
  bool inside = true;    // a member of the archive is under way
  std::string damage{};  // met already; what came before it is given out first

  Inflater() {
    // 16: gzip and nothing else.
    if (inflateInit2(&stream, 15 + 16) != Z_OK) throw IoError("zlib cannot start");
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream); }
};

ByteSource::ByteSource(std::string path, bool never_packed)
    : name_(std::move(path)), never_packed_(never_packed) {
  if (name_ == "-") {
    name_ = "<stdin>";
    descriptor_ = dup(STDIN_FILENO);
  } else {
    descriptor_ = open(name_.c_str(), O_RDONLY | O_CLOEXEC);
  }
  if (descriptor_ < 0) {
    throw IoError("cannot open " + name_ + ": " + std::strerror(errno));
  }
  struct stat status {};
  if (fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode)) total_ = status.st_size;
}

ByteSource::~ByteSource() {
  if (descriptor_ >= 0) close(descriptor_);
}

ByteSource::ByteSource(ByteSource&& other) noexcept
    : name_(std::move(other.name_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      done_(other.done_),
      total_(other.total_),
      never_packed_(other.never_packed_),
      recognised_(other.recognised_),
      head_(std::move(other.head_)),
      head_used_(other.head_used_),
      inflater_(std::move(other.inflater_)) {}

ByteSource& ByteSource::operator=(ByteSource&& other) noexcept {
  std::swap(name_, other.name_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(done_, other.done_);
  std::swap(total_, other.total_);
  std::swap(never_packed_, other.never_packed_);
  std::swap(recognised_, other.recognised_);
  std::swap(head_, other.head_);
  std::swap(head_used_, other.head_used_);
  std::swap(inflater_, other.inflater_);
  return *this;
}

std::size_t ByteSource::read_file(std::span<char> to) {
  while (true) {
    const ssize_t count = ::read(descriptor_, to.data(), to.size());
    if (count >= 0) {
      done_ += count;
      return static_cast<std::size_t>(count);
    }
    if (errno != EINTR) throw IoError("cannot read " + name_ + ": " + std::strerror(errno));
  }
}

std::size_t ByteSource::read_raw(std::span<char> to) {
  if (head_used_ == head_.size()) return read_file(to);
  const std::size_t count = std::min(to.size(), head_.size() - head_used_);
  std::memcpy(to.data(), head_.data() + head_used_, count);
  head_used_ += count;
  return count;
}

void ByteSource::recognise() {
  recognised_ = true;
  head_.resize(2);
  std::size_t have = 0;
  while (have < head_.size()) {
    const std::size_t count = read_file(std::span(head_).subspan(have));
    if (count == 0) break;
    have += count;
  }
  head_.resize(have);
  if (head_ != "\x1f\x8b") return;
  if (never_packed_) {
    throw FormatError(name_ +
                      ": packed with gzip, which such a file may not be; unpack it: gunzip");
  }
  inflater_ = std::make_unique<Inflater>();
}

std::size_t ByteSource::read(std::span<char> to) {
  if (!recognised_) recognise();
  if (!inflater_) return read_raw(to);
  if (!inflater_->damage.empty()) throw UnpackError(name_, inflater_->damage);
  z_stream& stream = inflater_->stream;
  stream.next_out = reinterpret_cast<Bytef*>(to.data());
  stream.avail_out = static_cast<uInt>(std::min<std::size_t>(to.size(), 1u << 30));
  const uInt wanted = stream.avail_out;
  while (stream.avail_out == wanted) {
    if (stream.avail_in == 0) {
      const std::size_t count = read_raw(inflater_->packed);
      stream.next_in = reinterpret_cast<Bytef*>(inflater_->packed.data());
      stream.avail_in = static_cast<uInt>(count);
      if (count == 0) {
        if (inflater_->inside) {
          throw UnpackError(name_, "the gzip data end too early");
        }
        return 0;
      }
    }
    if (!inflater_->inside) {  // another member: files may be packed one after another
      inflateReset(&stream);
      inflater_->inside = true;
    }
    const int result = inflate(&stream, Z_NO_FLUSH);
    if (result == Z_STREAM_END) {
      inflater_->inside = false;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      inflater_->damage =
          "damaged gzip data" + (stream.msg ? std::string(" (") + stream.msg + ")" : "");
      if (stream.avail_out == wanted) throw UnpackError(name_, inflater_->damage);
      break;
    }
  }
  return wanted - stream.avail_out;
}

}  // namespace rnn
