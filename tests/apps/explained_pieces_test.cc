// Contributions of units as pieces of the text.
#include "apps/explained_pieces.h"

#include <gtest/gtest.h>

#include <string>

namespace rnn::test {
namespace {

/// The pieces with their contributions, as in "a 1|b 2|".
std::string pieces(const std::string& text, const std::vector<UnitContribution>& units) {
  std::string shown;
  std::size_t place = 0;
  double sum = 0;
  for (const ExplainedPiece& piece : explained_pieces(text, units)) {
    EXPECT_GE(piece.begin, place);
    EXPECT_LE(piece.begin, piece.end);
    place = piece.end;
    sum += piece.contribution;
    shown += text.substr(piece.begin, piece.end - piece.begin) + " " +
             std::to_string(static_cast<int>(piece.contribution)) + (piece.unknown ? "?|" : "|");
  }
  EXPECT_LE(place, text.size());
  for (const UnitContribution& unit : units) sum -= unit.contribution;
  EXPECT_EQ(sum, 0);
  return shown;
}

UnitContribution unit(std::size_t begin, std::size_t end, double contribution,
                      bool unknown = false) {
  return {.begin = begin, .end = end, .unknown = unknown, .contribution = contribution};
}

TEST(ExplainedPieces, AreTheUnitsWhereTheseAreWholeCharacters) {
  EXPECT_EQ(pieces("ab c", {unit(0, 2, 1), unit(3, 4, 2, true)}), "ab 1|c 2?|");
  EXPECT_EQ(pieces("", {unit(0, 0, 3)}), " 3|");
  EXPECT_EQ(pieces("  ", {unit(0, 0, 3)}), " 3|");
  EXPECT_EQ(pieces("x", {}), "");
}

TEST(ExplainedPieces, JoinTheBytesOfACharacter) {
  EXPECT_EQ(pieces("aéb", {unit(0, 1, 1), unit(1, 2, 2), unit(2, 3, 4, true), unit(3, 4, 8)}),
            "a 1|é 6?|b 8|");
  // Bytes between were not read.
  EXPECT_EQ(pieces("é€ü", {unit(0, 1, 1), unit(4, 5, 2), unit(6, 7, 4)}), "é 1|€ 2|ü 4|");
  EXPECT_EQ(pieces("€", {unit(0, 1, 1), unit(2, 3, 2)}), "€ 3|");
  EXPECT_EQ(pieces("a\x80\xFF", {unit(0, 1, 1), unit(1, 2, 2), unit(2, 3, 4)}),
            "a 1|\x80 2|\xFF 4|");
}

TEST(ExplainedPieces, GiveUnitsWithoutAPlaceToThatOfTheirCharacter) {
  // The bytes of a character in SentencePiece: the last has its place.
  EXPECT_EQ(pieces("a éb", {unit(0, 1, 1), unit(2, 2, 2), unit(2, 4, 4), unit(4, 5, 8)}),
            "a 1|é 6|b 8|");
  EXPECT_EQ(pieces("ab", {unit(0, 0, 1), unit(1, 2, 2), unit(2, 2, 4)}), "b 7|");
  // Several units that a form makes of one character, and characters that it joins.
  EXPECT_EQ(pieces("½x", {unit(0, 2, 1), unit(0, 2, 2), unit(0, 2, 4), unit(2, 3, 8)}), "½ 7|x 8|");
  EXPECT_EQ(pieces("abcd", {unit(0, 2, 1), unit(1, 3, 2), unit(3, 4, 4)}), "ab 1|c 2|d 4|");
}

}  // namespace
}  // namespace rnn::test
