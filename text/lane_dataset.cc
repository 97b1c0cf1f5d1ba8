#include "rnn/text/lane_dataset.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "rnn/error.h"
#include "rnn/random.h"

namespace rnn {
namespace {

void check_at_least(const char* option, std::int64_t least, std::int64_t given) {
  if (given >= least) return;
  throw ConfigError(std::string("option `") + option + "`: expected " + std::to_string(least) +
                    " or more, given " + std::to_string(given));
}

}  // namespace

LaneDataset::LaneDataset(std::span<const std::int32_t> ids, std::int32_t end_id,
                         const LaneDatasetOptions& options)
    : all_(ids), end_id_(end_id), options_(options) {
  check_at_least("batch", 1, options.batch);
  check_at_least("bptt", 1, options.bptt);
  check_at_least("minimum_steps", 1, options.minimum_steps);
  use(ids);
}

void LaneDataset::use(std::span<const std::int32_t> ids) {
  const auto tokens = static_cast<std::int64_t>(ids.size());
  if (tokens / options_.batch < options_.minimum_steps) {
    throw TextError(
        std::to_string(tokens) + " tokens are too few for " + std::to_string(options_.batch) +
        " lanes of at least " + std::to_string(options_.minimum_steps) +
        " steps; give more text, or choose a smaller batch or window (--batch, --bptt)");
  }
  ids_ = ids;
  longest_ = (tokens + options_.batch - 1) / options_.batch;
  seek({});
}

std::unique_ptr<BatchSource> LaneDataset::hold_out(double share) {
  if (share == 0) {
    use(all_);
    return nullptr;
  }
  const auto held =
      static_cast<std::size_t>(std::llround(share * static_cast<double>(all_.size())));
  LaneDatasetOptions options = options_;
  options.random_window = false;
  auto part = std::make_unique<LaneDataset>(all_.last(held), end_id_, options);
  use(all_.first(all_.size() - held));
  return part;
}

std::int64_t LaneDataset::window_length(std::int64_t window) const {
  if (!options_.random_window) return options_.bptt;
  const auto number = static_cast<std::uint64_t>(window);
  const Random::Block draw =
      Random(options_.seed)
          .fold(static_cast<std::uint64_t>(epoch_))
          .block(static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32));
  const auto bptt = static_cast<double>(options_.bptt);
  const double mean = Random::to_uniform(draw[0]) < 0.95f ? bptt : bptt / 2;
  // Box and Muller's normal variate; 1 - u keeps the logarithm finite.
  const double radius = std::sqrt(-2.0 * std::log(1.0 - Random::to_uniform(draw[1], draw[2])));
  const double angle = 2.0 * std::numbers::pi * Random::to_uniform(draw[3]);
  return std::max<std::int64_t>(5, std::llround(mean + 5.0 * radius * std::cos(angle)));
}

void LaneDataset::seek(const Position& position) {
  check_at_least("epoch", 0, position.epoch);
  check_at_least("batch", 0, position.batch);
  epoch_ = position.epoch;
  windows_ = 0;
  step_ = longest_;
  std::int64_t start = 0;
  for (; start < longest_; ++windows_) {
    if (windows_ == position.batch) step_ = start;
    start += window_length(windows_);
  }
  if (position.batch > windows_) {
    throw ConfigError("position " + std::to_string(position.batch) + " of an epoch of " +
                      std::to_string(windows_) +
                      " batches: the text or the options are not those of the position");
  }
  window_ = position.batch;
}

bool LaneDataset::next(Batch& batch) {
  if (step_ >= longest_) return false;
  const std::int64_t lanes = options_.batch;
  const std::int64_t time = std::min(window_length(window_), longest_ - step_);
  const auto tokens = static_cast<std::int64_t>(ids_.size());
  const std::int64_t shorter = tokens / lanes, extra = tokens % lanes;
  batch.clear();
  batch.time = time;
  batch.batch = lanes;
  const auto cells = static_cast<std::size_t>(time * lanes);
  batch.ids.assign(cells, end_id_);
  batch.targets.assign(cells, -1);
  bool ragged = false;
  for (std::int64_t lane = 0; lane < lanes; ++lane) {
    const std::int64_t first = lane * shorter + std::min(lane, extra);
    const std::int64_t length = shorter + (lane < extra ? 1 : 0);
    const std::int64_t steps = std::clamp<std::int64_t>(length - step_, 0, time);
    ragged = ragged || steps < time;
    batch.lengths.push_back(static_cast<std::int32_t>(steps));
    batch.examples.push_back(static_cast<std::uint32_t>(lane));
    for (std::int64_t t = 0; t < steps; ++t) {
      const std::int64_t at = first + step_ + t;
      const auto cell = static_cast<std::size_t>(t * lanes + lane);
      if (at > 0) batch.ids[cell] = ids_[static_cast<std::size_t>(at - 1)];
      batch.targets[cell] = ids_[static_cast<std::size_t>(at)];
    }
  }
  if (!ragged) batch.lengths.clear();
  step_ += time;
  ++window_;
  return true;
}

}  // namespace rnn
