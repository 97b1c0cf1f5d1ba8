// Vocabulary: the symbols a model knows, their numbers and how often they were seen.
//
// The file. One symbol a line, `symbol<TAB>count`; the number (id) of a symbol is its line number,
// counted from 0. The count may be left out and is then 0. It is UTF-8, and a person may edit it.
// Two symbols are special and must be there: `<unk>` stands for everything that is not, `</s>` ends
// each line of text. Written first, they may stand anywhere. Escapes inside a symbol:
//   \s  space      \t  tab      \n  line feed      \r  carriage return      \\  backslash
//   \xHH           the byte HH (hexadecimal): control characters, and bytes that are not UTF-8
//   \u{H...}       the code point H...: characters that cannot be seen, such as U+200B or U+00A0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/export.h"
#include "rnn/fields.h"
#include "rnn/text/symbol_table.h"

namespace rnn {

inline constexpr std::string_view kUnknownSymbol = "<unk>";
inline constexpr std::string_view kEndSymbol = "</s>";

struct VocabularyEntry {
  std::string symbol{};
  std::int64_t count = 0;

  friend bool operator==(const VocabularyEntry&, const VocabularyEntry&) = default;
};

/// Immutable; safe to read from many threads.
class RNN_API Vocabulary {
 public:
  /// The entries in the order of their ids. Throws TextError for an empty or repeated symbol and
  /// when `<unk>` or `</s>` is missing.
  explicit Vocabulary(std::span<const VocabularyEntry> entries);

  /// Reads the file described above, which is never packed. IoError; FormatError
  /// "file:line[:column]: ...".
  static Vocabulary load(const std::string& path);
  /// What the file holds.
  std::string to_text() const;
  /// Writes it under a temporary name, flushed, then renamed. IoError.
  void save(const std::string& path) const;

  std::int32_t size() const { return table_.size(); }
  std::int32_t unknown_id() const { return unknown_; }
  std::int32_t end_id() const { return end_; }
  /// The same number for vocabularies that have the same symbols in the same order.
  std::uint64_t fingerprint() const { return fingerprint_; }

  /// The id of a symbol; unknown_id() when it is not there.
  std::int32_t id(std::string_view symbol) const {
    const std::int32_t found = find(symbol);
    return found < 0 ? unknown_ : found;
  }
  /// The id of a symbol; -1 when it is not there.
  std::int32_t find(std::string_view symbol) const {
    return symbol.size() == 1 ? bytes_[static_cast<unsigned char>(symbol[0])] : table_.find(symbol);
  }
  /// The id of a token of a text: as id(), but `</s>` in a text is an unknown word, because the end
  /// of a sentence is where the line ends and nowhere else. `<unk>` in a text is the unknown
  /// symbol.
  std::int32_t text_id(std::string_view token) const {
    const std::int32_t found = id(token);
    return found == end_ ? unknown_ : found;
  }

  /// The symbol of an id in [0, size()); valid as long as the vocabulary.
  std::string_view symbol(std::int32_t id) const { return table_[id]; }
  /// How often it was seen when the vocabulary was made.
  std::int64_t count(std::int32_t id) const { return counts_[static_cast<std::size_t>(id)]; }

 private:
  SymbolTable table_;
  std::vector<std::int64_t> counts_;
  std::array<std::int32_t, 256> bytes_;  // ids of the symbols of one byte
  std::int32_t unknown_ = -1;
  std::int32_t end_ = -1;
  std::uint64_t fingerprint_ = 0;
};

struct VocabularyOptions {
  std::int64_t minimum_count = 1;  ///< symbols seen less often are left out
  std::int64_t maximum_size = 0;   ///< at most so many, `<unk>` and `</s>` among them; 0: no limit

  void exchange(Fields& fields);
};

/// Counts symbols and makes a vocabulary of them.
class RNN_API VocabularyBuilder {
 public:
  VocabularyBuilder();

  /// Counts a symbol. `<unk>` and `</s>` are counted for the special ones.
  void add(std::string_view symbol, std::int64_t count = 1);
  /// Adds what another one has counted.
  void add(const VocabularyBuilder& other);

  /// `<unk>`, `</s>`, then the symbols by falling count, equal counts by their bytes: the same on
  /// every machine. What is left out is counted for `<unk>`. Throws ConfigError when
  /// maximum_size leaves no room for any symbol or an option is negative.
  Vocabulary build(const VocabularyOptions& options = {}) const;

  /// How often a symbol was seen so far.
  std::int64_t count(std::string_view symbol) const;
  /// Different symbols so far, and all counts together; the special ones included.
  std::int64_t types() const { return table_.size(); }
  std::int64_t total() const;

 private:
  SymbolTable table_;
  std::vector<std::int64_t> counts_;
};

}  // namespace rnn
