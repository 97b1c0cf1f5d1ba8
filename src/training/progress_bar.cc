#include <algorithm>
#include <ostream>

#include "base/number.h"
#include "rnn/callback.h"
#include "rnn/model.h"

namespace rnn {
namespace {

constexpr int kBarWidth = 24;
constexpr double kRedrawSeconds = 0.1;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::clamp(seconds + 0.5, 0.0, 3.6e8));
  const auto two = [](std::int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  if (whole < 3600) return std::to_string(whole / 60) + ":" + two(whole % 60);
  return std::to_string(whole / 3600) + ":" + two(whole / 60 % 60) + ":" + two(whole % 60);
}

std::string losses(const LossSum& loss) {
  return "loss " + to_fixed(loss.mean(), 4) + "  ppl " + to_fixed(perplexity(loss), 2);
}

}  // namespace

ProgressBar::ProgressBar(std::ostream& out, const ProgressBarOptions& options)
    : out_(out), options_(options) {}

void ProgressBar::on_train_begin(Model&) { epoch_ = 0; }

void ProgressBar::begin_epoch(std::int64_t epoch) {
  epoch_ = epoch;
  epoch_start_ = last_shown_ = Clock::now();
}

void ProgressBar::on_step_end(Model&, const StepRecord& record) {
  if (record.epoch != epoch_) {
    begin_epoch(record.epoch);
    // What a resumed epoch had done before is not counted in its rate.
    first_targets_ = record.epoch_loss.targets - record.loss.targets;
  }
  const bool last = record.batch == record.batches;
  const double pause = options_.terminal ? kRedrawSeconds : options_.every_seconds;
  if (seconds_since(last_shown_) < pause && !(last && options_.terminal)) return;
  last_shown_ = Clock::now();

  const double elapsed = std::max(seconds_since(epoch_start_), 1e-9);
  const double rate = static_cast<double>(record.epoch_loss.targets - first_targets_) / elapsed;
  std::string line = "epoch " + std::to_string(record.epoch) + "/" + std::to_string(record.epochs);
  if (record.batches > 0) {
    const double share = static_cast<double>(record.batch) / static_cast<double>(record.batches);
    if (options_.terminal) {
      const int full = static_cast<int>(share * kBarWidth);
      line += " [" + std::string(full, '=') + std::string(kBarWidth - full, ' ') + "]";
    }
    line += " " + to_fixed(100 * share, 0) + "%";
    const double targets_per_share = static_cast<double>(record.epoch_loss.targets) / share;
    line += "  ETA " + clock_text(targets_per_share * (1 - share) / std::max(rate, 1e-9));
  } else {
    line += " step " + std::to_string(record.batch);
  }
  line += "  " + losses(record.epoch_loss) + "  " + to_fixed(rate, 0) + " " + options_.unit +
          "/s  lr " + to_fixed(record.learning_rate, 6);
  if (options_.terminal) {
    out_ << '\r' << line << "\x1b[K" << std::flush;
  } else {
    out_ << line << '\n' << std::flush;
  }
}

void ProgressBar::on_epoch_end(Model&, const History& history) {
  const EpochRecord& record = history.epochs.back();
  const double rate = static_cast<double>(record.train.targets) / std::max(record.seconds, 1e-9);
  if (options_.terminal) out_ << "\r\x1b[K";
  out_ << "epoch " << record.epoch << "  train " << losses(record.train);
  if (record.validation) out_ << "  valid " << losses(*record.validation);
  out_ << "  " << to_fixed(rate, 0) << ' ' << options_.unit << "/s  lr "
       << to_fixed(record.learning_rate, 6) << "  " << clock_text(record.seconds) << '\n'
       << std::flush;
}

}  // namespace rnn
