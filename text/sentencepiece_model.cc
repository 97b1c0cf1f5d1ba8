#include "text/sentencepiece_model.h"

#include <cmath>
#include <cstring>

#include "rnn/error.h"
#include "rnn/text/symbol_table.h"
#include "text/escape.h"
#include "text/utf8.h"

namespace rnn {
namespace {

/// The wire format of protocol buffers: numbered fields one after another.
class Wire {
 public:
  Wire(std::string_view bytes, std::string_view name) : bytes_(bytes), name_(name) {}

  /// Goes to the next field; false at the end.
  bool next() {
    if (at_ == bytes_.size()) return false;
    const std::uint64_t key = varint();
    field = key >> 3;
    if (field == 0) fail("a field has the number 0");
    switch (key & 7) {
      case 0:
        number_ = varint();
        break;
      case 1:
        fixed(8);
        break;
      case 2: {
        const std::uint64_t size = varint();
        if (size > bytes_.size() - at_) fail("a field is longer than the file");
        value_ = bytes_.substr(at_, size);
        at_ += size;
        break;
      }
      case 5:
        fixed(4);
        break;
      default:
        fail("a field has the unknown type " + std::to_string(key & 7));
    }
    type_ = key & 7;
    return true;
  }

  /// The value of the field at hand, which must be of this type.
  std::uint64_t as_number() const { return expect(0), number_; }
  bool as_bool() const { return as_number() != 0; }
  std::int64_t as_int32() const { return static_cast<std::int32_t>(as_number()); }
  std::string_view as_bytes() const { return expect(2), value_; }
  float as_float() const {
    expect(5);
    float value;
    std::memcpy(&value, &number_, sizeof value);
    return value;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(std::string(name_) + ": not a sound SentencePiece model: " + what);
  }

  std::uint64_t field = 0;

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) fail("it is truncated");
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    fail("a number has no end");
  }
  void fixed(std::size_t size) {
    if (size > bytes_.size() - at_) fail("it is truncated");
    number_ = 0;
    std::memcpy(&number_, bytes_.data() + at_, size);
    at_ += size;
  }
  void expect(std::uint64_t wanted) const {
    if (type_ != wanted) fail("field " + std::to_string(field) + " is of another type");
  }

  std::string_view bytes_, name_;
  std::size_t at_ = 0;
  std::uint64_t type_ = 0, number_ = 0;
  std::string_view value_{};
};

/// The compiled rules of a normalizer: the size of a double-array trie in bytes, the trie, and the
/// texts its values point to, each ended by a NUL. A unit of the trie has its label in bits 0 to 7
/// and 31, an offset in bits 10 to 30 (in units of 256 when bit 9 is set), and bit 8 when a value
/// hangs from it; a value has bit 31 set.
void check_character_map(std::string_view map, const Wire& wire) {
  std::uint32_t size = 0;
  if (map.size() < sizeof size) wire.fail("its character map is truncated");
  std::memcpy(&size, map.data(), sizeof size);
  map.remove_prefix(sizeof size);
  if (size == 0 || size % 1024 != 0 || size >= map.size()) {
    wire.fail("the trie of its character map has " + std::to_string(size) + " bytes");
  }
  const std::string_view texts = map.substr(size);
  if (texts.back() != '\0') wire.fail("a text of its character map has no end");
  const std::uint32_t units = size / 4;
  const auto unit = [&](std::uint32_t i) {
    std::uint32_t value;
    std::memcpy(&value, map.data() + std::size_t{4} * i, sizeof value);
    return value;
  };
  for (std::uint32_t i = 0; i < units; ++i) {
    const std::uint32_t value = unit(i);
    if ((value >> 31) != 0) continue;  // checked where it is reached from
    const std::uint32_t child = i ^ ((value >> 10) << ((value & (1u << 9)) >> 6));
    if ((child | 0xFFu) >= units) wire.fail("the trie of its character map leads outside");
    if ((value >> 8 & 1u) != 0 && (unit(child) & 0x7FFFFFFFu) >= texts.size()) {
      wire.fail("a value of its character map leads outside");
    }
  }
}

