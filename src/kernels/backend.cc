#include "rnn/backend.h"

#include <cstdlib>

#include "kernels/reference/reference_backend.h"
#include "rnn/error.h"

namespace rnn {

std::shared_ptr<const Backend> make_backend(const BackendOptions& options) {
  std::string name = options.name;
  if (name.empty()) {
    if (const char* forced = std::getenv("RNN_BACKEND")) name = forced;
  }
  if (name.empty() || name == "reference") return std::make_shared<ReferenceBackend<float>>();
  throw ConfigError("backend: expected reference, got '" + name + "'");
}

}  // namespace rnn
