#include <gtest/gtest.h>

#include "rnn/backend.h"
#include "rnn/error.h"

namespace rnn {
namespace {

TEST(Backend, UnknownNameIsRefused) { EXPECT_THROW(make_backend({.name = "abacus"}), ConfigError); }

}  // namespace
}  // namespace rnn
