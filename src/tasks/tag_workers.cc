#include "tasks/tag_workers.h"

#include <optional>

#include "tasks/side_by_side.h"

namespace rnn {

TagDecoder& TagWorkers::decoder(int worker) {
  std::unique_ptr<TagDecoder>& its = decoders_[static_cast<std::size_t>(worker)];
  if (!its) its = std::make_unique<TagDecoder>(network_, parameters_, backend_, allowed_);
  return *its;
}

void TagWorkers::run(const std::function<TaggerDataset()>& open,
                     const std::function<void(TagDecoder&, const Batch&, std::int64_t)>& work) {
  struct Reading {
    TaggerDataset data;
    Batch batch{};
  };
  std::vector<std::optional<Reading>> readings(decoders_.size());
  side_by_side(*backend_, *open().batches_per_epoch(), [&](int worker, std::int64_t number) {
    std::optional<Reading>& reading = readings[static_cast<std::size_t>(worker)];
    if (!reading) reading.emplace(Reading{open()});
    reading->data.seek({0, number});
    reading->data.next(reading->batch);
    decoder(worker).run(reading->batch);
    work(decoder(worker), reading->batch, number);
  });
}

}  // namespace rnn
