#include "text/unicode.h"

#include <unicode/brkiter.h>
#include <unicode/bytestream.h>
#include <unicode/casemap.h>
#include <unicode/edits.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include <algorithm>
#include <vector>

#include "rnn/error.h"
#include "rnn/text/segmenter.h"
#include "text/unicode_icu.h"
#include "text/utf8.h"

namespace rnn {

bool is_white_space(char32_t code_point) {
  return u_isUWhiteSpace(static_cast<UChar32>(code_point));
}

bool is_control(char32_t code_point) {
  return u_charType(static_cast<UChar32>(code_point)) == U_CONTROL_CHAR;
}

LetterCase letter_case(char32_t code_point) {
  const auto c = static_cast<UChar32>(code_point);
  if (!u_isalpha(c)) return LetterCase::kNoLetter;
  if (u_isUUppercase(c) || u_istitle(c)) return LetterCase::kUpper;
  return u_isULowercase(c) ? LetterCase::kLower : LetterCase::kCaseless;
}

int digit_value(char32_t code_point) { return u_charDigitValue(static_cast<UChar32>(code_point)); }

bool all_white_space(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    if (!is_white_space(point.value)) return false;
    at += point.length;
  }
  return true;
}

namespace {

int cluster_property(char32_t code_point) {
  return u_getIntPropertyValue(static_cast<UChar32>(code_point), UCHAR_GRAPHEME_CLUSTER_BREAK);
}

bool is_pictographic(char32_t code_point) {
  return u_hasBinaryProperty(static_cast<UChar32>(code_point), UCHAR_EXTENDED_PICTOGRAPHIC);
}

bool is_control_property(int property) {
  return property == U_GCB_CONTROL || property == U_GCB_CR || property == U_GCB_LF;
}

/// Rules GB6 to GB8: the letters of a Hangul syllable.
bool same_syllable(int left, int right) {
  switch (left) {
    case U_GCB_L:
      return right == U_GCB_L || right == U_GCB_V || right == U_GCB_LV || right == U_GCB_LVT;
    case U_GCB_LV:
    case U_GCB_V:
      return right == U_GCB_V || right == U_GCB_T;
    case U_GCB_LVT:
    case U_GCB_T:
      return right == U_GCB_T;
    default:
      return false;
  }
}

}  // namespace

// Written out instead of asking ICU's iterator because it is several times as fast: there is no
// set-up for each text and no conversion of positions. A test holds it against the iterator.
std::size_t grapheme_end(std::string_view text, std::size_t from) {
  CodePoint point = decode_utf8(text, from);
  std::size_t at = from + point.length;
  int left = cluster_property(point.value);
  // GB11: a pictograph, any Extend, a joiner, then a pictograph stay together.
  enum { kNone, kPictograph, kJoined } emoji = is_pictographic(point.value) ? kPictograph : kNone;
  bool odd_flag = left == U_GCB_REGIONAL_INDICATOR;  // GB12, GB13: flags are pairs
  while (at < text.size()) {
    point = decode_utf8(text, at);
    const int right = cluster_property(point.value);
    bool joined;
    if (is_control_property(left) || is_control_property(right)) {
      joined = left == U_GCB_CR && right == U_GCB_LF;  // GB3 to GB5
    } else {
      joined = right == U_GCB_EXTEND || right == U_GCB_ZWJ || right == U_GCB_SPACING_MARK ||
               left == U_GCB_PREPEND || same_syllable(left, right) ||
               (emoji == kJoined && is_pictographic(point.value)) ||
               (odd_flag && right == U_GCB_REGIONAL_INDICATOR);
    }
    if (!joined) break;
    if (is_pictographic(point.value)) {
      emoji = kPictograph;
    } else if (emoji == kPictograph && right == U_GCB_ZWJ) {
      emoji = kJoined;
    } else if (right != U_GCB_EXTEND || emoji == kJoined) {
      emoji = kNone;
    }
    odd_flag = right == U_GCB_REGIONAL_INDICATOR && !odd_flag;
    left = right;
    at += point.length;
  }
  return at;
}

