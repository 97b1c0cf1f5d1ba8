// The check that every option goes through.
#pragma once

#include <string>
#include <string_view>

#include "base/number.h"
#include "rnn/error.h"

namespace rnn {

/// Throws ConfigError "option: expected ..., got ..." unless `good`. Write conditions so that a NaN
/// fails them.
template <class Number>
void require(bool good, std::string_view option, std::string_view expected, Number given) {
  if (good) return;
  throw ConfigError(std::string(option) + ": expected " + std::string(expected) + ", got " +
                    to_text(given));
}

}  // namespace rnn
