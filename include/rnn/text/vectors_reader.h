// Word vectors that others have trained, in the text formats of word2vec and GloVe.
//
// A line is a word and its numbers, separated by single spaces (or tabs). word2vec puts a line of
// two whole numbers before them: how many there are, and their width. A word may have spaces in it,
// since the numbers are counted from the end of the line. Files may be packed with gzip.
#pragma once

#include <cstdint>
#include <string>

#include "rnn/export.h"
#include "rnn/text/vocabulary.h"
#include "rnn/view.h"

namespace rnn {

/// What became of a file of vectors.
struct VectorsReport {
  std::int64_t vectors = 0;   ///< in the file
  std::int64_t used = 0;      ///< symbols of the vocabulary that have one
  std::int64_t missing = 0;   ///< symbols that have none; `<unk>` and `</s>` count as any other
  std::int64_t repeated = 0;  ///< vectors of a word that had one already; the first is used
};

/// Width of the vectors in a file. Throws as load_vectors does.
RNN_API Index vectors_width(const std::string& path);

/// Writes the vector of each symbol into its row of `table` [V,E]; rows of symbols that the file
/// does not have stay as they are, and are counted. Memory beyond the table is one line's and a
/// flag a symbol, whatever the file claims of itself. Throws IoError; ConfigError when the width
/// is not E or the table has not a row for each symbol; TextError "file:line: ..." for a line that
/// is no vector, a number that is not finite, invalid UTF-8 or an empty file. The table may then
/// hold some of the vectors.
///
///   rnn::Parameters values = model.parameters();
///   rnn::load_vectors("glove.txt", vocabulary, values.at("embedding/embeddings"));
///   model.set_parameters(values);
RNN_API VectorsReport load_vectors(const std::string& path, const Vocabulary& vocabulary,
                                   View<float> table);

}  // namespace rnn
