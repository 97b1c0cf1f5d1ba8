#include "rnn/text/corpus.h"

#include <sys/stat.h>

#include "text/corpus_scan.h"

namespace rnn {

namespace {

/// "a.txt, b.txt"
std::string join_names(std::span<const std::string> paths) {
  std::string names;
  for (const std::string& path : paths) {
    if (!names.empty()) names += ", ";
    names += path == "-" ? "<stdin>" : path;
  }
  return names;
}

}  // namespace

std::int64_t total_size(std::span<const std::string> paths) {
  std::int64_t total = 0;
  for (const std::string& path : paths) {
    struct stat status {};
    if (path == "-" || stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return -1;
    total += status.st_size;
  }
  return total;
}

void check_corpus_options(std::span<const std::string> paths, const CorpusOptions& options) {
  if (paths.empty()) throw ConfigError("a corpus needs at least one file, given none");
  if (options.threads < 1) {
    throw ConfigError("option `threads`: expected 1 or more, given " +
                      std::to_string(options.threads));
  }
}

void throw_empty_corpus(std::span<const std::string> paths, std::int64_t lines) {
  throw TextError("no text in " + join_names(paths) + ": expected at least one token, found " +
                  (lines == 0 ? "nothing" : std::to_string(lines) + " empty lines"));
}

VocabularyBuilder count_symbols(std::span<const std::string> paths, const Tokenizer& tokenizer,
                                const CorpusOptions& options) {
  TextPolicy policy = options.policy;
  policy.any_bytes = policy.any_bytes || tokenizer.any_bytes();
  VocabularyBuilder all;
  const auto count = [&](LineCursor& lines, VocabularyBuilder& builder) {
    std::string memory;
    while (lines.next()) {
      at_line(lines, [&] { tokenizer.count(prepared(lines.line(), options, memory), builder); });
      builder.add(kEndSymbol);
    }
  };
  scan_corpus<VocabularyBuilder>(
      paths, options, policy, count, [](VocabularyBuilder&) {}, [](VocabularyBuilder&) {},
      [&](const VocabularyBuilder& part) { all.add(part); });
  if (all.total() == all.count(kEndSymbol)) throw_empty_corpus(paths, all.total());
  return all;
}

}  // namespace rnn
