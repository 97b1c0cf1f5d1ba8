// Any bytes as a file of a tagger: refused, or a model that tags.
#include "rnn/tasks/tagger.h"

#include "fuzz/model_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static rnn::ModelFiles files(rnn::train_tagger,
                               {.column = 2,
                                .embedding = 3,
                                .case_embedding = 2,
                                .char_embedding = 2,
                                .char_units = 2,
                                .hidden = 3,
                                .epochs = 1,
                                .batch = 8},
                               "Mira B-PER\nLund I-PER\nsails O\n\nto O\nOslo B-LOC\n\n");
  files.with(data, size, [](const std::string& directory) {
    const auto model = rnn::Tagger::load(directory, rnn::kOneThread);
    const std::vector<rnn::Tagger::Words> sentences{{"Mira", "saw", "Oslo"}, {"sails"}};
    const auto tags = model.tag(sentences);
    rnn::require(tags.size() == 2 && tags[0].size() == 3 && tags[1].size() == 1);
    static_cast<void>(model.marginals(sentences[0]));
    static_cast<void>(model.n_best(sentences[0], 3));
  });
  return 0;
}
