#include "rnn/backend.h"

#include <cstdlib>

#include "kernels/native/native_backend.h"
#include "kernels/reference/reference_backend.h"
#include "rnn/error.h"

namespace rnn {
namespace {

void require_fp32(const BackendOptions& options, const std::string& name) {
  if (options.precision == Precision::kFp32) return;
  throw ConfigError("precision: the " + name + " backend computes in fp32 only, got " +
                    std::string(name_of(options.precision)));
}

}  // namespace

Precision parse_precision(std::string_view name) {
  for (const Precision precision : {Precision::kFp32, Precision::kBf16, Precision::kInt8}) {
    if (name == name_of(precision)) return precision;
  }
  throw ConfigError("precision: expected fp32, bf16 or int8, got '" + std::string(name) + "'");
}

std::shared_ptr<const Backend> make_backend(const BackendOptions& options) {
  std::string name = options.name;
  if (name.empty()) {
    if (const char* forced = std::getenv("RNN_BACKEND")) name = forced;
  }
  if (name == "reference") {
    require_fp32(options, name);
    return std::make_shared<ReferenceBackend<float>>();
  }
  if (name.empty() || name == "native") {
    require_fp32(options, "native");
    return std::make_shared<NativeBackend>(options.threads);
  }
  throw ConfigError("backend: expected reference or native, got '" + name + "'");
}

}  // namespace rnn
