// The training loop.
#include <chrono>
#include <cmath>
#include <functional>
#include <utility>

#include "base/number.h"
#include "base/require.h"
#include "rnn/error.h"
#include "training/class_weights.h"
#include "training/model_impl.h"

namespace rnn {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kAdvice = "; try a smaller learning rate or stronger clipping";

void check(const CheckpointOptions& when) {
  if (when.path.empty()) throw ConfigError("checkpoint path: expected a file, got none");
  require(when.every_steps >= 0, "checkpoint every_steps", "at least 0", when.every_steps);
  require(when.every_minutes >= 0, "checkpoint every_minutes", "at least 0", when.every_minutes);
  require(when.every_epochs >= 0, "checkpoint every_epochs", "at least 0", when.every_epochs);
}

double seconds_since(Clock::time_point& last) {
  const Clock::time_point now = Clock::now();
  const std::chrono::duration<double> seconds = now - last;
  last = now;
  return seconds.count();
}

/// Another source, up to where it is no longer wanted.
class Interruptible : public BatchSource {
 public:
  Interruptible(BatchSource& source, std::function<bool()> go_on)
      : source_(source), go_on_(std::move(go_on)) {}
  bool next(Batch& batch) override { return go_on_() && source_.next(batch); }
  void seek(const Position& position) override { source_.seek(position); }
  Position position() const override { return source_.position(); }

 private:
  BatchSource& source_;
  std::function<bool()> go_on_;
};

}  // namespace

class Model::Impl::FitLoop {
 public:
  FitLoop(Model& model, BatchSource& data, const FitOptions& fit)
      : model_(model), m_(*model.impl_), progress_(m_.progress), data_(data), fit_(fit) {
    require(fit.epochs >= 0, "epochs", "at least 0", fit.epochs);
    require(fit.steps_at_full_rate >= 0 && std::isfinite(fit.steps_at_full_rate),
            "steps_at_full_rate", "at least 0 and finite", fit.steps_at_full_rate);
    require(fit.validation_split >= 0 && fit.validation_split < 1, "validation_split", "in [0, 1)",
            fit.validation_split);
    require(fit.validation_characters >= 0, "validation_characters", "at least 0",
            fit.validation_characters);
    if (fit.validation && fit.validation_split > 0) {
      throw ConfigError("fit: expected validation or validation_split, got both");
    }
    check_class_weights(fit.class_weights, m_.network.head());
    for (const auto& [name, epochs] : fit.frozen_epochs) {
      if (m_.parameters.find(name) == m_.parameters.size()) {
        throw ConfigError("fit: frozen_epochs names '" + name + "', which is no parameter");
      }
      require(epochs >= 0, "frozen_epochs", "at least 0", epochs);
    }
    const bool restores = m_.options.on_divergence == OnDivergence::kRestore;
    if (restores && !fit.checkpoint) {
      throw ConfigError("fit: to restore a checkpoint there must be one; give checkpoint");
    }
    if (fit.checkpoint) check(*fit.checkpoint);
    validation_ = fit.validation;
    if (fit.validation_split > 0) {
      held_out_ = data.hold_out(fit.validation_split);
      validation_ = held_out_.get();
    }
    for (const Callback* callback : fit.callbacks) {
      if (callback->needs_validation() && !validation_ && !fit.metric) {
        throw ConfigError(
            "fit: early stopping needs something to go by; give validation, validation_split or "
            "metric");
      }
    }
    if (m_.options.averaging.kind == Averaging::Kind::kNtAsgd && !validation_) {
      throw ConfigError("fit: averaging nt-asgd begins by the validation loss; give validation");
    }
  }

  /// Whatever ended the training, model and data are whole again.
  ~FitLoop() {
    m_.frozen.clear();
    m_.fitting = false;
    m_.inference.reset();
    try {
      if (held_out_) data_.hold_out(0);
    } catch (const Error&) {  // of a source that cannot even be put back
    }
  }
  FitLoop(const FitLoop&) = delete;
  FitLoop& operator=(const FitLoop&) = delete;

