#include "apps/http_message.h"

#include "base/json.h"

namespace rnn {

HttpResponse http_error(int status, const std::string& message) {
  const Json json = {{"error", {{"status", status}, {"message", message}}}};
  return {.status = status,
          .body = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

}  // namespace rnn
