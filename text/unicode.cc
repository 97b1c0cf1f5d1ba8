#include "text/unicode.h"

#include <unicode/brkiter.h>
#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>

#include <limits>
#include <mutex>

#include "rnn/error.h"
#include "text/utf8.h"

namespace rnn {

bool is_white_space(char32_t code_point) {
  return u_isUWhiteSpace(static_cast<UChar32>(code_point));
}

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

bool is_control(int property) {
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
    if (is_control(left) || is_control(right)) {
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

struct Segmenter::Impl {
  std::unique_ptr<icu::BreakIterator> prototype;
  std::mutex mutex;
  std::vector<std::unique_ptr<icu::BreakIterator>> idle;

  std::unique_ptr<icu::BreakIterator> take() {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return std::unique_ptr<icu::BreakIterator>(prototype->clone());
    auto iterator = std::move(idle.back());
    idle.pop_back();
    return iterator;
  }
  void give_back(std::unique_ptr<icu::BreakIterator> iterator) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(iterator));
  }
};

Segmenter::Segmenter(Boundary boundary, const std::string& name) : impl_(std::make_unique<Impl>()) {
  // Never the default constructor, which reads the environment.
  const icu::Locale locale =
      name.empty() ? icu::Locale::getRoot() : icu::Locale::createFromName(name.c_str());
  UErrorCode status = U_ZERO_ERROR;
  bool known = name.empty();
  int32_t count = 0;
  const icu::Locale* const available = icu::Locale::getAvailableLocales(count);
  for (int32_t i = 0; i < count && !known; ++i) {
    known = std::string_view(available[i].getLanguage()) == locale.getLanguage();
  }
  if (!known || locale.isBogus()) {
    throw ConfigError(
        "option `locale`: expected the name of a locale such as \"ja\" or \"sv_FI\", given \"" +
        name + "\"");
  }
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
  if (U_FAILURE(status)) {
    throw ConfigError("ICU has no break rules for the locale \"" + name +
                      "\": " + u_errorName(status));
  }
}

Segmenter::~Segmenter() = default;
Segmenter::Segmenter(Segmenter&&) noexcept = default;
Segmenter& Segmenter::operator=(Segmenter&&) noexcept = default;

namespace {

struct Utf8Text {
  UText text = UTEXT_INITIALIZER;
  Utf8Text(std::string_view bytes, UErrorCode& status) {
    utext_openUTF8(&text, bytes.data(), static_cast<int64_t>(bytes.size()), &status);
  }
  Utf8Text(const Utf8Text&) = delete;
  Utf8Text& operator=(const Utf8Text&) = delete;
  ~Utf8Text() { utext_close(&text); }
};

}  // namespace

void Segmenter::segment(std::string_view text, std::vector<std::size_t>& ends) const {
  ends.clear();
  if (text.empty()) return;
  if (text.size() > std::numeric_limits<int32_t>::max()) {
    throw TextError("a line of " + std::to_string(text.size()) +
                    " bytes: expected less than 2 GiB; break it into lines");
  }
  UErrorCode status = U_ZERO_ERROR;
  Utf8Text source(text, status);
  auto iterator = impl_->take();
  iterator->setText(&source.text, status);
  if (U_FAILURE(status)) throw Error(std::string("ICU cannot read text: ") + u_errorName(status));
  iterator->first();
  for (int32_t end = iterator->next(); end != icu::BreakIterator::DONE; end = iterator->next()) {
    ends.push_back(static_cast<std::size_t>(end));
  }
  impl_->give_back(std::move(iterator));
}

}  // namespace rnn
