// Model: a network, its parameters, and training as one call.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "rnn/averaging.h"
#include "rnn/backend.h"
#include "rnn/batch.h"
#include "rnn/callback.h"
#include "rnn/checkpoint.h"
#include "rnn/history.h"
#include "rnn/network.h"
#include "rnn/optimizer.h"
#include "rnn/schedule.h"
#include "rnn/session.h"

namespace rnn {

/// What `fit` does about a step whose loss or gradient is not finite. Parameters are never changed
/// by such a step.
enum class OnDivergence {
  kStop,  ///< throws DivergenceError
  kSkip,  ///< goes on with the next batch; gives up after 10 in a row, or when it is a parameter
          ///< that is not finite
  /// Goes on from the last checkpoint with half the learning rate; from the one before where the
  /// last led to the divergence with not one step in between. Checkpoints of the clock and of a
  /// stop (see FoundCheckpoint::planned) do not count: how the training goes on does not depend on
  /// them. Gives up after 10.
  kRestore,
};

struct CompileOptions {
  Optimizer optimizer = SGD{};
  Schedule schedule{};
  float clip_norm = 0;   ///< largest Euclidean norm of all gradients together; 0: no limit
  float clip_value = 0;  ///< largest absolute value of a gradient's element, cut first; 0: no limit
  /// Batches whose gradients make one update, the last of an epoch perhaps fewer. The loss of an
  /// update is the weighted mean over all their targets.
  std::int64_t gradient_accumulation_steps = 1;
  Averaging averaging{};
  OnDivergence on_divergence = OnDivergence::kStop;
  std::uint64_t seed = 1;  ///< of first values and of every draw in training
  BackendOptions backend{};
};

struct FitOptions {
  std::int64_t epochs = 1;            ///< in all, those before a resume included
  BatchSource* validation = nullptr;  ///< evaluated after every epoch
  /// Of the text that `validation` is made of, where bits per character are wanted in the history:
  /// a number of the run, which no checkpoint holds. 0: not known.
  std::int64_t validation_characters = 0;
  double validation_split = 0;  ///< or this share of the data, see BatchSource::hold_out
  StatePolicy state = StatePolicy::kReset;  ///< in training and validation
  /// Called after every epoch, for a measure by which the best epoch is chosen instead of by its
  /// validation loss: the higher, the better.
  std::function<double(Model&)> metric{};
  /// Factors of the targets' weights in training, one a class; empty: all 1.
  std::span<const float> class_weights{};
  /// Parameters that stand still at first, by name, and for how many epochs (gradual unfreezing,
  /// Howard and Ruder 2018). Neither the norm of the gradients nor weight decay knows of them, but
  /// the optimiser goes on averaging their gradients, clipped by the factor of the others; one that
  /// is not finite is a divergence.
  std::map<std::string, std::int64_t> frozen_epochs{};
  /// Above 0: the learning rate of an update is multiplied by the steps T of its batch (their mean
  /// when several make an update) over this. For windows of random lengths, in which a mean over
  /// fewer targets would else weigh as much (Merity, Keskar and Socher 2018).
  double steps_at_full_rate = 0;
  const CheckpointOptions* checkpoint = nullptr;  ///< null: none is written
  std::vector<Callback*> callbacks{};             ///< called in this order
};

/// Memory of a training, in bytes: that of its steps. Data, validation and a program itself come on
/// top.
struct MemoryPlan {
  std::size_t parameters = 0, gradients = 0, optimizer = 0;
  std::size_t averages = 0;     ///< of the parameters, where CompileOptions::averaging wants them
  std::size_t activations = 0;  ///< what forward keeps for backward, and scratch
  std::size_t total() const { return parameters + gradients + optimizer + averages + activations; }
  /// "12.3 MB: parameters 3.1, gradients 3.1, optimizer 6.1, activations 0.0"
  RNN_API std::string to_string() const;
};

/// A network that can be trained, evaluated and used. Not thread-safe; for inference on many
/// threads take an Inference each over `network()` and `parameters()`.
///
///   rnn::Model model(network);
///   model.compile({.optimizer = rnn::Adam{.learning_rate = 1e-3f}, .clip_norm = 1});
///   model.fit(train, {.epochs = 10, .validation = &valid, .state = rnn::StatePolicy::kCarry});
class RNN_API Model {
 public:
  explicit Model(Network network);
  ~Model();
  Model(Model&&) noexcept;

