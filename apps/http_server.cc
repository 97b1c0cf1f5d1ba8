#include "apps/http_server.h"

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/version.hpp>

#include "base/json.h"
#include "rnn/error.h"

namespace rnn {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;

/// A client that still sends is read for so long before the connection is cut: it could not see the
/// response otherwise.
constexpr std::chrono::seconds kLinger{2};
constexpr std::chrono::milliseconds kLastAnswers{1000};

std::string text_of(beast::string_view view) { return {view.data(), view.size()}; }

}  // namespace

HttpResponse http_error(int status, const std::string& message) {
  const Json json = {{"error", {{"status", status}, {"message", message}}}};
  return {.status = status,
          .body = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

struct HttpServer::Impl {
  HttpServerOptions options;
  Quick quick;
  Work work;
  HttpCounters counters{};
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  asio::thread_pool workers;
  asio::steady_timer last{io};
  bool accepting = false, stopping = false;

  class Connection;

  Impl(const HttpServerOptions& chosen, Quick quick_answers, Work answers)
      : options(chosen),
        quick(std::move(quick_answers)),
        work(std::move(answers)),
        workers(static_cast<std::size_t>(std::max(1, chosen.workers))) {}

  void accept();
  void connection_ended();
  void end();
};

/// One client. Keeps itself alive through the operation it waits for; all but the work itself
/// happens on the one thread of `io`.
class HttpServer::Impl::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Impl& server, tcp::socket socket) : server_(server), stream_(std::move(socket)) {
    ++server_.counters.connections;
  }
  ~Connection() {
    --server_.counters.connections;
    server_.connection_ended();
  }

  void read() {
    parser_.emplace();
    parser_->body_limit(server_.options.largest_body);
    parser_->header_limit(server_.options.largest_header);
    stream_.expires_after(server_.options.read_time);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](beast::error_code error, std::size_t) {
                       self->has_read(error);
                     });
  }

 private:
  void has_read(beast::error_code error) {
    if (error == http::error::end_of_stream) return close();
    if (error == http::error::body_limit) {
      return refuse(413, "the body is larger than " + std::to_string(server_.options.largest_body) +
                             " bytes");
    }
    if (error == http::error::header_limit) return refuse(431, "the header is too large");
    if (error && error.category() == make_error_code(http::error::bad_method).category()) {
      return refuse(400, "this is not HTTP/1.1: " + error.message());
    }
    if (error) return;  // gone, or too slow
    keep_alive_ = parser_->get().keep_alive() && !server_.stopping;
    is_head_ = parser_->get().method() == http::verb::head;
    auto message = parser_->release();
    HttpRequest request{.method = text_of(message.method_string()),
                        .path = text_of(message.target()),
                        .content_type = text_of(message[http::field::content_type]),
                        .host = text_of(message[http::field::host]),
                        .body = std::move(message.body())};
    if (const auto query = request.path.find('?'); query != request.path.npos) {
      request.path.resize(query);
    }
    start_ = Clock::now();
    if (auto answer = server_.quick(request)) return write(std::move(*answer));
    if (server_.counters.waiting >= server_.options.most_waiting) {
      HttpResponse busy = http_error(503, "too many requests are waiting; try again");
      busy.headers.emplace_back("Retry-After", "1");
      return write(std::move(busy));
    }
    ++server_.counters.waiting;
    stream_.expires_never();
    asio::post(server_.workers, [self = shared_from_this(), request = std::move(request)] {
      HttpResponse answer = self->answer_to(request);
      Impl& server = self->server_;
      asio::post(server.io, [self, answer = std::move(answer)]() mutable {
        --self->server_.counters.waiting;
        self->write(std::move(answer));
      });
    });
  }

  /// On a worker.
  HttpResponse answer_to(const HttpRequest& request) const {
    if (Clock::now() - start_ > server_.options.wait_time) {
      return http_error(503, "the request waited too long for its turn; try again");
    }
    try {
      return server_.work(request);
    } catch (const std::exception& error) {
      return http_error(500, error.what());
    }
  }

  void refuse(int status, const std::string& message) {
    keep_alive_ = false;
    lingers_ = true;
    start_ = Clock::now();
    write(http_error(status, message));
  }

  void write(HttpResponse answer) {
    HttpCounters& counters = server_.counters;
    ++(answer.status < 400   ? counters.ok
       : answer.status < 500 ? counters.refused
                             : counters.failed);
    counters.microseconds +=
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start_).count();
    response_.emplace(static_cast<http::status>(answer.status), 11);
    response_->set(http::field::content_type, answer.content_type);
    response_->set(http::field::cache_control, "no-store");
    response_->set("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : answer.headers) response_->set(name, value);
    response_->keep_alive(keep_alive_);
    response_->body() = std::move(answer.body);
    response_->prepare_payload();
    if (is_head_) response_->body().clear();
    stream_.expires_after(server_.options.write_time);
    http::async_write(stream_, *response_,
                      [self = shared_from_this()](beast::error_code error, std::size_t) {
                        self->has_written(error);
                      });
  }

  void has_written(beast::error_code error) {
    if (error) return;
    if (keep_alive_ && !server_.stopping) return read();
    close();
    if (lingers_) {
      stream_.expires_after(kLinger);
      drain();
    }
  }

  void close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  void drain() {
    stream_.async_read_some(asio::buffer(thrown_away_),
                            [self = shared_from_this()](beast::error_code error, std::size_t) {
                              if (!error) self->drain_until_late();
                            });
  }
  /// Every read would push the deadline on if it were set anew: it is not.
  void drain_until_late() { drain(); }

  Impl& server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
  Clock::time_point start_{};
  bool keep_alive_ = false, is_head_ = false, lingers_ = false;
  std::array<char, 16384> thrown_away_;
};

