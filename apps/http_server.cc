#include "apps/http_server.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <boost/asio.hpp>
#include <list>
#include <new>
#include <string_view>
#include <utility>

#include "apps/http_wire.h"
#include "rnn/error.h"

namespace rnn {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLastAnswers{1000};
/// Bytes of an answer that the system keeps for a client; left alone, it keeps megabytes.
constexpr int kSendBuffer = 1 << 16;
/// So long a client may let itself be waited for before it can lose its place to another.
constexpr std::chrono::milliseconds kGrace{500};
/// Before what the system refused is tried again.
constexpr std::chrono::milliseconds kTryAgain{100};

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

/// What answer() returns, or what to say of the exception that it let out.
template <class Answer>
auto answered(Answer answer) -> decltype(answer()) {
  try {
    return answer();
  } catch (const std::bad_alloc&) {
    return http_error(503, "there is not enough memory for this now; try again");
  } catch (const std::exception& error) {
    return http_error(500, error.what());
  } catch (...) {
    return http_error(500, "an unknown failure");
  }
}

/// Whether a connection that ends would help.
bool wants_room(beast::error_code error) {
  return error == asio::error::no_descriptors || error == asio::error::no_memory ||
         error == asio::error::no_buffer_space ||
         error == beast::errc::too_many_files_open_in_system;
}

/// Counts for as long as it lives.
class Counted {
 public:
  explicit Counted(std::atomic<std::int64_t>& count) : count_(&count) { ++*count_; }
  Counted(Counted&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  Counted& operator=(Counted&&) = delete;
  ~Counted() { end(); }
  void end() {
    if (count_ != nullptr) --*count_;
    count_ = nullptr;
  }

 private:
  std::atomic<std::int64_t>* count_;
};

/// Threads that answer, and the requests that they have or that wait for them.
struct Workers {
  explicit Workers(int count) : threads(static_cast<std::size_t>(std::max(1, count))) {}
  asio::thread_pool threads;
  std::atomic<std::int64_t> waiting{0};
};

}  // namespace

struct HttpServer::Impl {
  class Connection;

  HttpServerOptions options;
  Quick quick;
  Work work;
  IsLong is_long;
  HttpCounters counters{};
  /// Those that wait for their clients, the one that has waited longest first.
  std::list<Connection*> idle{};
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  Workers workers, long_workers;
  asio::steady_timer last{io}, room{io};
  bool accepting = false;
  int leaving = 0;  ///< connections that were cut off and have not ended yet
  std::atomic<bool> stopping{false};
  std::atomic<bool> is_over{false};  ///< no answer reaches anybody any more

  Impl(const HttpServerOptions& chosen, Quick quick_answers, Work answers, IsLong asks_for_long)
      : options(chosen),
        quick(std::move(quick_answers)),
        work(std::move(answers)),
        is_long(std::move(asks_for_long)),
        workers(chosen.workers),
        long_workers(chosen.long_workers) {}

  HttpLimits limits() const {
    return {.largest_body = options.largest_body, .largest_header = options.largest_header};
  }
  void accept();
  void make_room();
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
    leave_idle();
    if (is_cut_off_) --server_.leaving;
    --server_.counters.connections;
    server_.connection_ended();
  }

  void read() {
    incoming_.emplace(server_.limits());
    response_.reset();  // not kept while the client thinks
    wait_for_client(server_.options.read_time);
    http::async_read_header(stream_, buffer_, incoming_->parser(),
                            [self = shared_from_this()](beast::error_code error, std::size_t) {
                              self->has_read_header(error);
                            });
  }

  Clock::time_point idle_since() const { return idle_since_; }
  /// Of one that is idle: makes room for another client.
  void cut_off() {
    leave_idle();
    is_cut_off_ = true;
    ++server_.leaving;
    stream_.close();
  }

 private:
  /// For what is started next, at most so long, and less when another wants the place.
  void wait_for_client(std::chrono::milliseconds time) {
    leave_idle();
    place_ = server_.idle.insert(server_.idle.end(), this);
    idle_since_ = Clock::now();
    stream_.expires_after(time);
    server_.accept();  // there may be somebody now who can give way
  }

