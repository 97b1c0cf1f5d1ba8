// Callbacks: what happens beside the updates while `fit` runs.
#pragma once

#include <chrono>
#include <functional>
#include <iosfwd>
#include <limits>
#include <string>

#include "rnn/export.h"
#include "rnn/history.h"

namespace rnn {

class Model;

/// One update, just made.
struct StepRecord {
  std::int64_t epoch = 0;    ///< from 1
  std::int64_t epochs = 0;   ///< to be trained in all
  std::int64_t batch = 0;    ///< batches done in this epoch
  std::int64_t batches = 0;  ///< in this epoch; 0: not known
  std::int64_t steps = 0;    ///< updates since the beginning
  LossSum loss{};            ///< of this batch
  LossSum epoch_loss{};      ///< of this epoch so far
  double learning_rate = 0;
  double gradient_norm = 0;  ///< before clipping
};

class RNN_API Callback {
 public:
  virtual ~Callback() = default;
  /// Whether it has nothing to go by unless epochs are validated or measured: `fit` then refuses to
  /// begin without.
  virtual bool needs_validation() const { return false; }
  virtual void on_train_begin(Model&) {}
  virtual void on_step_end(Model&, const StepRecord&) {}
  /// Before each batch of the validation after an epoch. `Model::stop` gives the validation up: a
  /// resume repeats it, with the same bits.
  virtual void on_validation_batch(Model&) {}
  /// After the validation of the epoch, if there is one. `history` ends with this epoch.
  virtual void on_epoch_end(Model&, const History&) {}
  /// A loss or gradient was not finite, and training goes on: what happened and what is done.
  virtual void on_divergence(Model&, const std::string&) {}
  /// Also when training was stopped before its end, but not when it ended with an exception.
  virtual void on_train_end(Model&, const History&) {}
};

struct EarlyStoppingOptions {
  int patience = 0;      ///< epochs in a row without a better one that are endured
  double min_delta = 0;  ///< by how much an epoch must be better to count: nats, or the metric
};

/// Stops when validation no longer gets better: History::best says what that means. `fit` throws
/// ConfigError where it is given neither something to validate on nor a metric.
class RNN_API EarlyStopping : public Callback {
 public:
  explicit EarlyStopping(const EarlyStoppingOptions& options = {});
  bool needs_validation() const override { return true; }
  void on_train_begin(Model& model) override;
  void on_epoch_end(Model& model, const History& history) override;

 private:
  EarlyStoppingOptions options_;
};

/// Calls `save` whenever an epoch was the best so far, also of epochs that a divergence took back:
/// the place to write a model file.
class RNN_API BestModel : public Callback {
 public:
  using Save = std::function<void(const Model&, const History&)>;
  explicit BestModel(Save save);
  void on_train_begin(Model& model) override;
  void on_epoch_end(Model& model, const History& history) override;

 private:
  Save save_;
  double best_ = std::numeric_limits<double>::infinity();
};

/// Writes the history to a CSV file after every epoch.
class RNN_API CsvHistory : public Callback {
 public:
  explicit CsvHistory(std::string path);
  void on_epoch_end(Model& model, const History& history) override;

 private:
  std::string path_;
};

/// Writes the history to a file of one JSON object an epoch, after every epoch.
class RNN_API JsonLinesHistory : public Callback {
 public:
  explicit JsonLinesHistory(std::string path);
  void on_epoch_end(Model& model, const History& history) override;

 private:
  std::string path_;
};

/// Calls a function after every epoch. It may call Model::stop.
class RNN_API OnEpoch : public Callback {
 public:
  using Function = std::function<void(Model&, const History&)>;
  explicit OnEpoch(Function function);
  void on_epoch_end(Model& model, const History& history) override;

 private:
  Function function_;
};

/// Calls a function after every step. It may call Model::stop.
class RNN_API OnStep : public Callback {
 public:
  using Function = std::function<void(Model&, const StepRecord&)>;
  explicit OnStep(Function function);
  void on_step_end(Model& model, const StepRecord& record) override;

 private:
  Function function_;
};

/// Stops at the first step that ends later than `seconds` after `fit` began its loop. What was
/// before (reading texts, planning memory) is not counted; the clock is looked at after steps
/// alone, so that a validation at hand, and saving what there is, come on top.
class RNN_API TimeLimit : public Callback {
 public:
  explicit TimeLimit(double seconds);
  void on_train_begin(Model& model) override;
  void on_step_end(Model& model, const StepRecord& record) override;

 private:
  double seconds_;
  std::chrono::steady_clock::time_point start_{};
};

struct ProgressBarOptions {
  bool terminal = false;  ///< redraw one line; otherwise a plain line now and then
  int columns = 80;       ///< of the terminal: a longer line could not be redrawn
  std::string unit = "tokens";
  double every_seconds = 10;  ///< between plain lines
};

/// Shows rate, loss, perplexity and the time an epoch still takes. A line that is being redrawn is
/// taken away when training ends, also by an exception (with the bar itself).
class RNN_API ProgressBar : public Callback {
 public:
  explicit ProgressBar(std::ostream& out, const ProgressBarOptions& options = {});
  ~ProgressBar() override;
  void on_train_begin(Model& model) override;
  void on_step_end(Model& model, const StepRecord& record) override;
  void on_epoch_end(Model& model, const History& history) override;
  void on_train_end(Model& model, const History& history) override;

 private:
  using Clock = std::chrono::steady_clock;
  void begin_epoch(std::int64_t epoch);
  std::string redrawn_line(const StepRecord& record, double rate) const;
  void take_line_away();

  std::ostream& out_;
  ProgressBarOptions options_;
  std::int64_t epoch_ = 0, first_targets_ = 0;
  bool drawn_ = false;  // there is a line that the next one redraws
  Clock::time_point epoch_start_{}, last_shown_{};
};

}  // namespace rnn
