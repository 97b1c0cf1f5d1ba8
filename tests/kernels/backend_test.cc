#include "rnn/backend.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory_resource>
#include <string>
#include <vector>

#include "rnn/error.h"
#include "rnn/tensor.h"
#include "support/counting_memory.h"
#include "support/environment_variable.h"
#include "support/for_each_backend.h"

namespace rnn {
namespace {

TEST(Backend, EveryNameGivesThatBackend) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    EXPECT_EQ(backend->name(), name);
    EXPECT_GE(backend->threads(), 1);
    EXPECT_NE(backend->memory(), nullptr);
  }
}

TEST(Backend, MemoryIsThatOfTheProgramWhereItHasItsOwn) {
  test::CountingMemory own;
  struct Restored {
    std::pmr::memory_resource* before;
    ~Restored() { std::pmr::set_default_resource(before); }
  } const restored{std::pmr::set_default_resource(&own)};
  test::for_each_backend([&](const Backend& backend) { EXPECT_EQ(backend.memory(), &own); });
}

TEST(Backend, MemoryOfAllSizesIsAlignedAndCanBeGivenBack) {
  test::for_each_backend([](const Backend& backend) {
    for (const Index floats : {1, 1000, (1 << 19) - 1, 1 << 19, 3'000'000}) {
      Tensor tensor({floats}, backend.memory());
      const bool huge = backend.name() == "native" && floats >= 1 << 19;
      const std::uintptr_t alignment = huge ? 2 << 20 : Tensor::kAlignment;
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % alignment, 0u) << floats;
      tensor.fill(1);
      Tensor copy = tensor;
      copy.resize({2 * floats});  // from one kind to the other
      const Tensor moved = std::move(tensor);
      EXPECT_EQ(moved[floats - 1], 1);
    }
  });
}

TEST(Backend, EveryBackendSaysHowItRunsALayer) {
  test::for_each_backend([](const Backend& backend) {
    const std::string path = backend.supports({}).path;
    EXPECT_EQ(path.rfind(backend.name(), 0), 0u) << path;
  });
}

TEST(Backend, ThePathOfBf16SaysSo) {
  const auto backend = make_backend({.name = "native", .precision = Precision::kBf16});
  EXPECT_EQ(backend->precision(), Precision::kBf16);
  const KernelPath path = backend->supports({});
  EXPECT_TRUE(path.path.ends_with("_BF16")) << path.path;
  // By instructions of the processor, or by widening, which is no secret.
  const bool own = path.path == "native/AMX_BF16" || path.path == "native/AVX3_BF16";
  EXPECT_TRUE(own || !path.reason.empty()) << path.path;
}

TEST(Backend, UnknownNameIsRefusedByName) {
  try {
    make_backend({.name = "abacus"});
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("abacus"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("reference"), std::string::npos) << error.what();
  }
}

TEST(Backend, EveryPrecisionHasOneName) {
  for (const Precision precision : {Precision::kFp32, Precision::kBf16, Precision::kInt8}) {
    EXPECT_EQ(parse_precision(name_of(precision)), precision);
  }
  EXPECT_THROW(parse_precision("fp16"), ConfigError);
  EXPECT_THROW(parse_precision(""), ConfigError);
}

TEST(Backend, APrecisionThatABackendLacksIsRefusedByName) {
  for (const Precision precision : {Precision::kBf16, Precision::kInt8}) {
    try {
      make_backend({.name = "reference", .precision = precision});
      FAIL() << "no error";
    } catch (const ConfigError& error) {
      EXPECT_NE(std::string(error.what()).find(name_of(precision)), std::string::npos);
      EXPECT_NE(std::string(error.what()).find("reference"), std::string::npos);
    }
  }
}

TEST(Backend, VariableDecidesOnlyWhenNothingIsChosen) {
  {
    const test::EnvironmentVariable forced("RNN_BACKEND", "reference");
    EXPECT_EQ(make_backend()->name(), "reference");
  }
  {
    const test::EnvironmentVariable forced("RNN_BACKEND", "abacus");
    EXPECT_THROW(make_backend(), ConfigError);
    EXPECT_EQ(make_backend({.name = "reference"})->name(), "reference");
  }
  const test::EnvironmentVariable unset("RNN_BACKEND", nullptr);
  EXPECT_NO_THROW(make_backend());
}

}  // namespace
}  // namespace rnn
