#include "apps/text_filter.h"
#include "rnn/text/sentencepiece.h"

namespace rnn {

void text_train_sentencepiece(const Arguments& arguments) {
  namespace po = boost::program_options;
  CommandLine line(
      "text train-sentencepiece [F...] --output FILE [options]",
      "Learns the pieces of the unit sentencepiece from text, one sentence a line. The\n"
      "model rewrites nothing and gives every text back.");
  add_inputs(line);
  line.add("Model")("output", po::value<std::string>()->value_name("FILE"), "the model file");
  line.add_fields(
      "Model", SentencePieceOptions{},
      {{"vocabulary-size", {"pieces, 256 bytes among them"}},
       {"model-type", {"unigram or bpe", "NAME"}},
       {"character-coverage",
        {"share of the text's characters that get pieces; others are written as bytes"}},
       {"maximum-lines", {"lines taken into account, drawn at random; 0: all"}},
       {"seed", {"of that draw"}}});
  if (!line.parse(arguments)) return;
  line.require("output");
  ByteProgress progress;
  CorpusOptions corpus{.policy = text_policy(line)};
  corpus.progress = [&](std::int64_t done, std::int64_t total) { progress.show(done, total); };
  SentencePieceOptions options;
  line.read_fields(options);
  write_output(line.get<std::string>("output"),
               [&] { return train_sentencepiece(inputs(line), options, corpus); });
}

}  // namespace rnn