  void leave_idle() {
    if (place_) server_.idle.erase(*place_);
    place_.reset();
  }

  void has_read_header(beast::error_code error) {
    if (error || is_cut_off_ || !incoming_->expects_continue()) return read_body(error);
    // The body fits, or there would be an error: the client may send it.
    asio::async_write(stream_, asio::buffer(kContinue),
                      [self = shared_from_this()](beast::error_code failed, std::size_t) {
                        self->read_body(failed);
                      });
  }

  void read_body(beast::error_code error) {
    if (error || is_cut_off_) return has_read(error);
    http::async_read(stream_, buffer_, incoming_->parser(),
                     [self = shared_from_this()](beast::error_code failed, std::size_t) {
                       self->has_read(failed);
                     });
  }

  void has_read(beast::error_code error) {
    leave_idle();
    if (is_cut_off_) return;  // whatever arrived just before
    if (error == http::error::end_of_stream) return close();
    if (error) {
      if (auto answer = incoming_->refusal(error)) refuse(std::move(*answer));
      return;
    }
    keep_alive_ = incoming_->keep_alive() && !server_.stopping;
    is_head_ = incoming_->is_head();
    HttpRequest request = incoming_->take();
    start_ = Clock::now();
    auto at_once = answered([&] { return server_.quick(request); });
    if (at_once) return write(std::move(*at_once));
    const bool takes_long = server_.is_long(request);
    Workers& pool = takes_long ? server_.long_workers : server_.workers;
    if (pool.waiting >= server_.options.most_waiting) {
      HttpResponse busy = http_error(503, "too many requests are waiting; try again");
      busy.headers.emplace_back("Retry-After", "1");
      return write(std::move(busy));
    }
    stream_.expires_never();
    asio::post(pool.threads, [self = shared_from_this(), request = std::move(request), takes_long,
                              counted = std::array{Counted(server_.counters.waiting),
                                                   Counted(pool.waiting)}]() mutable {
      // Whatever left a worker would end the program. Where memory is wanting even for
      // an error, the connection is let go.
      try {
        HttpResponse answer = answered([&] { return self->answer_to(request, takes_long); });
        asio::io_context& reading = self->server_.io;
        asio::post(reading, [self = std::move(self), counted = std::move(counted),
                             answer = std::move(answer)]() mutable {
          for (Counted& one : counted) one.end();
          self->write(std::move(answer));
        });
      } catch (...) {
      }
    });
  }

  /// On a worker.
  HttpResponse answer_to(const HttpRequest& request, bool takes_long) {
    if (Clock::now() - start_ > server_.options.wait_time) {
      return http_error(503, "the request waited too long for its turn; try again");
    }
    const auto begun = Clock::now();
    const auto wanted = [&] {
      return !server_.is_over && Clock::now() - begun <= server_.options.answer_time &&
             !(takes_long && client_has_closed());
    };
    try {
      if (!wanted()) throw Unwanted();  // who waited for their turn may have gone
      return server_.work(request, wanted);
    } catch (const Unwanted&) {
      if (takes_long && client_has_closed()) {
        return http_error(400, "the client closed its side of the connection before the answer");
      }
      return http_error(503, "the answer took too long; send less text at a time");
    }
  }

  /// On a worker. Nothing else touches the socket meanwhile. A client that has closed the half that
  /// it sends on alone looks the same.
  bool client_has_closed() {
    pollfd socket{.fd = stream_.socket().native_handle(), .events = POLLRDHUP, .revents = 0};
    return ::poll(&socket, 1, 0) > 0;
  }

  void refuse(HttpResponse answer) {
    keep_alive_ = false;
    lingers_ = true;
    start_ = Clock::now();
    write(std::move(answer));
  }

