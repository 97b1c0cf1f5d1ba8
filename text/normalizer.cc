#include "rnn/text/normalizer.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "rnn/error.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace rnn {

bool NormalizerOptions::is_identity() const {
  return form.empty() && !lowercase && !strip_accents && controls == "keep" && digits == "keep" &&
         white_space == "keep";
}

void NormalizerOptions::exchange(Fields& fields) {
  fields("form", form);
  fields("lowercase", lowercase);
  fields("locale", locale);
  fields("strip_accents", strip_accents);
  fields("controls", controls);
  fields("digits", digits);
  fields("white_space", white_space);
}

NormalizedText::Range NormalizedText::source(std::size_t begin, std::size_t end) const {
  if (begins_.empty()) return {begin, end};
  if (begin == end) {
    const std::size_t place = begin < begins_.size() ? begins_[begin] : source_size_;
    return {place, place};
  }
  return {begins_[begin], ends_[end - 1]};
}

namespace {

void check_name(const char* option, std::string_view given,
                std::initializer_list<std::string_view> names) {
  if (std::find(names.begin(), names.end(), given) != names.end()) return;
  std::string expected;
  for (const std::string_view name : names) {
    expected += (expected.empty() ? "\"" : ", \"") + std::string(name) + "\"";
  }
  throw ConfigError(std::string("option `") + option + "`: expected one of " + expected +
                    "; given \"" + std::string(given) + "\"");
}

void replace_invalid(std::string_view text, Rewrite& rewrite) {
  while (true) {
    const std::size_t bad = find_invalid_utf8(text);
    rewrite.keep(text.substr(0, bad));
    if (bad == std::string_view::npos) return;
    const std::size_t length = decode_utf8(text, bad).length;
    std::string mark;
    append_utf8(kReplacement, mark);
    rewrite.replace(length, mark);
    text.remove_prefix(bad + length);
  }
}

/// Replaces each code point for which `wanted` gives a text.
template <class Wanted>
RewriteStep each_code_point(Wanted wanted) {
  return [wanted](std::string_view text, Rewrite& rewrite) {
    std::size_t kept = 0;
    for (std::size_t at = 0; at < text.size();) {
      const CodePoint point = decode_utf8(text, at);
      if (const char* const by = wanted(point.value)) {
        rewrite.keep(text.substr(kept, at - kept));
        rewrite.replace(point.length, by);
        kept = at + point.length;
      }
      at += point.length;
    }
    rewrite.keep(text.substr(kept));
  };
}

RewriteStep controls_step(const char* by) {
  return each_code_point([by](char32_t c) -> const char* {
    return c == 0xFEFF || (is_control(c) && !is_white_space(c)) ? by : nullptr;
  });
}

RewriteStep digits_step(bool all_zero) {
  return each_code_point([all_zero](char32_t c) -> const char* {
    static constexpr const char* kDigits[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    const int value = digit_value(c);
    if (value < 0 || (c < 0x80 && !all_zero)) return nullptr;
    return kDigits[all_zero ? 0 : value];
  });
}

void collapse_white_space(std::string_view text, Rewrite& rewrite) {
  bool first = true;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t gap = at;
    CodePoint point = decode_utf8(text, at);
    while (at < text.size() && is_white_space((point = decode_utf8(text, at)).value)) {
      at += point.length;
    }
    const std::string_view space = text.substr(gap, at - gap);
    if (!space.empty()) {
      const bool inside = !first && at < text.size();
      if (inside && space == " ") {
        rewrite.keep(space);
      } else {
        rewrite.replace(space.size(), inside ? " " : "");
      }
    }
    first = false;
    const std::size_t word = at;
    while (at < text.size() && !is_white_space((point = decode_utf8(text, at)).value)) {
      at += point.length;
    }
    rewrite.keep(text.substr(word, at - word));
  }
}

}  // namespace

struct Normalizer::Impl {
  NormalizerOptions options;
  std::vector<RewriteStep> steps{};
};

Normalizer::Normalizer(const NormalizerOptions& options) {
  check_name("form", options.form, {"", "nfc", "nfd", "nfkc", "nfkc-casefold"});
  check_name("controls", options.controls, {"keep", "drop", "space"});
  check_name("digits", options.digits, {"keep", "ascii", "zero"});
  check_name("white_space", options.white_space, {"keep", "collapse"});
  if (!options.locale.empty() && !options.lowercase) {
    throw ConfigError("option `locale`: \"" + options.locale +
                      "\" says how to lower case, which option `lowercase` does not ask for");
  }
  auto impl = std::make_unique<Impl>(Impl{options});
  std::vector<RewriteStep>& steps = impl->steps;
  if (!options.is_identity()) steps.emplace_back(replace_invalid);
  if (options.controls != "keep") {
    steps.push_back(controls_step(options.controls == "drop" ? "" : " "));
  }
  if (!options.form.empty()) steps.push_back(normalization_step(options.form));
  if (options.lowercase) steps.push_back(lowercase_step(options.locale));
  if (options.strip_accents) steps.push_back(strip_accents_step());
  if (!options.form.empty() && (options.lowercase || options.strip_accents)) {
    steps.push_back(normalization_step(options.form));
  }
  if (options.digits != "keep") steps.push_back(digits_step(options.digits == "zero"));
  if (options.white_space == "collapse") steps.emplace_back(collapse_white_space);
  impl_ = std::move(impl);
}

Normalizer::~Normalizer() = default;
Normalizer::Normalizer(Normalizer&&) noexcept = default;
Normalizer& Normalizer::operator=(Normalizer&&) noexcept = default;

const NormalizerOptions& Normalizer::options() const { return impl_->options; }

namespace {

void check_size(std::string_view text) {
  if (text.size() >= std::size_t{1} << 31) {
    throw TextError("a text of " + std::to_string(text.size()) +
                    " bytes: expected less than 2 GiB; break it into lines");
  }
}

}  // namespace

std::string Normalizer::normalize(std::string_view text) const {
  check_size(text);
  std::string result(text);
  for (const RewriteStep& step : impl_->steps) {
    Rewrite rewrite;
    step(result, rewrite);
    result = std::move(rewrite.text);
  }
  return result;
}

NormalizedText Normalizer::align(std::string_view text) const {
  check_size(text);
  NormalizedText result;
  result.text_ = text;
  result.source_size_ = text.size();
  for (const RewriteStep& step : impl_->steps) {
    Rewrite rewrite;
    step(result.text_, rewrite);
    if (!rewrite.changed()) continue;
    // The places of the step's own source, carried over to what it made.
    std::vector<std::uint32_t> begins, ends;
    begins.reserve(rewrite.text.size());
    ends.reserve(rewrite.text.size());
    std::size_t from = 0;
    for (const Edit& edit : rewrite.edits) {
      for (std::uint32_t i = 0; i < edit.made; ++i) {
        const auto range = edit.same ? result.source(from + i, from + i + 1)
                                     : result.source(from, from + edit.source);
        begins.push_back(static_cast<std::uint32_t>(range.begin));
        ends.push_back(static_cast<std::uint32_t>(range.end));
      }
      from += edit.source;
    }
    result.text_ = std::move(rewrite.text);
    result.begins_ = std::move(begins);
    result.ends_ = std::move(ends);
  }
  return result;
}

}  // namespace rnn
