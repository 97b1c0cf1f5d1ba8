#include "apps/explained_pieces.h"

#include <algorithm>
#include <optional>

#include "text/utf8.h"

namespace rnn {
namespace {

void add(ExplainedPiece& piece, const UnitContribution& unit) {
  piece.contribution += unit.contribution;
  piece.unknown |= unit.unknown;
}

/// Whether a character begins there, or the text ends.
std::vector<bool> starts_of(std::string_view text) {
  std::vector<bool> starts(text.size() + 1);
  for (std::size_t at = 0; at < text.size(); at += decode_utf8(text, at).length) starts[at] = true;
  starts[text.size()] = true;
  return starts;
}

}  // namespace

std::vector<ExplainedPiece> explained_pieces(std::string_view text,
                                             std::span<const UnitContribution> units) {
  const std::vector<bool> starts = starts_of(text);
  std::vector<ExplainedPiece> pieces;
  std::size_t done = 0;  // where the last of them ends
  std::optional<ExplainedPiece> open;
  const auto close = [&] {
    while (!starts[open->end]) ++open->end;
    done = open->end;
    pieces.push_back(*open);
    open.reset();
  };
  for (const UnitContribution& unit : units) {
    // Units between, the rest of the character among them, were not read.
    if (open && open->begin < open->end && unit.begin > open->end) close();
    const bool is_covered = unit.end < done || (unit.end == done && unit.begin < unit.end);
    if (!open && is_covered) {
      add(pieces.back(), unit);
      continue;
    }
    std::size_t begin = std::max(unit.begin, done);  // places may overlap where a form joins
    const std::size_t end = std::max(unit.end, begin);
    while (!starts[begin]) --begin;
    if (!open) {
      open = ExplainedPiece{.begin = begin, .end = end};
    } else if (open->begin == open->end) {
      open->begin = begin;  // the unit before has no place of its own
    }
    open->end = std::max(open->end, end);
    add(*open, unit);
    if (open->begin < open->end && starts[open->end]) close();
  }
  if (!open) return pieces;
  if (open->begin < open->end || pieces.empty()) {
    close();
  } else {
    pieces.back().contribution += open->contribution;
    pieces.back().unknown |= open->unknown;
  }
  return pieces;
}

}  // namespace rnn
