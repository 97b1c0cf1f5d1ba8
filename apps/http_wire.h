// Requests and responses as bytes: everything between a socket and HttpRequest or HttpResponse,
// with limits on all that a client decides.
#pragma once

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdint>
#include <optional>

#include "apps/http_message.h"

namespace rnn {

struct HttpLimits {
  std::uint64_t largest_body = std::uint64_t{4} << 20;  ///< bytes, also of a chunked body
  std::uint32_t largest_header = 16384;                 ///< bytes
};

/// One request that is being read: `http::read(stream, buffer, request.parser())`, where the buffer
/// is an HttpBuffer that the connection keeps for the next request.
class IncomingRequest {
 public:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  explicit IncomingRequest(const HttpLimits& limits);
  Parser& parser() { return parser_; }

  bool keep_alive() const { return parser_.get().keep_alive(); }
  /// Of one whose header has been read: whether the client waits to be told to send the body.
  bool expects_continue() const {
    return parser_.get().version() == 11 && !parser_.is_done() &&
           boost::beast::iequals(parser_.get()[boost::beast::http::field::expect], "100-continue");
  }
  bool is_head() const { return parser_.get().method() == boost::beast::http::verb::head; }
  /// What was read, when all of it was. Takes the body away.
  HttpRequest take();
  /// What to tell a client whose request could not be read; none when it is gone or too slow.
  std::optional<HttpResponse> refusal(const boost::beast::error_code& error) const;

 private:
  HttpLimits limits_;
  Parser parser_;
};

/// Holds what has arrived and is not understood yet. The parser has no limit of its own on the
/// extensions of a chunk and on the fields behind the last one: the buffer's is theirs.
class HttpBuffer : public boost::beast::flat_buffer {
 public:
  explicit HttpBuffer(const HttpLimits& limits);
};

using OutgoingResponse = boost::beast::http::response<boost::beast::http::string_body>;

/// `for_head`: with the length of the body and without the body.
OutgoingResponse outgoing(HttpResponse response, bool keep_alive, bool for_head);

}  // namespace rnn
