// Vectors of sentences and of tokens out of a trained language model: what reaches its head.
//   example_embeddings MODEL_DIR SENTENCE
#include <rnn/error.h>
#include <rnn/session.h>
#include <rnn/tasks/language_model.h>

#include <cstdio>
#include <vector>

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s MODEL_DIR SENTENCE\n", argv[0]);
    return 2;
  }
  const auto model = rnn::LanguageModel::load(argv[1]);
  std::vector<rnn::Token> tokens;
  model.tokenizer().tokenize(argv[2], tokens);
  rnn::Batch batch{.time = static_cast<rnn::Index>(tokens.size()), .batch = 1};
  for (const rnn::Token& token : tokens) batch.ids.push_back(model.vocabulary().id(token.text));

  rnn::Inference inference(model.network(), model.parameters(), rnn::make_backend());
  rnn::State state = model.initial_state();
  inference.predict(batch, state);
  const rnn::View<const float> vectors = inference.head_input().features.values;  // [T,1,F]
  const rnn::Index T = vectors.extent(0), F = vectors.extent(2);
  std::vector<float> sentence(static_cast<std::size_t>(F));
  for (rnn::Index t = 0; t < T; ++t) {
    for (rnn::Index f = 0; f < F; ++f) {
      sentence[static_cast<std::size_t>(f)] += vectors(t, 0, f) / static_cast<float>(T);
    }
  }
  for (float value : sentence) std::printf("%.4f ", static_cast<double>(value));
  std::printf("\nsentence [%d], %d tokens of [%d]\n", static_cast<int>(F), static_cast<int>(T),
              static_cast<int>(F));
} catch (const rnn::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
