// Ctrl-C and SIGTERM during training: the first asks it to stop after the step at hand, the second
// ends the program at once.
#pragma once

#include <csignal>

namespace rnn {

class Interrupt {
 public:
  /// Takes both signals over until destroyed.
  Interrupt() {
    asked_ = 0;
    std::signal(SIGINT, &Interrupt::handle);
    std::signal(SIGTERM, &Interrupt::handle);
  }
  ~Interrupt() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
  }
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool asked() const { return asked_ != 0; }

 private:
  static void handle(int) {
    asked_ = 1;
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
  }
  static inline volatile std::sig_atomic_t asked_ = 0;
};

}  // namespace rnn
