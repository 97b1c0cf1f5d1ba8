// A tagger with a CRF: brackets of two kinds around words, labelled outside, begin and inside. What
// a label may follow is learned as transitions, and Viterbi decodes whole label sequences.
#include <rnn/bidirectional.h>
#include <rnn/crf.h>
#include <rnn/embedding.h>
#include <rnn/error.h>
#include <rnn/model.h>
#include <rnn/recurrent.h>
#include <rnn/sequential.h>
#include <rnn/session.h>
#include <rnn/text/bucket_dataset.h>

#include <cstdio>
#include <random>

namespace {

enum Label : std::int32_t { kOutside, kBegin, kInside };
constexpr std::int32_t kOpen = 0, kClose = 1;  // other symbols are words

rnn::Sequences brackets(int count, unsigned seed) {
  std::mt19937 random(seed);
  rnn::Sequences sequences;
  for (int i = 0; i < count; ++i) {
    std::vector<std::int32_t> ids, labels;
    const std::size_t length = 6 + random() % 8;
    std::int32_t label = kOutside;
    while (ids.size() < length) {
      const bool inside = label != kOutside;
      const std::int32_t id = random() % 4 == 0 ? (inside ? kClose : kOpen)
                                                : static_cast<std::int32_t>(2 + random() % 6);
      // The bracket itself is outside; what follows an opening one begins a span.
      const bool after_open = !ids.empty() && ids.back() == kOpen;
      label = id == kClose ? kOutside : after_open ? kBegin : inside ? kInside : kOutside;
      if (id == kOpen && after_open) label = kBegin;
      ids.push_back(id);
      labels.push_back(label);
    }
    sequences.add(ids, labels);
  }
  return sequences;
}

}  // namespace

int main() try {
  const rnn::Sequences train = brackets(400, 1), test = brackets(100, 2);
  rnn::BucketDataset batches(train, {.batch = 8, .shuffle = true}), held_out(test, {.batch = 20});
  rnn::Model model(rnn::Sequential({rnn::Embedding({.input_dim = 8, .output_dim = 8}),
                                    rnn::Bidirectional({.layer = rnn::LSTM({.units = 12})}),
                                    rnn::CRF({.units = 3, .forbidden = "start>2 0>2"})}));
  model.compile({.optimizer = rnn::Adam{.learning_rate = 0.02f}, .clip_norm = 1});
  model.fit(batches, {.epochs = 5});

  // An Inference lets the head be asked for more than probabilities.
  rnn::Inference inference(model.network(), model.parameters(), model.backend());
  const auto& crf = dynamic_cast<const rnn::CRF&>(*model.network().head().head);
  double right = 0, labels = 0;
  rnn::Batch batch;
  while (held_out.next(batch)) {
    rnn::State state = model.network().zero_state(batch.batch, *model.backend());
    inference.predict(batch, state);
    const rnn::HeadInput input = inference.head_input();
    const auto scores = crf.scores(input.features, *input.call);
    for (rnn::Index b = 0; b < batch.batch; ++b) {
      const rnn::CrfPath path = rnn::crf_viterbi(scores, b);
      for (std::size_t t = 0; t < path.labels.size(); ++t) {
        const auto place = t * static_cast<std::size_t>(batch.batch) + static_cast<std::size_t>(b);
        right += path.labels[t] == batch.targets[place];
        ++labels;
      }
    }
  }
  std::printf("labels right: %.3f\n", right / labels);
} catch (const rnn::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