namespace {

icu::Locale locale_of(const std::string& name) {
  // Never the default constructor, which reads the environment.
  return name.empty() ? icu::Locale::getRoot() : icu::Locale::createFromName(name.c_str());
}

}  // namespace

void check_locale(const std::string& name) {
  if (name.empty()) return;
  const icu::Locale locale = locale_of(name);
  std::int32_t count = 0;
  const icu::Locale* const all = icu::Locale::getAvailableLocales(count);
  const bool known = std::any_of(all, all + count, [&](const icu::Locale& candidate) {
    return std::string_view(candidate.getLanguage()) == locale.getLanguage();
  });
  if (!known || locale.isBogus()) {
    throw ConfigError(
        "option `locale`: expected the name of a locale such as \"ja\" or \"sv_FI\", given \"" +
        name + "\"");
  }
}

struct Segmenter::Impl {
  Boundary boundary;
  std::unique_ptr<icu::BreakIterator> prototype{};
  Pool<icu::BreakIterator> pool{};
};

Segmenter::Segmenter(Boundary boundary, const std::string& name) : impl_(new Impl{boundary}) {
  check_locale(name);
  const icu::Locale locale = locale_of(name);
  UErrorCode status = U_ZERO_ERROR;
  switch (boundary) {
    case Boundary::kGrapheme:
      impl_->prototype.reset(icu::BreakIterator::createCharacterInstance(locale, status));
      break;
    case Boundary::kWord:
      impl_->prototype.reset(icu::BreakIterator::createWordInstance(locale, status));
      break;
    case Boundary::kSentence:
      impl_->prototype.reset(icu::BreakIterator::createSentenceInstance(locale, status));
      break;
  }
  check<ConfigError>(status, "ICU has no break rules for the locale \"" + name + "\"");
}

Segmenter::~Segmenter() = default;
Segmenter::Segmenter(Segmenter&&) noexcept = default;
Segmenter& Segmenter::operator=(Segmenter&&) noexcept = default;

void Segmenter::segment(std::string_view text, std::vector<Segment>& segments) const {
  segments.clear();
  if (text.empty()) return;
  Utf8Text source(text);
  auto iterator = impl_->pool.take(
      [this] { return std::unique_ptr<icu::BreakIterator>(impl_->prototype->clone()); });
  UErrorCode status = U_ZERO_ERROR;
  iterator->setText(&source.text, status);
  check(status, "ICU cannot segment text");
  const bool words = impl_->boundary == Boundary::kWord;
  std::int32_t begin = iterator->first();
  for (std::int32_t end = iterator->next(); end != icu::BreakIterator::DONE;
       end = iterator->next()) {
    segments.push_back({static_cast<std::size_t>(begin), static_cast<std::size_t>(end),
                        words && iterator->getRuleStatus() >= UBRK_WORD_NONE_LIMIT});
    begin = end;
  }
  impl_->pool.give_back(std::move(iterator));
}

namespace {

/// Runs an ICU function that reports its edits and takes its result over.
template <class Function>
void rewrite_with_edits(std::string_view text, Rewrite& rewrite, Function function) {
  icu::Edits edits;
  UErrorCode status = U_ZERO_ERROR;
  std::string made;
  icu::StringByteSink<std::string> sink(&made, checked_length(text));
  function(icu::StringPiece(text.data(), checked_length(text)), sink, edits, status);
  check(status, "ICU cannot rewrite text");
  std::size_t to = 0;
  for (icu::Edits::Iterator edit = edits.getFineIterator(); edit.next(status);) {
    const auto source = static_cast<std::size_t>(edit.oldLength());
    const auto size = static_cast<std::size_t>(edit.newLength());
    const std::string_view bytes = std::string_view(made).substr(to, size);
    if (edit.hasChange()) {
      rewrite.replace(source, bytes);
    } else {
      rewrite.keep(bytes);
    }
    to += size;
  }
  check(status, "ICU cannot rewrite text");
}

const icu::Normalizer2* normalizer_of(std::string_view form) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* const found = form == "nfc"    ? icu::Normalizer2::getNFCInstance(status)
                                        : form == "nfd"  ? icu::Normalizer2::getNFDInstance(status)
                                        : form == "nfkc" ? icu::Normalizer2::getNFKCInstance(status)
                                        : form == "nfkc-casefold"
                                            ? icu::Normalizer2::getNFKCCasefoldInstance(status)
                                            : nullptr;
  check(status, "ICU has no data for the form " + std::string(form));
  return found;
}

