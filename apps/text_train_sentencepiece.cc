#include "apps/text_filter.h"
#include "base/file.h"
#include "rnn/text/sentencepiece.h"

namespace rnn {

void text_train_sentencepiece(const Arguments& arguments) {
  namespace po = boost::program_options;
  const SentencePieceOptions defaults;
  CommandLine line(
      "text train-sentencepiece [F...] --output FILE [options]",
      "Learns the pieces of the unit sentencepiece from text, one sentence a line. The\n"
      "model rewrites nothing and gives every text back.");
  add_inputs(line);
  line.add("Model")("output", po::value<std::string>()->value_name("FILE"), "the model file")(
      "size", po::value<std::int64_t>()->default_value(defaults.vocabulary_size)->value_name("N"),
      "pieces, 256 bytes among them")(
      "kind", po::value<std::string>()->default_value(defaults.model), "unigram or bpe")(
      "coverage",
      po::value<double>()->default_value(defaults.character_coverage, "0.9995")->value_name("X"),
      "share of the text's characters that get pieces; others are written as bytes")(
      "max-lines",
      po::value<std::int64_t>()->default_value(defaults.maximum_lines)->value_name("N"),
      "lines taken into account, drawn at random; 0: all")(
      "seed", po::value<std::uint64_t>()->default_value(0)->value_name("N"), "of that draw");
  if (!line.parse(arguments)) return;
  line.require("output");
  ByteProgress progress;
  CorpusOptions corpus{.policy = text_policy(line)};
  corpus.progress = [&](std::int64_t done, std::int64_t total) { progress.show(done, total); };
  write_file(line.get<std::string>("output"),
             train_sentencepiece(inputs(line),
                                 {.vocabulary_size = line.get<std::int64_t>("size"),
                                  .model = line.get<std::string>("kind"),
                                  .character_coverage = line.get<double>("coverage"),
                                  .maximum_lines = line.get<std::int64_t>("max-lines"),
                                  .seed = line.get<std::uint64_t>("seed")},
                                 corpus));
}

}  // namespace rnn