  void run() {
    m_.fitting = true;
    m_.inference.reset();
    m_.stopping = false;
    m_.stop_reason.clear();
    tell([&](Callback& c) { c.on_train_begin(model_); });
    saved_at_ = Clock::now();
    newest_is_ours_ = previous_is_ours_ = fit_.checkpoint && m_.saved_as == fit_.checkpoint->path;
    if (!newest_is_ours_) m_.saved_as_planned = true;
    const bool restores = m_.options.on_divergence == OnDivergence::kRestore;
    if (restores && going_on() && !planned_is_there()) save_checkpoint(Place::kPlanned);
    while (going_on()) epoch();
    if (m_.stopping) finite_or_restored();  // what is saved now must be worth it
    if (progress_.position.epoch >= fit_.epochs) m_.stop_reason.clear();  // nothing left to stop
    try {
      tell([&](Callback& c) { c.on_train_end(model_, m_.history); });
    } catch (const IoError& error) {  // such as a full disk, which may have room for this
      throw IoError(error.what() + saved());
    }
    if (unsaved_) save_checkpoint(Place::kAny);
  }

 private:
  /// Where a checkpoint is written.
  enum class Place {
    kPlanned,  ///< see FoundCheckpoint::planned
    kAny       ///< that of the clock, of a stop or of a failure
  };

  bool going_on() const { return progress_.position.epoch < fit_.epochs && !m_.stopping; }

  template <class Tell>
  void tell(Tell tell) {
    for (Callback* callback : fit_.callbacks) tell(*callback);
  }

  void epoch() {
    last_ = Clock::now();
    data_.seek(progress_.position);
    if (progress_.position.batch == 0) {
      m_.state = State();
      progress_.epoch_loss = {};
      progress_.epoch_steps = 0;
      progress_.epoch_norms = progress_.epoch_seconds = 0;
    }
    validation_losses_ = m_.history.validation_losses();
    freeze();
    averaging_ = m_.options.averaging.begun(progress_.position.epoch, validation_losses_);
    data_is_over_ = restored_ = false;
    while (!m_.stopping && !restored_ && step()) {
    }
    if (!m_.stopping && !restored_) end_epoch();
  }

  /// What stands still in the epoch at hand.
  void freeze() {
    m_.frozen.clear();
    for (const auto& [name, epochs] : fit_.frozen_epochs) {
      if (progress_.position.epoch >= epochs) continue;
      m_.frozen.resize(m_.parameters.size());
      m_.frozen[m_.parameters.find(name)] = 1;
    }
  }

  /// False when there was no batch left.
  bool step() {
    const TrainingProgress before = progress_;
    if (fit_.checkpoint) state_before_ = m_.state;
    StepRecord record{.epoch = progress_.position.epoch + 1, .epochs = fit_.epochs};
    LossSum loss;
    Index time = 0;
    m_.session->zero_gradients();
    for (std::int64_t taken = 0; taken < m_.options.gradient_accumulation_steps; ++taken) {
      batch_.weights.clear();  // a source that knows of no weights leaves them alone
      data_is_over_ = data_is_over_ || !data_.next(batch_);
      if (data_is_over_) break;
      weigh(batch_, fit_.class_weights);
      m_.add_gradients(batch_, fit_.state, loss);
      time += batch_.time;
      ++progress_.position.batch;
    }
    if (progress_.position == before.position) return false;
    record.batches = data_.batches_per_epoch().value_or(0);
    record.batch = progress_.position.batch;
    const double part = record.batches > 0 ? static_cast<double>(before.position.batch) /
                                                 static_cast<double>(record.batches)
                                           : 0;
    double rate = m_.learning_rate(static_cast<double>(before.position.epoch) + part,
                                   static_cast<double>(fit_.epochs), validation_losses_);
    if (fit_.steps_at_full_rate > 0) {
      const std::int64_t batches = progress_.position.batch - before.position.batch;
      rate *= static_cast<double>(time) / static_cast<double>(batches) / fit_.steps_at_full_rate;
    }
    if (!m_.update(loss, rate, averaging_, record)) {
      diverged(before, m_.describe_divergence(record));
      return true;
    }
    progress_.skipped = 0;
    last_norm_ = record.gradient_norm;
    ++progress_.epoch_steps;
    progress_.epoch_loss += loss;
    progress_.epoch_norms += record.gradient_norm;
    progress_.epoch_seconds += seconds_since(last_);
    record.epoch_loss = progress_.epoch_loss;
    unsaved_ = fit_.checkpoint != nullptr;
    tell([&](Callback& c) { c.on_step_end(model_, record); });
    const bool planned = planned_is_due();
    if ((planned || clock_is_due()) && finite_or_restored()) {
      save_checkpoint(planned ? Place::kPlanned : Place::kAny);
    }
    return true;
  }

