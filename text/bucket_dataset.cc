#include "rnn/text/bucket_dataset.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "rnn/error.h"
#include "rnn/random.h"

namespace rnn {

void Sequences::add(const std::vector<std::int32_t>& ids, std::int32_t target) {
  if (size() > 0 && !one_target_) {
    throw ConfigError("a sequence with one target after sequences with a target for each step");
  }
  one_target_ = true;
  ids_.append(ids);
  targets_.append(target);
}

void Sequences::add(const std::vector<std::int32_t>& ids,
                    const std::vector<std::int32_t>& targets) {
  if (size() > 0 && one_target_) {
    throw ConfigError("a sequence with a target for each step after sequences with one target");
  }
  if (ids.size() != targets.size()) {
    throw ShapeError("a sequence of " + std::to_string(ids.size()) +
                     " steps: expected as many "
                     "targets, given " +
                     std::to_string(targets.size()));
  }
  ids_.append(ids);
  targets_.append(targets);
}

namespace {

void check_at_least(const char* option, std::int64_t least, std::int64_t given) {
  if (given >= least) return;
  throw ConfigError(std::string("option `") + option + "`: expected " + std::to_string(least) +
                    " or more, given " + std::to_string(given));
}

/// A random order that depends on the key alone (Durstenfeld 1964).
template <class Value>
void shuffle(std::vector<Value>& values, const Random& random) {
  for (std::size_t i = values.size(); i > 1; --i) {
    const Random::Block draw =
        random.block(static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i >> 32));
    // 53 bits are plenty for so few places: the bias is below 2^-20.
    const auto j =
        static_cast<std::size_t>(Random::to_uniform(draw[0], draw[1]) * static_cast<double>(i));
    std::swap(values[i - 1], values[j]);
  }
}

}  // namespace

BucketDataset::BucketDataset(const Sequences& sequences, const BucketDatasetOptions& options)
    : BucketDataset(sequences, options, 0, sequences.size()) {}

BucketDataset::BucketDataset(const Sequences& sequences, const BucketDatasetOptions& options,
                             std::int64_t first, std::int64_t last)
    : sequences_(sequences), options_(options), first_(first), last_(last) {
  check_at_least("batch", 1, options.batch);
  check_at_least("maximum_steps", 0, options.maximum_steps);
  check_at_least("bucket_batches", 1, options.bucket_batches);
  if (sequences.size() == 0) throw TextError("no sequences: expected at least one example");
  if (sequences.size() > std::numeric_limits<std::int32_t>::max()) {
    throw TextError("more than 2147483647 examples");
  }
  arrange();
}

void BucketDataset::arrange() {
  if (arranged_ == epoch_ || (arranged_ >= 0 && !options_.shuffle)) return;
  arranged_ = epoch_;
  order_.resize(static_cast<std::size_t>(last_ - first_));
  std::iota(order_.begin(), order_.end(), static_cast<std::int32_t>(first_));
  const Random random = Random(options_.seed).fold(static_cast<std::uint64_t>(epoch_));
  const auto count = static_cast<std::int64_t>(order_.size());
  std::int64_t group = count;
  if (options_.shuffle) {
    shuffle(order_, random.fold(0));
    group = options_.batch * std::min(options_.bucket_batches, count / options_.batch + 1);
  }
  // Each batch as [first, last) of the order.
  std::vector<std::pair<std::int64_t, std::int64_t>> batches;
  for (std::int64_t begin = 0; begin < count; begin += group) {
    const std::int64_t end = std::min(begin + group, count);
    if (options_.shuffle && options_.bucket_batches > 1) {
      std::stable_sort(order_.begin() + begin, order_.begin() + end,
                       [this](std::int32_t a, std::int32_t b) {
                         return sequences_.length(a) > sequences_.length(b);
                       });
    }
    std::int64_t first = begin, longest = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      longest = std::max(longest, sequences_.length(order_[static_cast<std::size_t>(i)]));
      const std::int64_t size = i + 1 - first;
      const bool full = size > options_.batch ||
                        (options_.maximum_steps > 0 && size * longest > options_.maximum_steps);
      if (full && size > 1) {
        batches.emplace_back(first, i);
        first = i;
        longest = sequences_.length(order_[static_cast<std::size_t>(i)]);
      }
    }
    batches.emplace_back(first, end);
  }
  if (options_.shuffle) shuffle(batches, random.fold(1));
  std::vector<std::int32_t> order;
  order.reserve(order_.size());
  starts_.assign(1, 0);
  for (const auto& [first, last] : batches) {
    order.insert(order.end(), order_.begin() + first, order_.begin() + last);
    starts_.push_back(static_cast<std::int64_t>(order.size()));
  }
  order_ = std::move(order);
}

