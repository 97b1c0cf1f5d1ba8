// HttpRequest and HttpResponse: what HttpServer hands to a program and takes from it.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace rnn {

struct HttpRequest {
  std::string method{}, path{}, content_type{}, host{};
  std::string body{};
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
};

/// {"error": {"status": ..., "message": ...}}
HttpResponse http_error(int status, const std::string& message);

}  // namespace rnn