/// Takes clients while there is room; the others wait in the system's queue.
void HttpServer::Impl::accept() {
  if (accepting || stopping || counters.connections >= options.most_connections) return;
  accepting = true;
  acceptor.async_accept([this](beast::error_code error, tcp::socket socket) {
    accepting = false;
    if (stopping) return;
    if (error) {  // such as too many open files: try again in a moment
      last.expires_after(std::chrono::milliseconds(100));
      last.async_wait([this](beast::error_code) { accept(); });
      return;
    }
    beast::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    std::make_shared<Connection>(*this, std::move(socket))->read();
    accept();
  });
}

void HttpServer::Impl::connection_ended() {
  if (!stopping) asio::post(io, [this] { accept(); });
}

void HttpServer::Impl::end() {
  if (stopping) return;
  stopping = true;
  beast::error_code ignored;
  acceptor.close(ignored);
  last.expires_after(kLastAnswers);
  last.async_wait([this](beast::error_code) { io.stop(); });
}

HttpServer::HttpServer(const HttpServerOptions& options, Quick quick, Work work)
    : impl_(new Impl(options, std::move(quick), std::move(work))) {
  beast::error_code error;
  const auto address = asio::ip::make_address(options.address, error);
  if (error) {
    throw ConfigError("host: expected an IP address such as 127.0.0.1 or ::1, got '" +
                      options.address + "'");
  }
  const tcp::endpoint place(address, options.port);
  tcp::acceptor& acceptor = impl_->acceptor;
  acceptor.open(place.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(place, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    throw IoError(options.address + " port " + std::to_string(options.port) +
                  ": cannot listen there: " + error.message() + "; give another --port");
  }
}

HttpServer::~HttpServer() {
  impl_->workers.stop();
  impl_->workers.join();
  impl_->stopping = true;
}

std::uint16_t HttpServer::port() const { return impl_->acceptor.local_endpoint().port(); }
const HttpCounters& HttpServer::counters() const { return impl_->counters; }

void HttpServer::run() {
  asio::signal_set signals(impl_->io, SIGINT, SIGTERM);
  signals.async_wait([this](beast::error_code error, int) {
    if (!error) impl_->end();
  });
  impl_->accept();
  impl_->io.run();
}

void HttpServer::stop() {
  asio::post(impl_->io, [this] { impl_->end(); });
}

}  // namespace rnn
