#pragma once

#include "rnn/tasks/tagger.h"
#include "rnn/text/segmenter.h"
#include "rnn/text/tokenizer.h"
#include "tasks/tag_workers.h"
#include "tasks/tagger_labels.h"
#include "tasks/tagger_words.h"

namespace rnn {

struct Tagger::Impl {
  Network network;
  Parameters parameters;
  TaggerVocabulary vocabulary;
  TaggerLabels labels;
  TagReaderOptions reader;
  std::shared_ptr<const Backend> backend;
  Segmenter sentences{Boundary::kSentence};
  std::shared_ptr<const Tokenizer> words = make_tokenizer({.unit = "icu-word"});

  TagWorkers workers() const { return TagWorkers(network, parameters, backend, labels.allowed()); }
};

}  // namespace rnn
