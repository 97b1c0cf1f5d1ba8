// Which SIMD targets the native backend is compiled for: AVX3 (AVX-512), AVX2, SSE4 and the
// portable one on x86; what Highway offers elsewhere. SSSE3 is left out: machines between it and
// SSE4 are older than fifteen years, and each target costs build time. Include before Highway.
#pragma once

#define HWY_DISABLED_TARGETS HWY_SSSE3
