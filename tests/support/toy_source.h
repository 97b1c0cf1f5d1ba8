// A small corpus as a BatchSource: lanes of a text, cut into windows, another text each epoch.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "support/toy_network.h"

namespace rnn::test {

/// Batches of epoch e are a function of e: `make(e)` gives one long batch without lengths, which is
/// delivered in windows.
class ToySource : public BatchSource {
 public:
  using Make = std::function<Batch(std::int64_t epoch)>;
  ToySource(Make make, Index window) : make_(std::move(make)), window_(window) { seek({}); }

  bool next(Batch& batch) override {
    const Index start = position_.batch * window_;
    if (start >= whole_.time) return false;
    batch = window_of(whole_, start, std::min(window_, whole_.time - start));
    ++position_.batch;
    return true;
  }
  void seek(const Position& position) override {
    position_ = position;
    whole_ = make_(position.epoch);
  }
  Position position() const override { return position_; }
  std::optional<std::int64_t> batches_per_epoch() const override {
    return (whole_.time + window_ - 1) / window_;
  }

 private:
  Make make_;
  Index window_;
  Position position_{};
  Batch whole_{};
};

/// Random symbols: nothing to learn, everything to compare.
inline ToySource random_source(Index symbols, std::uint64_t seed, Index time = 14, Index window = 4,
                               Index batch = 3) {
  return ToySource(
      [=](std::int64_t epoch) {
        return random_batch(time, batch, symbols, seed * 1000 + static_cast<std::uint64_t>(epoch));
      },
      window);
}

}  // namespace rnn::test