  void end_epoch() {
    if (progress_.position.batch == 0) throw TextError("fit: the data gave no batch");
    if (progress_.epoch_steps == 0) {
      progress_.position.batch = 0;  // to be tried once more, with other options
      progress_.skipped = 0;
      throw DivergenceError("training diverged: every step of epoch " +
                            to_text(progress_.position.epoch + 1) + " was skipped" + kAdvice +
                            saved());
    }
    if (!finite_or_restored()) return;
    EpochRecord record{
        .epoch = progress_.position.epoch + 1,
        .steps = progress_.steps,
        .tokens = progress_.tokens,
        .learning_rate = progress_.learning_rate,
        .gradient_norm = progress_.epoch_norms / static_cast<double>(progress_.epoch_steps),
        .train = progress_.epoch_loss,
        .seconds = progress_.epoch_seconds};
    if (validation_) {
      Interruptible validation(*validation_, [&] {
        tell([&](Callback& c) { c.on_validation_batch(model_); });
        return !m_.stopping;
      });
      record.validation = model_.evaluate(validation, fit_.state);
      // The position is still that after the last step: from there on the epoch ends once more.
      if (m_.stopping) return;
      if (!std::isfinite(record.validation->nats)) {
        // A checkpoint of these parameters would only come back to this.
        restore_or_throw("training diverged at step " + to_text(record.steps) +
                         ": the validation after epoch " + to_text(record.epoch) +
                         " gave the loss " + to_text(record.validation->mean()) +
                         ", gradient norm " + to_significant(last_norm_, 6) + ", learning rate " +
                         to_significant(record.learning_rate, 6) + "; all parameters are finite");
        return;
      }
    }
    if (fit_.metric) record.metric = fit_.metric(model_);
    m_.history.epochs.push_back(record);
    progress_.position = {progress_.position.epoch + 1, 0};
    unsaved_ = fit_.checkpoint != nullptr;
    try {
      tell([&](Callback& c) { c.on_epoch_end(model_, m_.history); });
    } catch (const IoError& error) {
      // A checkpoint of now would have the epoch in its history, and nobody would save its model.
      throw IoError(error.what() + saved_before());
    }
    // A model that was the best is never older than the checkpoint: going back to that, by a kill
    // or by a divergence, keeps in the history what a later one must be better than.
    const bool best = m_.history.best() == &m_.history.epochs.back();
    const std::int64_t every = fit_.checkpoint ? fit_.checkpoint->every_epochs : 0;
    if (unsaved_ && (best || (every > 0 && record.epoch % every == 0))) {
      save_checkpoint(Place::kPlanned);
    }
  }

  bool planned_is_due() const {
    const std::int64_t every = fit_.checkpoint ? fit_.checkpoint->every_steps : 0;
    return every > 0 && progress_.steps % every == 0;
  }

