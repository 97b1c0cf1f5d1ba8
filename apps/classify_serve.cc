#include <malloc.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "apps/classify_api.h"
#include "apps/command_line.h"
#include "apps/commands.h"
#include "base/require.h"
#include "rnn/text/line_reader.h"

namespace rnn {
namespace {

namespace po = boost::program_options;

std::vector<std::string> read_examples(const std::string& path) {
  constexpr std::size_t kMost = 12;
  std::vector<std::string> examples;
  if (path.empty()) return examples;
  LineReader reader(path, {.replace_invalid = true});
  while (examples.size() < kMost && reader.next()) {
    if (!reader.line().empty()) examples.emplace_back(reader.line());
  }
  return examples;
}

/// A number that must be at least so large.
template <class T>
T at_least(const CommandLine& line, const char* option, T least) {
  const T value = line.get<T>(option);
  require(value >= least, "--" + std::string(option), "at least " + std::to_string(least), value);
  return value;
}

std::chrono::milliseconds duration(const CommandLine& line, const char* option) {
  const auto seconds = line.get<double>(option);
  require(seconds >= 0.1 && seconds <= 3600, "--" + std::string(option), "0.1 to 3600", seconds);
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

bool is_loopback(const std::string& address) {
  boost::system::error_code error;  // what is no address is told where the server begins to listen
  const auto parsed = boost::asio::ip::make_address(address, error);
  return !error && parsed.is_loopback();
}

}  // namespace

void classify_serve(const Arguments& arguments) {
  CommandLine line(
      "classify serve --model DIR [--port N] [options]",
      "Answers over HTTP, to this machine alone unless --host says otherwise, and has\n"
      "a page to try the model on. Ctrl-C ends it.");
  add_model_option(line);
  line.add("Files")("examples", po::value<std::string>()->default_value("")->value_name("F"),
                    "texts that the page offers, one a line");
  line.add("Server")("host", po::value<std::string>()->default_value("127.0.0.1"),
                     "IP address to listen on; whoever reaches it may use the model")(
      "port", po::value<int>()->default_value(8080)->value_name("N"), "0: one that is free")(
      "max-body", po::value<std::int64_t>()->default_value(4 << 20)->value_name("BYTES"),
      "largest body of a request")(
      "max-header", po::value<std::int64_t>()->default_value(16384)->value_name("BYTES"),
      "largest header of a request")(
      "max-texts", po::value<std::int64_t>()->default_value(1000)->value_name("N"),
      "texts of one request")("max-connections",
                              po::value<int>()->default_value(512)->value_name("N"),
                              "beyond them the client that is waited for longest gives way")(
      "max-waiting", po::value<int>()->default_value(256)->value_name("N"),
      "requests that wait for their turn; others get status 503")(
      "timeout", po::value<double>()->default_value(15)->value_name("SECONDS"),
      "for a client to send a request or take an answer")(
      "wait-timeout", po::value<double>()->default_value(20)->value_name("SECONDS"),
      "for a request to wait for its turn; after it, status 503")(
      "answer-timeout", po::value<double>()->default_value(30)->value_name("SECONDS"),
      "for an answer to be computed; after it, status 503")(
      "linger-timeout", po::value<double>()->default_value(2)->value_name("SECONDS"),
      "for a client that was refused to stop sending and read why");
  add_backend_options(line);
  if (!line.parse(arguments)) return;
  line.require("model");
  const int port = line.get<int>("port");
  require(port >= 0 && port <= 65535, "--port", "0 to 65535", port);
  // As many predictions at once as there are threads, each computed by one: short texts leave
  // nothing to divide. Explanations come on top, with threads of their own.
  BackendOptions backend = backend_options(line);
  const int threads = backend.threads.threads > 0
                          ? backend.threads.threads
                          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  backend.threads.threads = 1;
  const std::string host = line.get<std::string>("host");
  const auto header = line.get<std::int64_t>("max-header");
  require(header >= 256 && header <= 1 << 24, "--max-header", "256 to 16777216", header);
  const auto most_texts = at_least<std::int64_t>(line, "max-texts", 1);
  const HttpServerOptions options{
      .address = host,
      .port = static_cast<std::uint16_t>(port),
      .workers = threads,
      .long_workers = std::max(1, threads - 1),
      .largest_body = static_cast<std::uint64_t>(at_least<std::int64_t>(line, "max-body", 1)),
      .largest_header = static_cast<std::uint32_t>(header),
      .most_connections = at_least(line, "max-connections", 1),
      .most_waiting = at_least(line, "max-waiting", 1),
      .read_time = duration(line, "timeout"),
      .write_time = duration(line, "timeout"),
      .wait_time = duration(line, "wait-timeout"),
      .answer_time = duration(line, "answer-timeout"),
      .linger_time = duration(line, "linger-timeout")};

  // Bodies and answers of requests go back to the system when they are done with. Left alone, glibc
  // keeps blocks of up to 32 MB for itself once it has seen one freed.
  mallopt(M_MMAP_THRESHOLD, 1 << 17);

  const TextClassifier model = TextClassifier::load(line.get<std::string>("model"), backend);
  const ClassifyApi api(model, {.examples = read_examples(line.get<std::string>("examples")),
                                .only_loopback = is_loopback(host),
                                .most_texts = static_cast<std::size_t>(most_texts)});
  HttpServer* running = nullptr;
  HttpServer server(
      options, [&](const HttpRequest& request) { return api.quick(request, running->counters()); },
      [&](const HttpRequest& request, const HttpServer::Wanted& wanted) {
        return api.work(request, wanted);
      },
      &ClassifyApi::is_long);
  running = &server;
  const std::string shown = host.find(':') == host.npos ? host : "[" + host + "]";
  std::cout << "http://" << shown << ":" << server.port() << "/" << std::endl;
  std::cerr << "serving " << line.get<std::string>("model") << "; Ctrl-C ends it" << std::endl;
  server.run();
}

}  // namespace rnn
