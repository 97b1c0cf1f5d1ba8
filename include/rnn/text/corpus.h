// Passing over text files of any size, line by line.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "rnn/export.h"
#include "rnn/text/line_reader.h"
#include "rnn/text/normalizer.h"
#include "rnn/text/tokenizer.h"
#include "rnn/text/vocabulary.h"

namespace rnn {

struct CorpusOptions {
  TextPolicy policy{};
  /// Rewrites each line before it is tokenized; null: none. Must live as long as the call.
  const Normalizer* normalizer = nullptr;
  /// Threads that tokenize. The result does not depend on it.
  int threads = 1;
  /// Where TokenFile keeps its file, 4 bytes a token; empty: the directory that the environment
  /// variable TMPDIR names, or /tmp where it names none.
  std::string directory{};
  /// Called now and then from the calling thread with the bytes done and their total, which is -1
  /// when unknown. It may throw to stop.
  std::function<void(std::int64_t done, std::int64_t total)> progress{};
};

/// Counts the tokens of some files and one `</s>` for each line: the first half of making a
/// vocabulary. A token that reads `</s>` counts as `<unk>` (see Vocabulary::text_id).
/// Errors: as LineReader's; TextError naming the files when they hold no token at all.
RNN_API VocabularyBuilder count_symbols(std::span<const std::string> paths,
                                        const Tokenizer& tokenizer,
                                        const CorpusOptions& options = {});

}  // namespace rnn
