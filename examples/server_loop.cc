// A server's loop: threads take requests from a queue and answer them from one model, which none of
// them changes. What is private to a thread is its Inference and its state.
//   example_server_loop MODEL_DIR
#include <rnn/error.h>
#include <rnn/tasks/language_model.h>

#include <cstdio>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Request {
  std::size_t number;
  std::string sentence;
};

class Queue {
 public:
  void put(Request request) {
    const std::lock_guard lock(mutex_);
    requests_.push(std::move(request));
  }
  bool take(Request& request) {
    const std::lock_guard lock(mutex_);
    if (requests_.empty()) return false;
    request = std::move(requests_.front());
    requests_.pop();
    return true;
  }

 private:
  std::mutex mutex_;
  std::queue<Request> requests_;
};

}  // namespace

int main(int argc, char** argv) try {
  constexpr std::size_t kThreads = 4, kRequests = 64;
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s MODEL_DIR\n", argv[0]);
    return 2;
  }
  // One thread a request: the requests are what runs side by side.
  const auto model = rnn::LanguageModel::load(argv[1], {.threads = {.threads = 1}});
  Queue queue;
  std::vector<std::string> sentences;
  for (std::size_t i = 0; i < kRequests; ++i) {
    sentences.push_back(std::string(1 + i % 7, 'a') + " fox and " + std::to_string(i) + " lions.");
    queue.put({i, sentences.back()});
  }
  std::vector<double> answers(kRequests);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        Request request;
        while (queue.take(request)) {
          rnn::State state = model.initial_state();
          answers[request.number] = model.score(request.sentence, state).log_prob;
        }
      });
    }
  }
  bool same = true;
  for (std::size_t i = 0; i < kRequests; ++i) {
    rnn::State state = model.initial_state();
    same = same && answers[i] == model.score(sentences[i], state).log_prob;
  }
  std::printf("%zu threads, %zu answers, %s\n", kThreads, kRequests,
              same ? "all as alone" : "not all as alone");
  return same ? 0 : 1;
} catch (const rnn::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
