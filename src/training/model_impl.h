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
  double epoch_norms = 0;
  double epoch_seconds = 0;
};

struct Model::Impl {
  Sequential network;
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
  double train_step(const Batch& batch, const FitOptions& fit, double position_in_epoch,
                    StepRecord& record);
  double clip_gradients(TensorList& gradients, float& scale) const;
  [[noreturn]] void diverged(double loss, double norm, double rate) const;
};

}  // namespace rnn