void read_piece(Wire wire, SentencePieceModel& model) {
  SentencePieceModel::Piece piece;
  while (wire.next()) {
    if (wire.field == 1) piece.text = wire.as_bytes();
    if (wire.field == 2) piece.score = wire.as_float();
    if (wire.field == 3) piece.type = wire.as_number();
  }
  const std::string number = std::to_string(model.pieces.size());
  if (piece.text.empty() || find_invalid_utf8(piece.text) != std::string::npos ||
      piece.text.find('\0') != std::string::npos) {
    wire.fail("piece " + number + " is no text");
  }
  if (!std::isfinite(piece.score) || std::abs(piece.score) > 1e9f) {
    wire.fail("piece " + number + " has no sensible score");
  }
  if (piece.type < SentencePieceModel::kNormal || piece.type > SentencePieceModel::kByte) {
    wire.fail("piece " + number + " has the unknown type " + std::to_string(piece.type));
  }
  model.pieces.push_back(std::move(piece));
}

void read_trainer(Wire wire, SentencePieceModel& model) {
  while (wire.next()) {
    if (wire.field == 3) model.kind = wire.as_number();
    if (wire.field == 35) model.byte_fallback = wire.as_bool();
    if (wire.field == 40) model.unknown_id = wire.as_int32();
    if (wire.field == 41) model.begin_id = wire.as_int32();
    if (wire.field == 42) model.end_id = wire.as_int32();
    if (wire.field == 43) model.pad_id = wire.as_int32();
  }
  if (model.kind < 1 || model.kind > 4) {
    wire.fail("it is of the unknown kind " + std::to_string(model.kind));
  }
}

void read_normalizer(Wire wire, SentencePieceModel& model) {
  while (wire.next()) {
    if (wire.field == 2 && !wire.as_bytes().empty()) {
      model.has_character_map = true;
      check_character_map(wire.as_bytes(), wire);
    }
    if (wire.field == 3) model.add_dummy_prefix = wire.as_bool();
    if (wire.field == 4) model.remove_extra_white_space = wire.as_bool();
    if (wire.field == 5) model.escape_white_space = wire.as_bool();
  }
}

void check_pieces(const SentencePieceModel& model, const Wire& wire) {
  SymbolTable seen;
  int unknown = 0, bytes = 0;
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    if (seen.insert(piece.text) + 1 != seen.size()) {
      wire.fail("the piece \"" + escape(piece.text) + "\" is there twice");
    }
    unknown += piece.type == SentencePieceModel::kUnknown;
    bytes += piece.type == SentencePieceModel::kByte;
  }
  if (unknown != 1) wire.fail("it has " + std::to_string(unknown) + " unknown pieces; expected 1");
  if (bytes != (model.byte_fallback ? 256 : 0)) {
    wire.fail("it has " + std::to_string(bytes) + " pieces for bytes");
  }
  const auto size = static_cast<std::int64_t>(model.pieces.size());
  for (const std::int64_t id : {model.begin_id, model.end_id, model.pad_id}) {
    if (id < -1) wire.fail("a special id is " + std::to_string(id));
  }
  if (model.unknown_id < 0 || model.unknown_id >= size ||
      model.pieces[static_cast<std::size_t>(model.unknown_id)].type !=
          SentencePieceModel::kUnknown) {
    wire.fail("the id of its unknown piece is " + std::to_string(model.unknown_id));
  }
}

}  // namespace

SentencePieceModel read_sentencepiece_model(std::string_view bytes, std::string_view name) {
  SentencePieceModel model;
  Wire wire(bytes, name);
  if (bytes.size() > std::size_t{1} << 30) wire.fail("it is larger than 1 GiB");
  while (wire.next()) {
    if (wire.field == 1) read_piece(Wire(wire.as_bytes(), name), model);
    if (wire.field == 2) read_trainer(Wire(wire.as_bytes(), name), model);
    if (wire.field == 3) read_normalizer(Wire(wire.as_bytes(), name), model);
    if (wire.field == 5) {
      SentencePieceModel denormalizer;
      read_normalizer(Wire(wire.as_bytes(), name), denormalizer);
      model.has_denormalizer = denormalizer.has_character_map;
    }
  }
  if (model.pieces.empty()) wire.fail("it has no pieces");
  check_pieces(model, wire);
  return model;
}

}  // namespace rnn
