// A client of HTTP that can be as slow and as rude as a test wants it.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

namespace rnn::test {

/// A connection to a server on this machine.
class Client {
 public:
  explicit Client(int port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(static_cast<std::uint16_t>(port));
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(connect(socket_, reinterpret_cast<const sockaddr*>(&place), sizeof place), 0);
  }
  ~Client() { close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(const std::string& data) const {
    for (std::size_t done = 0; done < data.size();) {
      const ssize_t n = ::send(socket_, data.data() + done, data.size() - done, MSG_NOSIGNAL);
      if (n <= 0) return;  // the server has heard enough
      done += static_cast<std::size_t>(n);
    }
  }
  /// One response, head and body; less when the server closes before.
  std::string receive() {
    const auto whole = [&] {
      const auto head = buffer_.find("\r\n\r\n");
      if (head == buffer_.npos) return false;
      const auto length = buffer_.find("Content-Length: ");
      if (length == buffer_.npos || length > head) return true;
      return buffer_.size() >= head + 4 + std::stoul(buffer_.substr(length + 16));
    };
    char data[65536];
    while (!whole()) {
      const ssize_t n = recv(socket_, data, sizeof data, 0);
      if (n <= 0) break;
      buffer_.append(data, static_cast<std::size_t>(n));
    }
    return std::exchange(buffer_, "");
  }
  void half_close() const { shutdown(socket_, SHUT_WR); }
  std::string ask(const std::string& data) {
    send(data);
    return receive();
  }

 private:
  int socket_;
  std::string buffer_;
};

/// Of a response; 0 when there is none.
inline int status(const std::string& response) {
  return response.size() > 12 ? std::stoi(response.substr(9, 3)) : 0;
}

}  // namespace rnn::test
