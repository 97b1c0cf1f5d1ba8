// RegularExpression: ICU's engine, and what matching may cost.
#include <unicode/regex.h>

#include <algorithm>
#include <type_traits>

#include "text/unicode.h"
#include "text/unicode_icu.h"
#include "text/utf8.h"

namespace rnn {
namespace {

/// What matching may cost, all matches of a text together. No clock is read: the unit is a step of
/// the engine, which is a place to go back to (some 30 ns). ICU counts these in ten thousands,
/// from reset to reset. What it does not count, such as running over a text without such places,
/// shows in the pieces of the text that it asks for (30 characters or so), each the price of 16;
/// they are looked at when the steps are, and after each place where nothing matched.
struct MatchBudget {
  std::int64_t limit = 0;
  std::int64_t step_cost = 1;
  std::int64_t pieces = 0;

  bool lasts(std::int64_t ten_thousands) const {
    return ten_thousands * 10'000 * step_cost + pieces * 16 <= limit;
  }
  static UBool after_steps(const void* budget, std::int32_t ten_thousands) {
    return static_cast<const MatchBudget*>(budget)->lasts(ten_thousands);
  }
  static UBool after_attempt(const void* budget, std::int64_t) {
    return static_cast<const MatchBudget*>(budget)->lasts(0);
  }
};

/// UTF-8 as ICU reads it, with the pieces counted. ICU keeps a pointer to the functions until the
/// matcher has another text or is gone.
class CountedAccess {
 public:
  CountedAccess() = default;
  CountedAccess(const CountedAccess&) = delete;
  CountedAccess& operator=(const CountedAccess&) = delete;

  void count(UText& text, MatchBudget& budget) {
    static_assert(std::is_standard_layout_v<Functions>);
    budget_ = &budget;
    access_ = text.pFuncs->access;
    functions_.itself = this;
    functions_.functions = *text.pFuncs;
    functions_.functions.access = [](UText* of, std::int64_t index, UBool forward) {
      CountedAccess& counted = *reinterpret_cast<const Functions*>(of->pFuncs)->itself;
      ++counted.budget_->pieces;
      return counted.access_(of, index, forward);
    };
    text.pFuncs = &functions_.functions;
  }

 private:
  struct Functions {
    UTextFuncs functions{};  // first, since a pointer to it becomes one to all
    CountedAccess* itself = nullptr;
  };
  Functions functions_{};
  UTextAccess* access_ = nullptr;
  MatchBudget* budget_ = nullptr;
};

class Matcher {
 public:
  explicit Matcher(const icu::RegexPattern& pattern) {
    UErrorCode status = U_ZERO_ERROR;
    engine_.reset(pattern.matcher(status));
    check(status, "ICU cannot match");
    engine_->setMatchCallback(MatchBudget::after_steps, &budget_, status);
    engine_->setFindProgressCallback(MatchBudget::after_attempt, &budget_, status);
    check(status, "ICU cannot match");
  }

  UErrorCode run(std::string_view text, std::int64_t step_cost,
                 const std::function<void(std::size_t, std::size_t)>& found) {
    // A list of a thousand words costs some 240 a byte. A short text has the first number.
    budget_ = {.limit = 200'000 + 312 * static_cast<std::int64_t>(text.size()),
               .step_cost = step_cost};
    Utf8Text source(text);
    access_.count(source.text, budget_);
    engine_->reset(&source.text);
    UErrorCode status = U_ZERO_ERROR;
    while (engine_->find(status)) {
      const auto begin = static_cast<std::size_t>(engine_->start64(status));
      const auto end = static_cast<std::size_t>(engine_->end64(status));
      if (begin < end) found(begin, end);
      if (!budget_.lasts(0)) return U_REGEX_STOPPED_BY_CALLER;
    }
    return status;
  }

 private:
  MatchBudget budget_{};
  CountedAccess access_{};
  std::unique_ptr<icu::RegexMatcher> engine_{};
};

constexpr std::size_t kLongestPattern = 1 << 15;

}  // namespace

struct RegularExpression::Impl {
  std::unique_ptr<icu::RegexPattern> pattern{};
  std::string text{};
  std::int64_t step_cost = 1;
  Pool<Matcher> pool{};
};

RegularExpression::RegularExpression(const std::string& pattern) : impl_(new Impl) {
  if (pattern.size() > kLongestPattern) {
    throw ConfigError("option `pattern`: expected at most " + std::to_string(kLongestPattern) +
                      " bytes, given " + std::to_string(pattern.size()));
  }
  if (find_invalid_utf8(pattern) != std::string::npos) {
    throw ConfigError("option `pattern`: expected UTF-8, given other bytes");
  }
  UErrorCode status = U_ZERO_ERROR;
  UParseError place{};
  impl_->text = pattern;
  impl_->pattern.reset(
      icu::RegexPattern::compile(icu::UnicodeString::fromUTF8(pattern), 0, place, status));
  if (U_FAILURE(status)) {
    throw ConfigError("option `pattern`: expected a regular expression, given \"" + pattern +
                      "\", which is wrong at character " + std::to_string(place.offset) + ": " +
                      u_errorName(status));
  }
  // A step remembers each group, each counter, and for each repeated group where it began.
  UErrorCode counted = U_ZERO_ERROR;
  const std::unique_ptr<icu::RegexMatcher> matcher(impl_->pattern->matcher(counted));
  check(counted, "ICU cannot match");
  std::int64_t remembered = matcher->groupCount();
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool repeats_group =
        i > 0 && pattern[i - 1] == ')' && (pattern[i] == '*' || pattern[i] == '+');
    remembered += pattern[i] == '{' || repeats_group;
  }
  impl_->step_cost = 1 + remembered / 8;
}

RegularExpression::~RegularExpression() = default;
RegularExpression::RegularExpression(RegularExpression&&) noexcept = default;
RegularExpression& RegularExpression::operator=(RegularExpression&&) noexcept = default;

void RegularExpression::each_match(
    std::string_view text, const std::function<void(std::size_t, std::size_t)>& found) const {
  auto matcher = impl_->pool.take([&] { return std::make_unique<Matcher>(*impl_->pattern); });
  const UErrorCode status = matcher->run(text, impl_->step_cost, found);
  check<TextError>(status,
                   "the regular expression \"" + impl_->text +
                       "\" cannot be matched against a line of " + std::to_string(text.size()) +
                       " bytes" +
                       (status == U_REGEX_STOPPED_BY_CALLER
                            ? ", for which it needs too many steps; make it simpler, or the "
                              "lines shorter"
                            : ""));
  impl_->pool.give_back(std::move(matcher));
}

}  // namespace rnn
