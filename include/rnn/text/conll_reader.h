// Words in columns, one a line, with an empty line after each sentence: the CoNLL formats.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rnn/export.h"
#include "rnn/text/line_reader.h"

namespace rnn {

struct ConllOptions {
  /// A line that starts so belongs to no sentence and is left out, with the empty line after it:
  /// the mark of a new document.
  std::string document_mark = "-DOCSTART-";
  TextPolicy policy{};
};

/// Lines of a file as they stand, so that it can be written again with a cell changed here and
/// there: all that comes after the sentence before, up to and with the empty line after this one.
struct SourceLines {
  std::int64_t first = 1;            ///< number of the first one in the file
  std::vector<std::string> lines{};  ///< with their line ends
  std::size_t mark = 0;              ///< bytes of the file's byte-order mark before the first
  std::vector<std::size_t> words{};  ///< which of them each row, or word proper, stands in
};

/// A sentence as rows of columns: held whole, at some 120 bytes a byte where words are short.
struct ConllSentence {
  std::vector<std::vector<std::string>> rows{};
  std::int64_t line = 0;  ///< of the first row
  SourceLines source{};   ///< after the last sentence: what else is in the file
};

/// Columns separated by spaces or tabs, such as the files of CoNLL-2003. Errors: as LineReader's;
/// TextError "file:line:column: ..." when a row has not as many columns as the first.
class RNN_API ConllReader {
 public:
  explicit ConllReader(std::string path, const ConllOptions& options = {});

  /// Replaces `sentence` by the next one; false at the end.
  bool next(ConllSentence& sentence);
  const std::string& name() const { return lines_.name(); }

 private:
  ConllOptions options_;
  LineReader lines_;
  std::size_t columns_ = 0;
};

/// A word of CoNLL-U (universaldependencies.org/format.html). "_" is kept as it is.
struct ConlluWord {
  std::string id{};  ///< "3", of a multiword token "3-4", of an empty node "3.1"
  std::string form{}, lemma{}, upos{}, xpos{}, feats{}, head{}, deprel{}, deps{}, misc{};
};

struct ConlluSentence {
  std::vector<std::string> comments{};  ///< without the "#" and the spaces after it
  std::vector<ConlluWord> words{};      ///< the words proper: ids 1, 2, 3, ...
  std::vector<ConlluWord> multiword{};  ///< surface tokens that several words share
  std::vector<ConlluWord> empty{};      ///< empty nodes
  std::int64_t line = 0;                ///< of the first line
  SourceLines source{};                 ///< after the last sentence: what else is in the file

  /// The value of a comment "name = value"; empty when there is none.
  std::string comment(std::string_view name) const;
  /// The text as the tokens and SpaceAfter=No spell it.
  std::string spelled() const;
};

/// Comments without a sentence are passed over. Errors: as LineReader's; TextError
/// "file:line:column: ..." for a line without 10 columns, an
/// empty column, an id out of order, or a head that is no number of the sentence.
class RNN_API ConlluReader {
 public:
  explicit ConlluReader(std::string path, const TextPolicy& policy = {});

  bool next(ConlluSentence& sentence);
  const std::string& name() const { return lines_.name(); }

 private:
  void add(std::string_view line, ConlluSentence& sentence);
  void check_heads(const ConlluSentence& sentence) const;

  LineReader lines_;
};

}  // namespace rnn
