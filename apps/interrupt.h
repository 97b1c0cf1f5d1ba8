// Ctrl-C, SIGTERM and SIGHUP (the terminal is gone) during training ask it to stop after the step
// or the batch of a validation at hand; a measure that a task takes besides, such as the F1 of a
// tagger, is waited for. After a Ctrl-C or a SIGTERM a second of them ends the program at once.
// Messages that nobody reads any more do not end it: SIGPIPE is ignored, and stays so, as streams
// try once more at the end of the program to write what they have left.
#pragma once

#include <csignal>

#include "rnn/callback.h"
#include "rnn/model.h"

namespace rnn {

/// Takes these signals over from the beginning of training on, until destroyed. Before that there
/// is nothing to save, and the program just ends.
class StopOnInterrupt : public Callback {
 public:
  StopOnInterrupt() = default;
  ~StopOnInterrupt() override {
    for (int signal : {SIGINT, SIGTERM, SIGHUP}) set(signal, SIG_DFL);
  }
  StopOnInterrupt(const StopOnInterrupt&) = delete;
  StopOnInterrupt& operator=(const StopOnInterrupt&) = delete;

  void on_train_begin(Model&) override {
    asked_ = 0;
    for (int signal : {SIGINT, SIGTERM, SIGHUP}) set(signal, &StopOnInterrupt::handle);
    std::signal(SIGPIPE, SIG_IGN);
  }
  void on_step_end(Model& model, const StepRecord&) override { stop(model); }
  void on_validation_batch(Model& model) override { stop(model); }
  void on_epoch_end(Model& model, const History&) override { stop(model); }

 private:
  static void stop(Model& model) {
    if (asked_ != 0) model.stop("interrupted; --resume goes on from here");
  }
  static void handle(int signal) {
    asked_ = 1;
    // A shell and the kernel may both say that the terminal is gone, and a machine that is shut
    // down sends SIGTERM and SIGHUP: that is no second request.
    if (signal == SIGHUP) return;
    for (int other : {SIGINT, SIGTERM}) set(other, SIG_DFL);
  }
  /// A signal that is ignored stays so: that is how a shell protects a command in the background,
  /// and how nohup does.
  static void set(int signal, void (*handler)(int)) {
    if (std::signal(signal, handler) == SIG_IGN) std::signal(signal, SIG_IGN);
  }
  static inline volatile std::sig_atomic_t asked_ = 0;
};

}  // namespace rnn
