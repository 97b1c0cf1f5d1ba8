#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "base/number.h"
#include "rnn/callback.h"
#include "rnn/model.h"

namespace rnn {
namespace {

constexpr int kWidestBar = 24, kNarrowestBar = 6;
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

std::string rate_text(double rate, const std::string& unit) {
  return to_fixed(rate, 0) + " " + unit + "/s";
}

std::string learning_rate_text(double rate) { return "lr " + to_significant(rate, 4); }

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "  ") + part;
  return text;
}

/// Share of the epoch that is done; below 0: not known.
double share_of(const StepRecord& record) {
  if (record.batches <= 0) return -1;
  return static_cast<double>(record.batch) / static_cast<double>(record.batches);
}

/// How far the epoch is: "41%  ETA 0:10", or the step where its length is not known.
std::string place_text(const StepRecord& record, double rate) {
  const double share = share_of(record);
  if (share < 0) return "step " + std::to_string(record.batch);
  const double targets = static_cast<double>(record.epoch_loss.targets) / share;
  return to_fixed(100 * share, 0) + "%  ETA " +
         clock_text(targets * (1 - share) / std::max(rate, 1e-9));
}

std::string epoch_text(const StepRecord& record) {
  return "epoch " + std::to_string(record.epoch) + "/" + std::to_string(record.epochs);
}

}  // namespace

ProgressBar::ProgressBar(std::ostream& out, const ProgressBarOptions& options)
    : out_(out), options_(options) {}

ProgressBar::~ProgressBar() { take_line_away(); }

void ProgressBar::on_train_begin(Model&) { epoch_ = 0; }

void ProgressBar::begin_epoch(std::int64_t epoch) {
  epoch_ = epoch;
  epoch_start_ = last_shown_ = Clock::now();
}

void ProgressBar::on_step_end(Model&, const StepRecord& record) {
  if (record.epoch != epoch_) {
    begin_epoch(record.epoch);
    // The clock starts now: neither this step nor what a resumed epoch had done before counts.
    first_targets_ = record.epoch_loss.targets;
  }
  const bool last = record.batch == record.batches;
  const double pause = options_.terminal ? kRedrawSeconds : options_.every_seconds;
  if (seconds_since(last_shown_) < pause && !(last && options_.terminal)) return;
  last_shown_ = Clock::now();

  const double elapsed = std::max(seconds_since(epoch_start_), 1e-9);
  const double rate = static_cast<double>(record.epoch_loss.targets - first_targets_) / elapsed;
  if (options_.terminal) {
    out_ << '\r' << redrawn_line(record, rate) << "\x1b[K" << std::flush;
    drawn_ = true;
  } else {
    out_ << epoch_text(record) << ' ' << place_text(record, rate) << "  "
         << losses(record.epoch_loss) << "  " << rate_text(rate, options_.unit) << "  "
         << learning_rate_text(record.learning_rate) << '\n'
         << std::flush;
  }
}

/// The line must fit into one row of the terminal: the bar takes what the text leaves, and where
/// that is too little the text loses its last parts.
std::string ProgressBar::redrawn_line(const StepRecord& record, double rate) const {
  std::vector<std::string> parts{place_text(record, rate), losses(record.epoch_loss),
                                 rate_text(rate, options_.unit),
                                 learning_rate_text(record.learning_rate)};
  const std::string front = epoch_text(record) + ' ';
  const std::size_t room = static_cast<std::size_t>(std::max(options_.columns - 1, 1));
  const double share = share_of(record);
  const std::size_t least = share < 0 ? 0 : kNarrowestBar + 3;
  std::string text = joined(parts);
  while (parts.size() > 1 && front.size() + least + text.size() > room) {
    parts.pop_back();
    text = joined(parts);
  }
  std::string line = front;
  if (share >= 0 && front.size() + least + text.size() <= room) {
    const std::size_t width =
        std::min<std::size_t>(kWidestBar, room - front.size() - text.size() - 3);
    const std::size_t full = static_cast<std::size_t>(share * static_cast<double>(width));
    line += "[" + std::string(full, '=') + std::string(width - full, ' ') + "] ";
  }
  return (line + text).substr(0, room);
}

void ProgressBar::take_line_away() {
  if (drawn_) out_ << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

void ProgressBar::on_epoch_end(Model&, const History& history) {
  const EpochRecord& record = history.epochs.back();
  const double rate = static_cast<double>(record.train.targets) / std::max(record.seconds, 1e-9);
  take_line_away();
  out_ << "epoch " << record.epoch << "  train " << losses(record.train);
  if (record.validation) out_ << "  valid " << losses(*record.validation);
  if (const auto bits = history.bits_per_character(record)) {
    out_ << "  bits/char " << to_fixed(*bits, 4);
  }
  out_ << "  " << rate_text(rate, options_.unit) << "  " << learning_rate_text(record.learning_rate)
       << "  " << clock_text(record.seconds) << '\n'
       << std::flush;
}

void ProgressBar::on_train_end(Model&, const History&) { take_line_away(); }

}  // namespace rnn