std::optional<std::int64_t> BucketDataset::targets_per_epoch() const {
  if (sequences_.one_target()) return last_ - first_;
  std::int64_t targets = 0;
  for (std::int64_t i = first_; i < last_; ++i) targets += sequences_.length(i);
  return targets;
}

std::unique_ptr<BatchSource> BucketDataset::hold_out(double share) {
  const std::int64_t all = sequences_.size();
  const auto held = static_cast<std::int64_t>(std::llround(share * static_cast<double>(all)));
  if (share > 0 && (held == 0 || held == all)) {
    throw TextError("validation_split: of " + std::to_string(all) +
                    " examples none would be left for " + (held == 0 ? "validation" : "training"));
  }
  last_ = all - held;
  arranged_ = -1;
  seek({});
  if (held == 0) return nullptr;
  BucketDatasetOptions options = options_;
  options.shuffle = false;
  return std::unique_ptr<BatchSource>(new BucketDataset(sequences_, options, last_, all));
}

void BucketDataset::seek(const Position& position) {
  check_at_least("epoch", 0, position.epoch);
  check_at_least("batch", 0, position.batch);
  epoch_ = position.epoch;
  arrange();
  if (position.batch > *batches_per_epoch()) {
    throw ConfigError("position " + std::to_string(position.batch) + " of an epoch of " +
                      std::to_string(*batches_per_epoch()) +
                      " batches: the data or the options are not those of the position");
  }
  next_ = position.batch;
}

bool BucketDataset::next(Batch& batch) {
  if (next_ == *batches_per_epoch()) return false;
  const auto first = starts_[static_cast<std::size_t>(next_)];
  const auto last = starts_[static_cast<std::size_t>(next_ + 1)];
  batch.clear();
  batch.batch = last - first;
  bool ragged = false;
  for (std::int64_t i = first; i < last; ++i) {
    const std::int32_t sequence = order_[static_cast<std::size_t>(i)];
    batch.lengths.push_back(static_cast<std::int32_t>(sequences_.length(sequence)));
    batch.examples.push_back(static_cast<std::uint32_t>(sequence));
    ragged = ragged || batch.lengths.back() != batch.lengths.front();
    batch.time = std::max<Index>(batch.time, batch.lengths.back());
  }
  batch.ids.assign(static_cast<std::size_t>(batch.time * batch.batch), 0);
  if (!sequences_.one_target()) batch.targets.assign(batch.ids.size(), -1);
  for (Index b = 0; b < batch.batch; ++b) {
    const std::int32_t sequence = order_[static_cast<std::size_t>(first + b)];
    if (sequences_.one_target()) batch.targets.push_back(sequences_.target(sequence));
    for (Index t = 0; t < batch.lengths[static_cast<std::size_t>(b)]; ++t) {
      const auto cell = static_cast<std::size_t>(t * batch.batch + b);
      batch.ids[cell] = sequences_.id(sequence, t);
      if (!sequences_.one_target()) batch.targets[cell] = sequences_.target(sequence, t);
    }
  }
  if (!ragged) batch.lengths.clear();
  ++next_;
  return true;
}

}  // namespace rnn