  bool clock_is_due() const {
    const double minutes = fit_.checkpoint ? fit_.checkpoint->every_minutes : 0;
    const std::chrono::duration<double> spent = Clock::now() - saved_at_;
    return minutes > 0 && spent.count() >= 60 * minutes;
  }

  /// Whether there is a planned checkpoint of this training to go back to.
  bool planned_is_there() const {
    if (m_.saved_as != fit_.checkpoint->path) return false;
    if (m_.saved_as_planned) return true;
    try {
      const auto before = find_checkpoint(previous_checkpoint(fit_.checkpoint->path));
      return before && before->planned;
    } catch (const Error&) {
      return false;
    }
  }

  /// One of the same parameters takes the place of the last, and is planned where that was; the one
  /// before stays another. Where a divergence goes back to a planned one, one that is not leaves it
  /// there as the one before.
  void save_checkpoint(Place place) {
    const std::string& path = fit_.checkpoint->path;
    const bool same = m_.saved_as == path,
               restores = m_.options.on_divergence == OnDivergence::kRestore;
    const bool keep = !same && (m_.saved_as_planned || !restores);
    write_checkpoint(keep ? previous_checkpoint(path) : "",
                     place == Place::kPlanned || (same && m_.saved_as_planned));
  }

  void write_checkpoint(const std::string& keep_old_as, bool planned) {
    m_.save_checkpoint(fit_.checkpoint->path, fit_.checkpoint->note, keep_old_as, planned);
    if (!keep_old_as.empty()) previous_is_ours_ = newest_is_ours_;
    newest_is_ours_ = true;
    m_.saved_as = fit_.checkpoint->path;
    m_.saved_as_planned = planned;
    unsaved_ = false;
    saved_at_ = Clock::now();
  }

  /// After the gradients of a step that must not be made.
  void diverged(const TrainingProgress& before, const std::string& what) {
    switch (m_.options.on_divergence) {
      case OnDivergence::kStop:
        go_back_to(before);
        throw DivergenceError(what + kAdvice + saved());
      case OnDivergence::kSkip:
        if (++progress_.skipped > kMostSkips ||
            !first_not_finite(m_.parameters, *m_.backend).empty()) {
          const std::int64_t skipped = progress_.skipped - 1;
          go_back_to(before);
          throw DivergenceError(what +
                                (skipped > 0
                                     ? ", after " + to_text(skipped) + " skipped steps in a row"
                                     : std::string()) +
                                kAdvice + saved());
        }
        // What the bad step left of a carried state would spoil all that follow.
        for (NamedTensor& part : m_.state) {
          if (!std::isfinite(m_.backend->sum_of_squares(part.tensor))) part.tensor.fill(0);
        }
        tell([&](Callback& c) { c.on_divergence(model_, what + "; the step is skipped"); });
        return;
      case OnDivergence::kRestore:
        restore(what);
    }
  }

  /// Where training stood before a step that diverged.
  void go_back_to(const TrainingProgress& before) {
    progress_ = before;
    progress_.skipped = 0;
    if (fit_.checkpoint) m_.state = state_before_;
  }

  /// Whether the last update left all parameters finite; if not, training went back, or throws.
  bool finite_or_restored() {
    const std::string bad = m_.first_bad_parameter();
    if (bad.empty()) return true;
    restore_or_throw("training diverged at step " + to_text(progress_.steps) + ": gradient norm " +
                     to_significant(last_norm_, 6) + ", learning rate " +
                     to_significant(progress_.learning_rate, 6) +
                     "; first parameter that is not finite after it: " + bad);
    return false;
  }

  void restore_or_throw(const std::string& what) {
    if (m_.options.on_divergence != OnDivergence::kRestore) {
      throw DivergenceError(what + kAdvice + saved_before());
    }
    restore(what);
  }

  /// Saves what a divergence left whole, and says where it is.
  std::string saved() {
    if (unsaved_ && m_.first_bad_parameter().empty()) {
      try {
        save_checkpoint(Place::kAny);
      } catch (const IoError& error) {
        return std::string("; ") + error.what();
      }
    }
    return saved_before();
  }