  void write(HttpResponse answer) {
    HttpCounters& served = server_.counters;
    ++(answer.status < 400 ? served.ok : answer.status < 500 ? served.refused : served.failed);
    served.microseconds +=
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start_).count();
    response_.emplace(outgoing(std::move(answer), keep_alive_, is_head_));
    wait_for_client(server_.options.write_time);
    http::async_write(stream_, *response_,
                      [self = shared_from_this()](beast::error_code error, std::size_t) {
                        self->has_written(error);
                      });
  }

  void has_written(beast::error_code error) {
    leave_idle();
    if (error || is_cut_off_) return;
    if (keep_alive_ && !server_.stopping) return read();
    response_.reset();
    close();
    if (lingers_) {
      wait_for_client(server_.options.linger_time);
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
                              if (!error) self->drain();  // the deadline stays
                            });
  }

  Impl& server_;
  std::optional<std::list<Connection*>::iterator> place_;  // in server_.idle
  beast::tcp_stream stream_;
  HttpBuffer buffer_{server_.limits()};
  std::optional<IncomingRequest> incoming_;
  std::optional<OutgoingResponse> response_;
  Clock::time_point start_{}, idle_since_{};
  bool keep_alive_ = false, is_head_ = false, lingers_ = false, is_cut_off_ = false;
  std::array<char, 16384> thrown_away_;
};

/// Takes clients while there is room, and one more.
void HttpServer::Impl::accept() {
  if (accepting || stopping) return;
  if (counters.connections > options.most_connections) return make_room();
  acceptor.async_accept([this](beast::error_code error, tcp::socket socket) {
    accepting = false;
    if (stopping) return;
    if (error) {
      last.expires_after(kTryAgain);
      last.async_wait([this](beast::error_code ended) {
        if (!ended) accept();
      });
      if (wants_room(error)) make_room();  // the system may give fewer places than the options
      return;
    }
    beast::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(tcp::socket::send_buffer_size(kSendBuffer), ignored);
    std::make_shared<Connection>(*this, std::move(socket))->read();
    accept();
  });
  accepting = true;
}

/// The one that has let itself be waited for longest, and long enough, loses its place, so that
/// those who send slowly, do not read or do not go cannot keep others out. When all wait for
/// workers, new ones wait in the system's queue.
void HttpServer::Impl::make_room() {
  if (leaving > 0 || idle.empty()) return;  // the end of one leads back to accept()
  const Clock::time_point may_go = idle.front()->idle_since() + kGrace;
  if (may_go <= Clock::now()) return idle.front()->cut_off();
  room.expires_at(may_go);
  room.async_wait([this](beast::error_code error) {
    if (!error) accept();
  });
}

void HttpServer::Impl::connection_ended() {
  if (stopping) return;
  try {
    asio::post(io, [this] { accept(); });
  } catch (const std::bad_alloc&) {  // the next that ends will look for those who wait
  }
}

void HttpServer::Impl::end() {
  if (stopping) return;
  stopping = true;
  beast::error_code ignored;
  acceptor.close(ignored);
  last.expires_after(kLastAnswers);
  last.async_wait([this](beast::error_code) { io.stop(); });
}

HttpServer::HttpServer(const HttpServerOptions& options, Quick quick, Work work, IsLong is_long)
    : impl_(new Impl(options, std::move(quick), std::move(work), std::move(is_long))) {
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
  impl_->is_over = true;
  for (Workers* workers : {&impl_->workers, &impl_->long_workers}) workers->threads.stop();
  for (Workers* workers : {&impl_->workers, &impl_->long_workers}) workers->threads.join();
  impl_->stopping = true;
}

std::uint16_t HttpServer::port() const { return impl_->acceptor.local_endpoint().port(); }
const HttpCounters& HttpServer::counters() const { return impl_->counters; }

void HttpServer::run() {
  asio::signal_set signals(impl_->io, SIGINT, SIGTERM);
  signals.async_wait([this](beast::error_code error, int) {
    if (!error) impl_->end();
  });
  const auto accepts = [this] {
    try {
      impl_->accept();
      return true;
    } catch (const std::exception&) {
      return false;
    }
  };
  // What is thrown there, for want of memory, is one connection's affair, which it has ended. Where
  // there is none even to wait for clients, those that are there must go on, and give some back.
  while (!impl_->io.stopped()) {
    try {
      if (accepts()) {
        impl_->io.run();
      } else {
        impl_->io.run_for(kTryAgain);
      }
    } catch (const std::exception&) {
    }
  }
}

void HttpServer::stop() {
  asio::post(impl_->io, [this] { impl_->end(); });
}

}  // namespace rnn
