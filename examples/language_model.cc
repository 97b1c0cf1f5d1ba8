// A character language model written from layers, trained by fit(), in a few lines.
//   example_language_model FILE
#include <rnn/rnn.h>

#include <cstdio>

int main(int argc, char** argv) try {
  const std::string paths[] = {argc > 1 ? argv[1] : "corpora/fables/valid.txt"};
  const auto tokenizer = rnn::make_tokenizer({.unit = "char"});
  const rnn::Vocabulary vocabulary = rnn::count_symbols(paths, *tokenizer).build();
  const rnn::TokenFile text = rnn::TokenFile::build(paths, *tokenizer, vocabulary);
  rnn::LaneDataset lanes(text.ids(), vocabulary.end_id(), {.batch = 16, .bptt = 50});

  rnn::Model model(
      rnn::Sequential({rnn::Embedding({.input_dim = vocabulary.size(), .output_dim = 32}),
                       rnn::LSTM({.units = 128}), rnn::Dropout({.rate = 0.1f}),
                       rnn::Softmax({.units = vocabulary.size()})}));
  model.compile({.optimizer = rnn::Adam{.learning_rate = 0.005f}, .clip_norm = 1});
  const rnn::History& history = model.fit(lanes, {.epochs = 3, .state = rnn::StatePolicy::kCarry});
  for (const rnn::EpochRecord& epoch : history.epochs) {
    std::printf("epoch %d: perplexity %.2f\n", static_cast<int>(epoch.epoch),
                rnn::perplexity(epoch.train));
  }
} catch (const rnn::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
