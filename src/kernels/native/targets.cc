#include "kernels/native/targets.h"

#include <algorithm>

#include "hwy/highway.h"

namespace rnn::native {
namespace {

/// Where a target stands in the tables that HWY_EXPORT makes.
int place_of([[maybe_unused]] std::int64_t target) {
#if HWY_TARGETS == HWY_STATIC_TARGET
  return 0;
#else
  hwy::ChosenTarget chosen;
  chosen.Update(target);
  return static_cast<int>(chosen.GetIndex());
#endif
}

}  // namespace

std::vector<SimdTarget> usable_targets() {
  std::vector<SimdTarget> targets;
  for (std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    targets.push_back({hwy::TargetName(target), place_of(target)});
  }
  return targets;
}

}  // namespace rnn::native
