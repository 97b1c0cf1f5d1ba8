#include "rnn/backend.h"

#include <cstdlib>

#include "kernels/native/native_backend.h"
#include "kernels/reference/reference_backend.h"
#include "rnn/error.h"

namespace rnn {

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
    if (options.precision != Precision::kFp32) {
      throw ConfigError("precision: the reference backend computes in fp32 only, got " +
                        std::string(name_of(options.precision)) + "; take the native backend");
    }
    return std::make_shared<ReferenceBackend<float>>();
  }
  if (name.empty() || name == "native") {
    return std::make_shared<NativeBackend>(options.threads, std::string(), options.precision);
  }
  throw ConfigError("backend: expected reference or native, got '" + name + "'");
}

}  // namespace rnn
