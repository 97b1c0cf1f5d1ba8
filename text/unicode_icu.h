// What the files over ICU share: its errors, its view of UTF-8, and its workers.
#pragma once

#include <unicode/utext.h>
#include <unicode/utypes.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rnn/error.h"

namespace rnn {

/// Throws `Expected` when ICU reports a failure.
template <class Expected = Error>
void check(UErrorCode status, const std::string& what) {
  if (U_FAILURE(status)) throw Expected(what + ": " + u_errorName(status));
}

inline std::int32_t checked_length(std::string_view text) {
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw TextError("a line of " + std::to_string(text.size()) +
                    " bytes: expected less than 2 GiB; break it into lines");
  }
  return static_cast<std::int32_t>(text.size());
}

/// UTF-8 as ICU reads it.
struct Utf8Text {
  UText text = UTEXT_INITIALIZER;
  explicit Utf8Text(std::string_view bytes) {
    UErrorCode status = U_ZERO_ERROR;
    utext_openUTF8(&text, bytes.data(), checked_length(bytes), &status);
    check(status, "ICU cannot read text");
  }
  Utf8Text(const Utf8Text&) = delete;
  Utf8Text& operator=(const Utf8Text&) = delete;
  ~Utf8Text() { utext_close(&text); }
};

/// Workers that one thread at a time may use: made when there are too few, kept for later calls.
template <class Worker>
class Pool {
 public:
  template <class Make>
  std::unique_ptr<Worker> take(Make make) {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto worker = std::move(idle_.back());
        idle_.pop_back();
        return worker;
      }
    }
    return make();
  }
  void give_back(std::unique_ptr<Worker> worker) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(worker));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Worker>> idle_;
};

}  // namespace rnn
