// Which SIMD targets the native backend is compiled for: AVX3 (AVX-512), AVX2, SSE4 and the
// portable one on x86; what Highway offers elsewhere. SSSE3 is left out: machines between it and
// SSE4 are older than fifteen years, and each target costs build time. SVE is left out because the
// length of its vectors is not known when we compile, as tiles in registers want it. Include before
// anything of Highway, "hwy/foreach_target.h" among it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)

namespace rnn::native {

struct SimdTarget {
  std::string name;  // Highway's
  int place;         // in Highway's dispatch tables, which we index without its global choice
};

/// What this build has and this machine can run, the best first.
std::vector<SimdTarget> usable_targets();

}  // namespace rnn::native
