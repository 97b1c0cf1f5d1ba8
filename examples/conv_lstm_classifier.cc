// A classifier written from layers: a convolution finds short patterns, an LSTM reads their order.
// The task needs both: which of the pairs "1 2" and "3 4" stands first among noise?
#include <rnn/conv1d.h>
#include <rnn/embedding.h>
#include <rnn/error.h>
#include <rnn/model.h>
#include <rnn/recurrent.h>
#include <rnn/sequential.h>
#include <rnn/softmax.h>
#include <rnn/text/bucket_dataset.h>

#include <cstdio>
#include <random>

namespace {

rnn::Sequences pairs(int count, unsigned seed) {
  std::mt19937 random(seed);
  rnn::Sequences sequences;
  for (int i = 0; i < count; ++i) {
    std::vector<std::int32_t> ids(10 + random() % 10);
    for (auto& id : ids) id = static_cast<std::int32_t>(5 + random() % 5);
    const std::size_t first = random() % (ids.size() / 2 - 1);
    const std::size_t second = ids.size() / 2 + random() % (ids.size() / 2 - 1);
    const bool one_two_first = random() % 2 == 0;
    const std::size_t one = one_two_first ? first : second, three = one_two_first ? second : first;
    ids[one] = 1, ids[one + 1] = 2, ids[three] = 3, ids[three + 1] = 4;
    sequences.add(ids, one_two_first);
  }
  return sequences;
}

}  // namespace

int main() try {
  const rnn::Sequences train = pairs(800, 1), test = pairs(200, 2);
  rnn::BucketDataset batches(train, {.batch = 16, .shuffle = true}), held_out(test, {.batch = 50});

  rnn::Model model(rnn::Sequential(
      {rnn::Embedding({.input_dim = 10, .output_dim = 12}),
       rnn::Conv1D({.filters = 16, .kernel_size = 2, .activation = rnn::Activation::kRelu}),
       rnn::LSTM({.units = 16, .return_sequences = false}), rnn::Softmax({.units = 2})}));
  model.compile({.optimizer = rnn::Adam{.learning_rate = 0.01f}, .clip_norm = 1});
  model.fit(batches, {.epochs = 8, .validation = &held_out});
  std::fputs(model.summary().c_str(), stdout);

  int right = 0;
  rnn::Batch batch;
  held_out.seek({});
  while (held_out.next(batch)) {
    const auto probabilities = model.predict(batch);  // [1,B,2]
    for (rnn::Index b = 0; b < batch.batch; ++b) {
      const int guess = probabilities(0, b, 1) > probabilities(0, b, 0);
      right += guess == batch.targets[static_cast<std::size_t>(b)];
    }
  }
  std::printf("accuracy %.3f\n", right / 200.0);
} catch (const rnn::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
