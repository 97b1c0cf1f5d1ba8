// A file with one byte altered, and cut off, at every place in turn.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <string_view>

#include "base/file.h"

namespace rnn::test {

/// Writes to a file that is there, in its place: thousands of times without a flush.
class Overwriting {
 public:
  explicit Overwriting(const std::string& path) : descriptor_(open(path.c_str(), O_RDWR)) {
    EXPECT_GE(descriptor_, 0) << path;
  }
  ~Overwriting() { close(descriptor_); }
  Overwriting(const Overwriting&) = delete;
  Overwriting& operator=(const Overwriting&) = delete;

  void put(std::size_t offset, std::string_view bytes) const {
    EXPECT_EQ(pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
  }
  void cut_off(std::size_t length) const {
    EXPECT_EQ(ftruncate(descriptor_, static_cast<off_t>(length)), 0);
  }

 private:
  int descriptor_;
};

/// Calls `tried` with one bit of every `step`-th byte altered, and then with the file cut off
/// there; the file is whole again at the end.
inline void damage(const std::string& path, std::size_t step, const std::function<void()>& tried) {
  const std::string whole = read_file(path);
  const Overwriting file(path);
  for (std::size_t i = 0; i < whole.size(); i += step) {
    SCOPED_TRACE(path + ", byte " + std::to_string(i) + " altered");
    const char altered = static_cast<char>(whole[i] ^ (1 << i % 8));
    file.put(i, {&altered, 1});
    tried();
    file.put(i, {&whole[i], 1});
  }
  for (std::size_t length = whole.size(); length-- > 0;) {
    if (length % step != 0) continue;
    SCOPED_TRACE(path + ", cut off at " + std::to_string(length));
    file.cut_off(length);
    tried();
  }
  file.put(0, whole);
}

}  // namespace rnn::test
