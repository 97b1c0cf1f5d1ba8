// HttpServer against clients that do not read or do not go, and around work that fails.
#include "apps/http_server.h"

#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "apps/http_client.h"
#include "base/json.h"

namespace rnn::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Answers on another thread, until destroyed.
class Running {
 public:
  explicit Running(const HttpServerOptions& options)
      : server_(options, &Running::quick, &Running::work,
                [](const HttpRequest& request) { return request.path == "/long"; }),
        thread_([this] { server_.run(); }) {}
  ~Running() { server_.stop(); }

  int port() const { return server_.port(); }
  const HttpCounters& counters() const { return server_.counters(); }
  /// Whether no connection is open, at last.
  bool becomes_empty() const {
    for (int tries = 0; tries < 1000; ++tries) {
      if (counters().connections == 0) return true;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return false;
  }

 private:
  [[noreturn]] static void fail(const std::string& how) {
    if (how == "memory") throw std::bad_alloc();
    if (how == "error") throw std::runtime_error("it broke");
    throw how.size();
  }
  static std::optional<HttpResponse> quick(const HttpRequest& request) {
    if (request.path.starts_with("/quick/")) fail(request.path.substr(7));
    return std::nullopt;
  }
  static HttpResponse work(const HttpRequest& request, const HttpServer::Wanted& wanted) {
    if (request.path.starts_with("/work/")) fail(request.path.substr(6));
    if (request.path == "/long") {
      while (wanted()) std::this_thread::sleep_for(milliseconds(5));
      throw HttpServer::Unwanted();
    }
    // More than the system keeps for a client that does not read.
    if (request.path == "/large") return {.body = std::string(std::size_t{16} << 20, 'x')};
    return {.body = "{}"};
  }

  HttpServer server_;
  std::jthread thread_;
};

std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

using Clients = std::vector<std::unique_ptr<Client>>;

/// So many that send this and do no more.
Clients clients(int count, int port, const std::string& data) {
  Clients made;
  for (int i = 0; i < count; ++i) {
    made.push_back(std::make_unique<Client>(port));
    made.back()->send(data);
  }
  return made;
}

TEST(HttpServer, WhatIsThrownIsAnAnswerAndEndsNothing) {
  const Running server({.workers = 2, .most_waiting = 2});
  Client client(server.port());  // one connection for all
  for (const std::string place : {"/quick/", "/work/"}) {
    for (const auto& [how, expected] :
         {std::pair("memory", 503), std::pair("error", 500), std::pair("number", 500)}) {
      const std::string answer = client.ask(get(place + how));
      EXPECT_EQ(status(answer), expected) << place << how;
      const Json body = parse_json(answer.substr(answer.find("\r\n\r\n") + 4), "answer");
      EXPECT_EQ(body["error"]["status"], expected);
      EXPECT_FALSE(body["error"]["message"].get<std::string>().empty());
      EXPECT_EQ(status(client.ask(get("/"))), 200);
    }
  }
  EXPECT_EQ(server.counters().waiting, 0);
  EXPECT_EQ(server.counters().failed, 6);
}

TEST(HttpServer, ClientsThatDoNotReadCannotKeepOthersOut) {
  const Running server({.most_connections = 4, .write_time = seconds(60)});
  const Clients rude = clients(12, server.port(), get("/large"));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(status(Client(server.port()).ask(get("/"))), 200);
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(15));
  // One that reads gets all of a large answer all the same.
  EXPECT_GT(Client(server.port()).ask(get("/large")).size(), std::size_t{16} << 20);
}

TEST(HttpServer, ClientsThatDoNotGoCannotKeepOthersOut) {
  const Running server({.most_connections = 4, .linger_time = seconds(60)});
  const Clients rude = clients(12, server.port(), "rubbish\r\n\r\n");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(status(Client(server.port()).ask(get("/"))), 200);
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(15));
}

TEST(HttpServer, WhatIsLongDelaysNothingElseAndEndsWithItsClient) {
  const Running server({.most_waiting = 5, .answer_time = seconds(60)});
  Clients asking = clients(5, server.port(), get("/long") + "\r\n");  // more than was asked for
  for (int tries = 0; tries < 1000 && server.counters().waiting < 5; ++tries) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(status(Client(server.port()).ask(get("/"))), 200);
  EXPECT_EQ(server.counters().waiting, 5);
  EXPECT_EQ(status(Client(server.port()).ask(get("/long"))), 503);  // they are too many already
  asking.clear();
  for (int tries = 0; tries < 1000 && server.counters().waiting > 0; ++tries) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(server.counters().waiting, 0);
  EXPECT_EQ(server.counters().failed, 1);  // the one that was too many
  Client half(server.port());
  half.send(get("/long"));
  half.half_close();
  EXPECT_EQ(status(half.receive()), 400);
}

TEST(HttpServer, AClientThatAsksIsToldToSendTheBody) {
  const Running server({.largest_body = 100});
  const auto head = [](const std::string& length) {
    return "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: " +
           length + "\r\n\r\n";
  };
  Client client(server.port());
  EXPECT_EQ(status(client.ask(head("2"))), 100);
  EXPECT_EQ(status(client.ask("{}")), 200);
  EXPECT_EQ(status(Client(server.port()).ask(head("101"))), 413);
  EXPECT_EQ(status(Client(server.port()).ask(head("2") + "{}")), 100);
}

TEST(HttpServer, OneGivesWayToOne) {
  const Running server({.most_connections = 4, .read_time = seconds(60)});
  const Clients slow = clients(4, server.port(), "GET / HTTP/1.1\r\nHost: localhost\r\n");
  std::this_thread::sleep_for(seconds(1));  // by now all have let themselves be waited for enough
  Client newcomer(server.port());
  EXPECT_EQ(status(newcomer.ask(get("/"))), 200);
  int answered = 0;
  for (const auto& client : slow) answered += status(client->ask("\r\n")) == 200;
  EXPECT_EQ(answered, 3);
}

TEST(HttpServer, WorkEndsWhenItsTimeIsOver) {
  const Running server({.answer_time = milliseconds(200)});
  const std::string answer = Client(server.port()).ask(get("/long"));
  EXPECT_EQ(status(answer), 503);
  EXPECT_NE(answer.find("took too long"), answer.npos) << answer;
  EXPECT_EQ(status(Client(server.port()).ask(get("/"))), 200);
}

TEST(HttpServer, WorkThatNobodyWaitsForDoesNotKeepTheServerFromEnding) {
  const auto start = std::chrono::steady_clock::now();
  {
    const Running server({.answer_time = seconds(3600)});
    const Clients waiting = clients(3, server.port(), get("/long"));
    while (server.counters().waiting == 0) std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(30));
}

TEST(HttpServer, NobodyIsWaitedForLongerThanTheOptionsSay) {
  const Running server({.read_time = milliseconds(200),
                        .write_time = milliseconds(200),
                        .linger_time = milliseconds(200)});
  const Clients rude[] = {clients(3, server.port(), get("/large")),
                          clients(3, server.port(), "rubbish\r\n\r\n"),
                          clients(3, server.port(), "GET / HT")};
  EXPECT_TRUE(server.becomes_empty()) << server.counters().connections;
}

}  // namespace
}  // namespace rnn::test
