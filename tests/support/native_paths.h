// The execution paths of the native backend (SIMD target and precision), as parameters of tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "kernels/native/native_backend.h"

namespace rnn::test {

/// An execution path: what the promises about bits hold on.
struct NativePath {
  std::string target{};
  Precision precision = Precision::kFp32;

  /// `least_work`: of ThreadPoolOptions; 0 makes small problems worth a team.
  NativeBackend backend(int threads = 2,
                        std::int64_t least_work = ThreadPoolOptions{}.least_work) const {
    return NativeBackend({.threads = threads, .least_work = least_work}, target, precision);
  }
  bool bf16() const { return precision == Precision::kBf16; }
  bool trains() const { return precision != Precision::kInt8; }
  Index lanes() const {
    const bool avx512 = target.starts_with("AVX3") || target.starts_with("AMX");
    return avx512 ? 16 : target == "AVX2" ? 8 : target == "SCALAR" ? 1 : 4;
  }
};

/// Every path of a precision that this machine can take.
inline std::vector<NativePath> native_paths(Precision precision) {
  std::vector<NativePath> paths;
  for (const std::string& target : NativeBackend::targets(precision)) {
    paths.push_back({target, precision});
  }
  return paths;
}
/// Those that train.
inline std::vector<NativePath> native_paths() {
  std::vector<NativePath> paths = native_paths(Precision::kFp32);
  for (const NativePath& path : native_paths(Precision::kBf16)) paths.push_back(path);
  return paths;
}
/// int8, which is for inference alone, among them.
inline std::vector<NativePath> all_native_paths() {
  std::vector<NativePath> paths = native_paths();
  for (const NativePath& path : native_paths(Precision::kInt8)) paths.push_back(path);
  return paths;
}
inline std::string name_of(const NativePath& path) {
  return path.target + "_in_" + std::string(rnn::name_of(path.precision));
}
inline std::string path_name(const testing::TestParamInfo<NativePath>& path) {
  return name_of(path.param);
}
inline void PrintTo(const NativePath& path, std::ostream* out) { *out << name_of(path); }

}  // namespace rnn::test
