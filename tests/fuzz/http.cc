// Any bytes as what a client of `rnn classify serve` sends, in pieces of any size: each request is
// answered or refused, with limits kept, by the code between socket and classifier.
#include <algorithm>

#include "apps/classify_api.h"
#include "apps/http_server.h"
#include "apps/http_wire.h"
#include "fuzz/memory_file.h"
#include "rnn/error.h"

namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace asio = boost::asio;

/// What a client sent, as it arrives.
class Arriving {
 public:
  Arriving(const std::uint8_t* data, std::size_t size, std::size_t piece)
      : data_(data), size_(size), piece_(piece) {}

  template <class Buffers>
  std::size_t read_some(const Buffers& to, beast::error_code& error) {
    error = {};
    const std::size_t count = asio::buffer_copy(to, asio::buffer(data_, std::min(size_, piece_)));
    data_ += count;
    size_ -= count;
    if (count == 0 && asio::buffer_size(to) > 0) error = asio::error::eof;
    return count;
  }
  template <class Buffers>
  std::size_t read_some(const Buffers& to) {
    beast::error_code error;
    const std::size_t count = read_some(to, error);
    if (error) throw beast::system_error(error);
    return count;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_, piece_;
};

const rnn::ClassifyApi& api() {
  static const rnn::TextClassifier model = [] {
    std::vector<rnn::LabelledText> texts(8, {.labels = {"yes"}, .text = "north and south"});
    for (int i = 1; i < 8; i += 2) texts[i] = {.labels = {"no"}, .text = "south and north"};
    return rnn::TextClassifier::fit(
        texts, {.arch = "bag", .embedding = 3, .buckets = 11, .epochs = 1, .batch = 4},
        {.threads = {.threads = 1}});
  }();
  static const rnn::ClassifyApi made(model, {.examples = {"north"}, .most_texts = 10});
  return made;
}

rnn::HttpResponse answer_to(const rnn::HttpRequest& request) {
  static const rnn::HttpCounters counters{};
  if (auto quick = api().quick(request, counters)) return std::move(*quick);
  return api().work(request, [] { return true; });
}

std::string bytes_of(const rnn::OutgoingResponse& response) {
  std::string text;
  http::response_serializer<http::string_body> serializer(
      const_cast<rnn::OutgoingResponse&>(response));
  beast::error_code error;
  while (!serializer.is_done() && !error) {
    serializer.next(error, [&](beast::error_code&, const auto& buffers) {
      text += beast::buffers_to_string(buffers);
      serializer.consume(beast::buffer_bytes(buffers));
    });
  }
  rnn::require(!error);
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const rnn::HttpLimits limits{.largest_body = 300, .largest_header = 400};
  Arriving stream(data + 1, size - 1, std::size_t{1} + data[0]);
  rnn::HttpBuffer buffer(limits);
  for (bool open = true; open;) {
    rnn::IncomingRequest incoming(limits);
    beast::error_code error;
    http::read(stream, buffer, incoming.parser(), error);
    rnn::HttpResponse answer;
    bool is_head = false;
    if (error) {
      auto refusal = incoming.refusal(error);
      if (!refusal) return 0;
      answer = std::move(*refusal);
      rnn::require(answer.status >= 400 && answer.status < 500);
      open = false;
    } else {
      open = incoming.keep_alive();
      is_head = incoming.is_head();
      const rnn::HttpRequest request = incoming.take();
      rnn::require(request.body.size() <= limits.largest_body);
      rnn::require(request.path.size() + request.host.size() <= limits.largest_header);
      answer = answer_to(request);
      rnn::require(answer.status == 200 || (answer.status >= 400 && answer.status < 500));
    }
    const std::string bytes = bytes_of(rnn::outgoing(std::move(answer), open, is_head));
    rnn::require(bytes.starts_with("HTTP/1.1 ") && bytes.find("\r\n\r\n") != bytes.npos);
  }
  return 0;
}
