// ExplainedPiece: the contributions of units as pieces of the text that a person can be shown.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "rnn/tasks/explanation.h"

namespace rnn {

struct ExplainedPiece {
  std::size_t begin = 0, end = 0;  ///< bytes of the text, at whole characters
  bool unknown = false;            ///< the vocabulary lacks one of its units
  double contribution = 0;         ///< the sum of those of its units
};

/// The units in the order of the text, none over another, and their contributions add up to those
/// of the units. One piece are the units that make up a character: its bytes, or what a
/// normalization form makes of it. Empty is only the piece of a text without units.
std::vector<ExplainedPiece> explained_pieces(std::string_view text,
                                             std::span<const UnitContribution> units);

}  // namespace rnn
