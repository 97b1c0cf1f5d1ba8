// What a Model holds: shared by the files that implement it.
#pragma once

#include "rnn/model.h"

namespace rnn {

/// Where training stands: with parameters, optimiser state, recurrent state and history this is all
/// that going on needs.
struct TrainingProgress {
  std::int64_t steps = 0, tokens = 0;
  BatchSource::Position position{};
  // Sums over the epoch at hand.
  LossSum epoch_loss{};
  double learning_rate = 0;  // of the last step
  double epoch_norms = 0;
  double epoch_seconds = 0;
};

struct Model::Impl {
  Network network;
  CompileOptions options{};
  std::shared_ptr<const Backend> backend{};
  Parameters parameters{};
  OptimizerState optimizer_state{};
  TrainingProgress progress{};
  State state{};  // carried from batch to batch
  History history{};
  bool stopping = false;
  std::string stop_reason{};
  std::unique_ptr<Session> session{};  // made when first needed, kept for its memory
  std::unique_ptr<Inference> inference{};

  void require_compiled() const;
  Inference& infer();
  Session& train();
  void prepare_state(Index batch, StatePolicy policy);
  void train_step(const Batch& batch, const FitOptions& fit, double position_in_epoch,
                  std::span<const double> validation, StepRecord& record);
  double norm_of(const TensorList& gradients) const;
  float clip_gradients(TensorList& gradients, double norm) const;
  [[noreturn]] void diverged(double loss, double norm, double rate) const;
};

}  // namespace rnn