bool is_accent(char32_t c) {
  UErrorCode status = U_ZERO_ERROR;
  return u_charType(static_cast<UChar32>(c)) == U_NON_SPACING_MARK &&
         uscript_getScript(static_cast<UChar32>(c), &status) == USCRIPT_INHERITED;
}

bool is_latin_or_greek(char32_t c) {
  UErrorCode status = U_ZERO_ERROR;
  const UScriptCode script = uscript_getScript(static_cast<UChar32>(c), &status);
  return script == USCRIPT_LATIN || script == USCRIPT_GREEK;
}

}  // namespace

RewriteStep normalization_step(std::string_view form) {
  const icu::Normalizer2* const normalizer = normalizer_of(form);
  if (normalizer == nullptr) return nullptr;
  return [normalizer](std::string_view text, Rewrite& rewrite) {
    UErrorCode status = U_ZERO_ERROR;
    const icu::StringPiece piece(text.data(), checked_length(text));
    if (normalizer->isNormalizedUTF8(piece, status)) {
      rewrite.keep(text);
      return;
    }
    rewrite_with_edits(text, rewrite,
                       [normalizer](auto source, auto& sink, auto& edits, auto& code) {
                         normalizer->normalizeUTF8(0, source, sink, &edits, code);
                       });
  };
}

RewriteStep lowercase_step(const std::string& locale) {
  check_locale(locale);
  // The name of the locale that ICU makes of ours; "" would be the environment's, "root" is not.
  const std::string name = locale.empty() ? "root" : locale_of(locale).getName();
  return [name](std::string_view text, Rewrite& rewrite) {
    rewrite_with_edits(text, rewrite, [&](auto source, auto& sink, auto& edits, auto& code) {
      icu::CaseMap::utf8ToLower(name.c_str(), 0, source, sink, &edits, code);
    });
  };
}

RewriteStep strip_accents_step() {
  const icu::Normalizer2* const nfd = normalizer_of("nfd");
  return [nfd](std::string_view text, Rewrite& rewrite) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t plain = ascii_run(text, at);
      // The last ASCII character may carry a mark.
      const bool whole = at + plain == text.size() || plain == 0;
      rewrite.keep(text.substr(at, whole ? plain : plain - 1));
      at += whole ? plain : plain - 1;
      if (at == text.size()) return;
      const std::size_t begin = at;
      const CodePoint base = decode_utf8(text, at);
      at += base.length;
      if (!is_latin_or_greek(base.value)) {
        rewrite.keep(text.substr(begin, at - begin));
        continue;
      }
      while (at < text.size() && is_accent(decode_utf8(text, at).value)) {
        at += decode_utf8(text, at).length;
      }
      const std::string_view cluster = text.substr(begin, at - begin);
      std::string apart, stripped;
      icu::StringByteSink<std::string> sink(&apart);
      UErrorCode status = U_ZERO_ERROR;
      nfd->normalizeUTF8(0, icu::StringPiece(cluster.data(), checked_length(cluster)), sink,
                         nullptr, status);
      check(status, "ICU cannot decompose text");
      for (std::size_t i = 0; i < apart.size();) {
        const CodePoint point = decode_utf8(apart, i);
        if (!is_accent(point.value)) stripped.append(apart, i, point.length);
        i += point.length;
      }
      if (stripped == cluster) {
        rewrite.keep(cluster);
      } else {
        rewrite.replace(cluster.size(), stripped);
      }
    }
  };
}

}  // namespace rnn
