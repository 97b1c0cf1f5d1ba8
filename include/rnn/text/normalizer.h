// Normalizer: rewrites text so that what means the same looks the same, and knows what came from
// where.
//
// Nothing is rewritten unless asked for. The steps, in this order:
//   controls      control characters (Cc) that are no white space, and U+FEFF:
//                 "keep", "drop", or "space": each becomes a space
//   form          "" or a normalization form of UAX 15: "nfc", "nfd", "nfkc", "nfkc-casefold"
//   lowercase     by the rules of `locale` (Turkish and Azeri i, Lithuanian dots, final sigma)
//   strip_accents nonspacing marks on Latin and Greek letters. Marks that make another letter
//                 elsewhere stay: Cyrillic short i, Japanese voicing, Indic and Thai vowel signs.
//   digits        "keep", "ascii": any decimal digit becomes 0 to 9, or "zero": becomes 0
//   white_space   "keep", or "collapse": a run of White_Space becomes one space, none at either end
// The form is made good again after later steps. Ill-formed parts of UTF-8 become U+FFFD first,
// when any step is on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/export.h"
#include "rnn/fields.h"

namespace rnn {

struct RNN_API NormalizerOptions {
  std::string form = {};
  bool lowercase = false;
  std::string locale = {};  ///< of `lowercase`, such as "tr"; empty: the root locale
  bool strip_accents = false;
  std::string controls = "keep";
  std::string digits = "keep";
  std::string white_space = "keep";

  /// Nothing is rewritten.
  bool is_identity() const;
  void exchange(Fields& fields);
};

/// Text after normalization, with the place in the source that each of its bytes came from.
class RNN_API NormalizedText {
 public:
  const std::string& text() const { return text_; }

  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
    friend bool operator==(const Range&, const Range&) = default;
  };
  /// The bytes of the source that text()[begin, end) was made of. Ranges side by side in the text
  /// may overlap in the source, where several characters were rewritten together, but never run
  /// backwards. An empty range gives an empty one.
  Range source(std::size_t begin, std::size_t end) const;

 private:
  friend class Normalizer;
  std::string text_;
  std::size_t source_size_ = 0;
  // For each byte of the text; both empty while nothing was changed.
  std::vector<std::uint32_t> begins_;
  std::vector<std::uint32_t> ends_;
};

/// Immutable: one may be used from many threads.
class RNN_API Normalizer {
 public:
  /// Throws ConfigError for an unknown name.
  explicit Normalizer(const NormalizerOptions& options = {});
  ~Normalizer();
  Normalizer(Normalizer&&) noexcept;
  Normalizer& operator=(Normalizer&&) noexcept;

  const NormalizerOptions& options() const;
  std::string normalize(std::string_view text) const;
  /// The same text, with its places. Throws TextError for a text of 2 GiB or more.
  NormalizedText align(std::string_view text) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace rnn
