// What a Model holds: shared by the files that implement it.
#pragma once

#include <optional>

#include "rnn/model.h"

namespace rnn {

/// Where training stands: with parameters, averages, optimiser state, recurrent state and history
/// this is all that going on needs.
struct TrainingProgress {
  std::int64_t batches = 0;  // trained on since the beginning: the key of random draws
  std::int64_t steps = 0, tokens = 0;
  BatchSource::Position position{};
  // Over the epoch at hand.
  LossSum epoch_loss{};
  std::int64_t epoch_steps = 0;
  double learning_rate = 0;  // of the last step
  double epoch_norms = 0;
  double epoch_seconds = 0;
  // Divergences: steps skipped in a row, and how often training went back to a checkpoint, each
  // time with half the learning rate.
  std::int64_t skipped = 0, restored = 0;
};

// A training that diverges more often has no hope: steps skipped in a row, and checkpoints gone
// back to.
inline constexpr std::int64_t kMostSkips = 10, kMostRestores = 10;

struct Model::Impl {
  class FitLoop;

  Network network;
  CompileOptions options{};
  std::shared_ptr<const Backend> backend{};
  Parameters parameters{};  // as the optimiser has them
  AverageState averages{};
  OptimizerState optimizer_state{};
  TrainingProgress progress{};
  State state{};           // carried from batch to batch
  std::string saved_as{};  // the checkpoint that has what is here; empty: none
  // Of the checkpoint written or loaded last: see FoundCheckpoint.
  bool saved_as_planned = true;
  History history{};
  Observer observer{};
  std::vector<std::uint8_t> frozen{};  // one a parameter, not 0 while it stands still; or empty
  bool fitting = false;                // `inference` then stands in the session's memory
  bool stopping = false;
  std::string stop_reason{};
  std::optional<MemoryPlan> plan{};    // for summary()
  std::unique_ptr<Session> session{};  // made when first needed, kept for its memory
  std::unique_ptr<Inference> inference{};
  const Parameters* inferred = nullptr;  // what `inference` uses

  void require_compiled() const;
  const Parameters& best_parameters() const {
    return averages.steps > 0 ? averages.values : parameters;
  }
  Inference& infer();
  void forget_averages();
  Session& train();
  const MemoryPlan& plan_training();

  // A step, see train_step.cc: rate, then gradients of its batches, then the update.
  double learning_rate(double epochs, double total_epochs,
                       std::span<const double> validation) const;
  void add_gradients(const Batch& batch, StatePolicy policy, LossSum& loss);
  /// False when it diverged; then nothing was changed.
  bool update(const LossSum& loss, double rate, bool averaging, StepRecord& record);
  /// Of a step that `update` refused.
  std::string describe_divergence(const StepRecord& record) const;
  /// The first parameter or average that is not finite; empty when all are.
  std::string first_bad_parameter() const;
  /// As Model has it; what is there is first renamed to `keep_old_as`, unless that is empty.
  void save_checkpoint(const std::string& path, const std::string& note,
                       const std::string& keep_old_as, bool planned) const;
  void prepare_state(Index batch, StatePolicy policy);
  double norm_of(const TensorList& gradients) const;
  float clip_gradients(TensorList& gradients, double norm, double unit) const;
};

/// Name of the first tensor with an element that is not finite; empty when all are.
std::string first_not_finite(const TensorList& tensors, const Backend& backend);

}  // namespace rnn
