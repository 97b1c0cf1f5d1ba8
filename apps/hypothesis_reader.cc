#include "apps/hypothesis_reader.h"

#include <charconv>
#include <cmath>

#include "rnn/error.h"

namespace rnn {

bool HypothesisReader::next(Hypothesis& hypothesis) {
  if (!reader_.next()) return false;
  const std::string_view line = reader_.line();
  const std::size_t begin = line.find(kHypothesisGap);
  if (begin == line.npos) {
    fail("expected `ID ||| hypothesis`, further fields after another ` ||| `");
  }
  const std::size_t from = begin + kHypothesisGap.size(), end = line.find(kHypothesisGap, from);
  hypothesis.id = line.substr(0, begin);
  hypothesis.line = line;
  hypothesis.text = line.substr(from, end == line.npos ? end : end - from);
  if (scored_) {
    const std::string_view last = line.substr(line.rfind(kHypothesisGap) + kHypothesisGap.size());
    const auto read = std::from_chars(last.data(), last.data() + last.size(), hypothesis.before);
    if (end == line.npos || read.ec != std::errc{} || read.ptr != last.data() + last.size()) {
      fail("--weight adds to the last field, which must be a number");
    }
    if (!std::isfinite(hypothesis.before)) {
      fail(
          "--weight adds to the last field, which must be finite; take the hypothesis out or give "
          "it a low score");
    }
  }
  return true;
}

void HypothesisReader::fail(const char* what) const {
  throw TextError(at(reader_.name(), reader_.line_number(), what));
}

}  // namespace rnn
