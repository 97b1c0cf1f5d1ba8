// Ctrl-C and SIGTERM during training: the first asks it to stop after the step at hand, the second
// ends the program at once.
#pragma once

#include <csignal>

#include "rnn/callback.h"
#include "rnn/model.h"

namespace rnn {

/// Takes both signals over from the beginning of training on, until destroyed. Before that there is
/// nothing to save, and the program just ends.
class StopOnInterrupt : public Callback {
 public:
  StopOnInterrupt() = default;
  ~StopOnInterrupt() override { set(SIG_DFL); }
  StopOnInterrupt(const StopOnInterrupt&) = delete;
  StopOnInterrupt& operator=(const StopOnInterrupt&) = delete;

  void on_train_begin(Model&) override {
    asked_ = 0;
    set(&StopOnInterrupt::handle);
  }
  void on_step_end(Model& model, const StepRecord&) override { stop(model); }
  void on_epoch_end(Model& model, const History&) override { stop(model); }

 private:
  static void stop(Model& model) {
    if (asked_ != 0) model.stop("interrupted; --resume goes on from here");
  }
  static void handle(int) {
    asked_ = 1;
    set(SIG_DFL);
  }
  /// A signal that is ignored stays so: that is how a shell protects a command in the background.
  static void set(void (*handler)(int)) {
    for (int signal : {SIGINT, SIGTERM}) {
      if (std::signal(signal, handler) == SIG_IGN) std::signal(signal, SIG_IGN);
    }
  }
  static inline volatile std::sig_atomic_t asked_ = 0;
};

}  // namespace rnn
