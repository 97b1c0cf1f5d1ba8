#include "rnn/backend.h"

#include <cstdlib>

#include "kernels/native/native_backend.h"
#include "kernels/reference/reference_backend.h"
#include "rnn/error.h"

namespace rnn {

std::shared_ptr<const Backend> make_backend(const BackendOptions& options) {
  std::string name = options.name;
  if (name.empty()) {
    if (const char* forced = std::getenv("RNN_BACKEND")) name = forced;
  }
  if (name == "reference") return std::make_shared<ReferenceBackend<float>>();
  if (name.empty() || name == "native") return std::make_shared<NativeBackend>(options.threads);
  throw ConfigError("backend: expected reference or native, got '" + name + "'");
}

}  // namespace rnn
