#include "apps/http_wire.h"

namespace rnn {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

/// Of a body, at once.
constexpr std::size_t kReadAhead = std::size_t{1} << 16;

std::string text_of(beast::string_view view) { return {view.data(), view.size()}; }

}  // namespace

HttpBuffer::HttpBuffer(const HttpLimits& limits)
    : beast::flat_buffer(limits.largest_header + kReadAhead) {}

IncomingRequest::IncomingRequest(const HttpLimits& limits) : limits_(limits) {
  parser_.body_limit(limits.largest_body);
  parser_.header_limit(limits.largest_header);
}

HttpRequest IncomingRequest::take() {
  auto message = parser_.release();
  HttpRequest request{.method = text_of(message.method_string()),
                      .path = text_of(message.target()),
                      .content_type = text_of(message[http::field::content_type]),
                      .host = text_of(message[http::field::host]),
                      .body = std::move(message.body())};
  if (const auto query = request.path.find('?'); query != request.path.npos) {
    request.path.resize(query);
  }
  return request;
}

std::optional<HttpResponse> IncomingRequest::refusal(const beast::error_code& error) const {
  if (error == http::error::body_limit) {
    return http_error(413,
                      "the body is larger than " + std::to_string(limits_.largest_body) + " bytes");
  }
  if (error == http::error::header_limit) return http_error(431, "the header is too large");
  if (error == http::error::buffer_overflow) {
    return http_error(431, "what stands around a chunk of the body is too large");
  }
  const bool gone = error == http::error::end_of_stream;
  if (gone || error.category() != make_error_code(http::error::bad_method).category()) return {};
  return http_error(400, "this is not HTTP/1.1: " + error.message());
}

OutgoingResponse outgoing(HttpResponse response, bool keep_alive, bool for_head) {
  OutgoingResponse out(static_cast<http::status>(response.status), 11);
  out.set(http::field::content_type, response.content_type);
  out.set(http::field::cache_control, "no-store");
  out.set("X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : response.headers) out.set(name, value);
  out.keep_alive(keep_alive);
  out.body() = std::move(response.body);
  out.prepare_payload();
  if (for_head) out.body().clear();
  return out;
}

}  // namespace rnn
