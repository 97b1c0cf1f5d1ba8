// Any bytes as a file of a language model: refused, or a model that scores and writes.
#include "fuzz/model_files.h"
#include "rnn/error.h"
#include "rnn/tasks/language_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static rnn::ModelFiles files(rnn::train_language_model,
                               {.hidden = 3, .layers = 1, .epochs = 1, .batch = 2, .bptt = 4},
                               "a b c\nb a\n");
  files.with(data, size, [](const std::string& directory) {
    const auto model = rnn::LanguageModel::load(directory, rnn::kOneThread);
    const std::string sentences[] = {"a c b", ""};
    rnn::require(model.score(sentences).size() == 2);
    const rnn::GenerateOptions ways[] = {{.prompt = "a", .length = 3},
                                         {.length = 3, .top_p = 0.5},
                                         {.length = 3, .typical = 0.5},
                                         {.length = 3, .temperature = 0},
                                         {.length = 3, .beam = 2}};
    for (const rnn::GenerateOptions& way : ways) {
      try {
        static_cast<void>(model.generate(way));
      } catch (const rnn::Error&) {  // the next may go further
      }
    }
  });
  return 0;
}
