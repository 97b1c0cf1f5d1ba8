// Types that a program adds to those of the library, by name.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "rnn/error.h"
#include "rnn/fields.h"

namespace rnn {

/// Refuses to write a type that nobody could read again. `how`: the function that makes it known.
[[noreturn]] inline void refuse_unknown(std::string_view type, std::string_view how) {
  throw ConfigError("its type '" + std::string(type) +
                    "' is not one of the library's and not registered, so a file with it could "
                    "not be read; call rnn::" +
                    std::string(how) + " before (rnn/registry.h)");
}

/// Names may be added and looked up by several threads at once; none is ever taken away.
template <class Base>
class Registry {
 public:
  using Maker = std::function<std::shared_ptr<const Base>(Fields&)>;

  /// False when the name is there already.
  bool add(std::string type, Maker maker) {
    const std::lock_guard lock(mutex_);
    return makers_.emplace(std::move(type), std::move(maker)).second;
  }
  /// Null when nobody added it.
  Maker find(std::string_view type) const {
    const std::lock_guard lock(mutex_);
    const auto found = makers_.find(type);
    return found == makers_.end() ? Maker() : found->second;
  }
  std::string names() const {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const auto& [name, maker] : makers_) all += " " + name;
    return all;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Maker, std::less<>> makers_;
};

}  // namespace rnn
