// HttpServer: HTTP/1.1 for one program on one machine, with limits on everything that a client
// decides.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "apps/http_message.h"

namespace rnn {

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;                               ///< 0: one that is free
  int workers = 1;                                      ///< threads that answer
  int long_workers = 1;                                 ///< threads of their own for what is long
  std::uint64_t largest_body = std::uint64_t{4} << 20;  ///< bytes, also of a chunked body
  std::uint32_t largest_header = 16384;                 ///< bytes
  /// Beyond them, the one that has waited longest for its client, to send a request or to take an
  /// answer, gives way; when all wait for workers, others wait until one ends.
  int most_connections = 512;
  /// Requests with a worker or waiting for one, long ones and others each; more are told to come
  /// again.
  int most_waiting = 256;
  std::chrono::milliseconds read_time{15000};    ///< for a whole request, and between requests
  std::chrono::milliseconds write_time{15000};   ///< for a whole response
  std::chrono::milliseconds wait_time{20000};    ///< for a worker; after it the answer is 503
  std::chrono::milliseconds answer_time{30000};  ///< for a worker to make it; after it likewise
  /// A client that was refused is read for so long before the connection is cut: while it sends, it
  /// does not see the answer.
  std::chrono::milliseconds linger_time{2000};
};

/// What was served so far. May be read from any thread.
struct HttpCounters {
  std::atomic<std::int64_t> connections{0};  ///< open now
  std::atomic<std::int64_t> waiting{0};      ///< requests with a worker or waiting for one
  std::atomic<std::int64_t> ok{0}, refused{0}, failed{0};  ///< responses 2xx, 4xx, 5xx
  std::atomic<std::int64_t> microseconds{0};               ///< from request read to answer made
};

/// One thread reads and writes, without ever waiting for a client, so that slow ones cost memory
/// and nothing else; `workers` compute answers. What goes wrong with one request ends with it: an
/// exception is answered with 500, where memory is wanting with 503, and at worst its connection is
/// closed.
class HttpServer {
 public:
  /// Answered at once on the reading thread, for what costs nothing; none: a worker's business. An
  /// exception that it lets out is an answer, as with Work.
  using Quick = std::function<std::optional<HttpResponse>(const HttpRequest&)>;
  /// False when the time for an answer is over, when the server has ended, and for what is long
  /// when the client has gone, or has closed the half of the connection that it sends on.
  using Wanted = std::function<bool()>;
  /// Runs on a worker, several at once. An exception that it lets out is a 500, std::bad_alloc a
  /// 503. What can take long asks now and then whether it is still wanted, and throws Unwanted when
  /// it is not, for another 503, or 400 where it is the client that has gone.
  using Work = std::function<HttpResponse(const HttpRequest&, const Wanted& wanted)>;
  struct Unwanted {};
  /// What may take seconds. It has workers of its own, so that it delays nothing else, and ends
  /// when its client goes.
  using IsLong = std::function<bool(const HttpRequest&)>;

  /// Takes the port. Throws IoError when that cannot be, ConfigError for a wrong address.
  HttpServer(const HttpServerOptions& options, Quick quick, Work work, IsLong is_long);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const;
  const HttpCounters& counters() const;
  /// Serves until SIGINT, SIGTERM or stop(). Requests under way are answered for a moment longer.
  void run();
  /// From any thread.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