  /// Chooses backend and optimiser, which begins anew as averages do, and draws first values unless
  /// there are parameters already.
  /// Throws ConfigError, naming the option.
  void compile(const CompileOptions& options);
  /// Trains until `epochs`, or until a callback calls `stop`. The loss of a step is the mean over
  /// its targets, weighted as batch and class weights say: sum(w * nats) / sum(w). Taken up again
  /// after `load_checkpoint`, it goes on with the very same bits.
  /// Throws DivergenceError when a loss or gradient is not finite (see OnDivergence), naming step,
  /// learning rate, gradient norm and the first bad parameter; parameters are then those before the
  /// step. Where a checkpoint is written, it has them, unless they are not finite or are those of
  /// the validation that diverged; the message names the checkpoints and their steps.
  const History& fit(BatchSource& data, const FitOptions& options);
  /// One update from one batch, for a loop of your own: what `fit` does between two calls of
  /// `on_step_end`. A schedule counts steps and tokens; epochs stand still.
  StepRecord train_on_batch(const Batch& batch, StatePolicy state = StatePolicy::kReset);
  /// Loss over the first epoch of a source.
  LossSum evaluate(BatchSource& data, StatePolicy state);
  /// Accuracy over the first epoch of a source: the share of targets that are the most probable
  /// class or, of a head for yes-or-no labels, on the side of 0.5 where their probability is.
  double score(BatchSource& data, StatePolicy state = StatePolicy::kReset);
  /// Probabilities (or features) of one batch that starts with a zero state; valid until the next
  /// call.
  View<const float> predict(const Batch& batch);

  /// Calls `observer` after every layer, in training and out of it, from now on (see observer.h);
  /// an empty one: nobody. It must not run the model it watches: ConfigError.
  void observe(Observer observer);
  /// Asks `fit` to return after this step, or amid the validation; for callbacks.
  void stop(std::string reason);
  /// Why the last fit returned before its last epoch; empty when it did not.
  const std::string& stopped() const;

  const Network& network() const;
  const std::shared_ptr<const Backend>& backend() const;
  /// Those that evaluate and predict use: the averages once averaging has begun.
  const Parameters& parameters() const;
  /// Those that the optimiser changes.
  const Parameters& trained_parameters() const;
  /// Takes other values; averages begin anew. Throws FormatError unless names and shapes are the
  /// network's.
  void set_parameters(const TensorList& values, std::string_view where = "parameters");
  const History& history() const;
  /// Layers, shapes, parameters, and which kernels run; the memory of a training once it is
  /// planned.
  std::string summary() const;
  /// What training on batches of this size will hold. Takes the memory of the activations, so that
  /// it is known to be there. Throws ConfigError before compile().
  MemoryPlan plan_training(Index time, Index batch);
  /// The same for the batches that `data` gives in its first epoch, all of which are looked at;
  /// other epochs may put together a larger one. Leaves `data` where it was.
  MemoryPlan plan_training(BatchSource& data);

  /// An untrained model of the same network and options.
  Model clone() const;

  /// Everything that training needs to go on with the same bits: parameters, averages, optimiser,
  /// position in the data, recurrent state, history. Written under a temporary name, flushed,
  /// renamed; see checkpoint.h. Both throw IoError; saving throws DivergenceError rather than keep
  /// parameters that are not finite; loading throws FormatError when the file is damaged or belongs
  /// to another network or optimiser. Learning rate and clipping may be others: then what
  /// divergences took from the learning rate is not taken from the new one.
  void save_checkpoint(const std::string& path, const std::string& note = "") const;
  void load_checkpoint(const std::string& path);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