  /// Which checkpoints there are, for the end of a message.
  std::string saved_before() const {
    if (!fit_.checkpoint) return "";
    try {
      const auto newest = find_checkpoint(fit_.checkpoint->path);
      if (!newest) return "; no checkpoint was written yet";
      std::string text =
          "; the checkpoint " + newest->path + " is of step " + to_text(newest->steps);
      const std::string previous = previous_checkpoint(fit_.checkpoint->path);
      if (newest->path == previous) return text;
      if (const auto before = find_checkpoint(previous)) {
        text += ", the one before it of step " + to_text(before->steps) +
                " (remove the newer one to go back to that)";
      }
      return text;
    } catch (const Error& error) {
      return std::string("; ") + error.what();
    }
  }

  void restore(const std::string& what) {
    const std::int64_t times = progress_.restored + 1;
    if (times > kMostRestores) {
      throw DivergenceError(what + ", after going back to a checkpoint " + to_text(times - 1) +
                            " times" + kAdvice + saved_before());
    }
    Loaded loaded;
    try {
      loaded = load_good_checkpoint();
    } catch (const Error& error) {
      throw DivergenceError(what + kAdvice + "; " + error.what());
    }
    progress_.restored = times;
    // With the new rate: a kill does not take it back. What was gone back to is the one before
    // then, and already is where one that is not planned stood after it: what the next divergence
    // goes back to does not depend on that one.
    write_checkpoint(loaded.newest ? previous_checkpoint(fit_.checkpoint->path) : "", true);
    restored_ = true;
    tell([&](Callback& c) {
      c.on_divergence(model_, what + loaded.warning + "; going on from step " +
                                  to_text(progress_.steps) + " with the learning rate times " +
                                  to_text(std::ldexp(1.0, static_cast<int>(-times))));
    });
  }

  struct Loaded {
    std::string warning{};  // about one that is not whole
    bool newest = true;
  };

  /// The last one; where that is not planned or not one step was made since that, the one before,
  /// if it is whole and not what an earlier training left.
  Loaded load_good_checkpoint() {
    const std::string &path = fit_.checkpoint->path, previous = previous_checkpoint(path);
    if (!previous_is_ours_) {
      model_.load_checkpoint(path);
      return {};
    }
    const bool led_here = m_.saved_as == path;
    const auto found = take_checkpoint(path);
    if (!found) throw IoError(path + ": the checkpoint is gone");
    if ((led_here || !m_.saved_as_planned) && found->warning.empty()) {
      try {
        if (find_checkpoint(previous)) {
          model_.load_checkpoint(previous);
          return {.newest = false};
        }
      } catch (const Error& error) {
        model_.load_checkpoint(path);
        return {.warning = std::string("; ") + error.what()};
      }
    }
    model_.load_checkpoint(path);
    return {.warning = found->warning.empty() ? "" : "; " + found->warning};
  }

  Model& model_;
  Impl& m_;
  TrainingProgress& progress_;
  BatchSource& data_;
  const FitOptions& fit_;
  BatchSource* validation_ = nullptr;
  std::unique_ptr<BatchSource> held_out_{};
  Batch batch_{};
  std::vector<double> validation_losses_{};
  bool averaging_ = false, data_is_over_ = false, restored_ = false;
  bool unsaved_ = false;  // there is something that the checkpoint does not have
  // Whether the checkpoint that is there, and the one before, are of this training.
  bool newest_is_ours_ = false, previous_is_ours_ = false;
  State state_before_{};  // the step at hand
  double last_norm_ = 0;  // of the gradients of the last update
  Clock::time_point last_{}, saved_at_{};
};

const History& Model::fit(BatchSource& data, const FitOptions& fit) {
  impl_->train();
  impl_->history.validation_characters = fit.validation_characters;
  Impl::FitLoop(*this, data, fit).run();
  return impl_->history;
}

}  // namespace rnn
