// A walk over a SentencePiece model file before its library sees it, because the library takes what
// a damaged file says for granted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rnn {

/// What the file says, as far as we need it. The numbers are those of sentencepiece_model.proto.
struct SentencePieceModel {
  enum Type : std::uint64_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };
  struct Piece {
    std::string text{};
    float score = 0;
    std::uint64_t type = kNormal;
  };
  std::vector<Piece> pieces{};
  std::uint64_t kind = 1;  ///< 1 unigram, 2 bpe, 3 word, 4 char
  bool byte_fallback = false;
  bool has_character_map = false;  ///< normalizes text
  bool add_dummy_prefix = true;
  bool remove_extra_white_space = true;
  bool escape_white_space = true;
  bool has_denormalizer = false;
  std::int64_t unknown_id = 0, begin_id = 1, end_id = 2, pad_id = -1;
};

/// Throws FormatError "name: ..." unless every length stays inside the file and every number that
/// the library follows stays inside its table.
SentencePieceModel read_sentencepiece_model(std::string_view bytes, std::string_view name);

}  // namespace rnn
