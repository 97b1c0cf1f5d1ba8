// Any bytes as a file of a text classifier: refused, or a model that classifies and explains.
#include "fuzz/model_files.h"
#include "rnn/tasks/text_classifier.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static rnn::ModelFiles files(rnn::train_text_classifier,
                               {.arch = "cnn",
                                .embedding = 3,
                                .ngrams = 2,
                                .buckets = 7,
                                .hidden = 3,
                                .naive_bayes = 0.1f,
                                .naive_bayes_buckets = 11,
                                .naive_bayes_min_count = 1,
                                .epochs = 1,
                                .batch = 8},
                               "yes\tnorth and south\nno\tsouth and north\n");
  files.with(data, size, [](const std::string& directory) {
    const auto model = rnn::TextClassifier::load(directory, rnn::kOneThread);
    const std::string texts[] = {"north of south", ""};
    const auto answers = model.predict(texts);
    rnn::require(answers.size() == 2 && answers[0].probabilities.size() == model.labels().size());
    static_cast<void>(model.explain(texts[0]));
  });
  return 0;
}
