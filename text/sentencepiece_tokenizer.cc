// The only door to the SentencePiece library.
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <cmath>
#include <mutex>
#include <unordered_map>

#include "base/number.h"
#include "rnn/error.h"
#include "rnn/text/sentencepiece.h"
#include "text/corpus_scan.h"
#include "text/sentencepiece_model.h"
#include "text/utf8.h"

namespace rnn {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";
using Status = sentencepiece::util::Status;
using Arguments = std::unordered_map<std::string, std::string>;

/// The library writes to stderr below a level that it has only an option of the trainer for. It is
/// read before the trainer finds that there is nothing to train on.
void silence() {
  static std::once_flag once;
  std::call_once(once, [] {
    sentencepiece::SentencePieceTrainer::Train(Arguments{{"minloglevel", "4"}}).IgnoreError();
  });
}

void check(const Status& status, const std::string& what) {
  if (!status.ok()) throw TextError(what + ": " + status.error_message());
}

}  // namespace

struct SentencePieceTokenizer::Impl {
  std::string bytes;
  SentencePieceModel model;
  sentencepiece::SentencePieceProcessor processor{};
  std::shared_ptr<const Vocabulary> vocabulary{};
  bool lossless = false;
  std::int32_t space_mark[3] = {};  // the bytes of U+2581, when lossless

  /// Calls each(piece id, begin, end) for a stretch of the line.
  template <class Each>
  void pieces(std::string_view text, std::size_t offset,
              const sentencepiece::ImmutableSentencePieceText& encoded, Each each) const {
    const std::size_t count = encoded.pieces_size();
    for (std::size_t i = 0; i < count; ++i) {
      const auto piece = encoded.pieces(static_cast<int>(i));
      each(static_cast<std::int32_t>(piece.id()), offset + piece.begin(),
           offset + std::min<std::size_t>(piece.end(), text.size()));
    }
  }
  /// Calls text(begin, end) for the stretches of the line between marks and mark(begin) for each
  /// U+2581, which the library would give back as a space.
  template <class Text, class Mark>
  void stretches(std::string_view line, Text text, Mark mark) const {
    std::size_t begin = 0;
    while (lossless) {
      const std::size_t found = line.find(kSpaceMark, begin);
      if (found == std::string_view::npos) break;
      if (found > begin) text(begin, found);
      mark(found);
      begin = found + kSpaceMark.size();
    }
    if (begin < line.size()) text(begin, line.size());
  }
  Token token(std::string_view line, std::int32_t id, std::size_t begin, std::size_t end) const {
    const std::string_view source = line.substr(begin, end - begin);
    if (id == model.unknown_id) return {source, begin, end};
    return {vocabulary->symbol(id), begin, end};
  }
  void add_mark(std::size_t begin, std::vector<Token>& tokens) const {
    const std::size_t end = begin + kSpaceMark.size();
    // As the library does it: the last byte has the place of all three.
    tokens.push_back({vocabulary->symbol(space_mark[0]), begin, begin});
    tokens.push_back({vocabulary->symbol(space_mark[1]), begin, begin});
    tokens.push_back({vocabulary->symbol(space_mark[2]), begin, end});
  }
};

namespace {

/// The symbols by piece id. The special ones get the names that the toolkit knows them by.
std::shared_ptr<const Vocabulary> vocabulary_of(const SentencePieceModel& model,
                                                const std::string& name) {
  std::vector<VocabularyEntry> entries;
  for (const SentencePieceModel::Piece& piece : model.pieces) entries.push_back({piece.text});
  entries[static_cast<std::size_t>(model.unknown_id)].symbol = kUnknownSymbol;
  const auto end = static_cast<std::size_t>(model.end_id);
  if (end < entries.size() && model.pieces[end].type == SentencePieceModel::kControl) {
    entries[end].symbol = kEndSymbol;
  } else {
    entries.push_back({std::string(kEndSymbol)});
  }
  try {
    return std::make_shared<const Vocabulary>(entries);
  } catch (const TextError& error) {
    throw FormatError(name + ": " + error.what());
  }
}

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(std::string model, const std::string& name)
    : Tokenizer({.unit = "sentencepiece", .model = name}) {
  SentencePieceModel read = read_sentencepiece_model(model, name);
  impl_.reset(new Impl{std::move(model), std::move(read)});
  silence();
  const Status status = impl_->processor.LoadFromSerializedProto(impl_->bytes);
  if (!status.ok()) {
    throw FormatError(name + ": not a sound SentencePiece model: " + status.error_message());
  }
  const SentencePieceModel& made = impl_->model;
  impl_->vocabulary = vocabulary_of(made, name);
  impl_->lossless = made.byte_fallback && !made.has_character_map && !made.add_dummy_prefix &&
                    !made.remove_extra_white_space && made.escape_white_space &&
                    !made.has_denormalizer;
  if (impl_->lossless) {
    const char* const bytes[] = {"<0xE2>", "<0x96>", "<0x81>"};
    for (int i = 0; i < 3; ++i) {
      impl_->space_mark[i] = impl_->processor.PieceToId(bytes[i]);
    }
  }
}

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

bool SentencePieceTokenizer::lossless() const { return impl_->lossless; }
std::string_view SentencePieceTokenizer::model() const { return impl_->bytes; }
std::shared_ptr<const Vocabulary> SentencePieceTokenizer::vocabulary() const {
  return impl_->vocabulary;
}

void SentencePieceTokenizer::tokenize(std::string_view line, std::vector<Token>& tokens) const {
  tokens.clear();
  impl_->stretches(
      line,
      [&](std::size_t begin, std::size_t end) {
        const std::string_view text = line.substr(begin, end - begin);
        sentencepiece::ImmutableSentencePieceText encoded;
        check(impl_->processor.Encode(text, encoded.mutable_proto()),
              "SentencePiece cannot encode");
        impl_->pieces(text, begin, encoded, [&](std::int32_t id, std::size_t from, std::size_t to) {
          tokens.push_back(impl_->token(line, id, from, to));
        });
      },
      [&](std::size_t begin) { impl_->add_mark(begin, tokens); });
}

std::int64_t SentencePieceTokenizer::encode(std::string_view line, const Vocabulary& vocabulary,
                                            std::vector<std::int32_t>& ids) const {
  std::int64_t unknown = 0;
  // With its own vocabulary, which is the rule, an id is a piece: the look-up would cost 10 %.
  const bool own = vocabulary.fingerprint() == impl_->vocabulary->fingerprint();
  const auto add = [&](std::int32_t piece) {
    if (own) {
      ids.push_back(piece);
    } else if (piece == impl_->model.unknown_id) {
      ids.push_back(vocabulary.unknown_id());
    } else {
      ids.push_back(vocabulary.text_id(impl_->vocabulary->symbol(piece)));
    }
    unknown += ids.back() == vocabulary.unknown_id();
  };
  std::vector<int> pieces;
  impl_->stretches(
      line,
      [&](std::size_t begin, std::size_t end) {
        check(impl_->processor.Encode(line.substr(begin, end - begin), &pieces),
              "SentencePiece cannot encode");
        for (const int piece : pieces) add(piece);
      },
      [&](std::size_t) {
        for (const std::int32_t piece : impl_->space_mark) add(piece);
      });
  return unknown;
}

std::string SentencePieceTokenizer::detokenize(std::span<const std::string_view> tokens) const {
  std::string text;
  check(impl_->processor.Decode(std::vector<std::string_view>(tokens.begin(), tokens.end()), &text),
        "SentencePiece cannot decode");
  return text;
}

void SentencePieceTokenizer::sample(std::string_view line, int n_best, double alpha,
                                    const Random& random, std::vector<Token>& tokens) const {
  if (impl_->model.kind != 1) {
    throw ConfigError("sampling segmentations needs a unigram model; " + options().model +
                      " is of another kind");
  }
  if (n_best < 1 || n_best > 1000) {
    throw ConfigError("option `n_best`: expected 1 to 1000, given " + std::to_string(n_best));
  }
  if (!(alpha >= 0) || !std::isfinite(alpha)) {
    throw ConfigError("option `alpha`: expected 0 or more, given " + to_text(alpha));
  }
  tokens.clear();
  std::uint64_t stretch = 0;
  impl_->stretches(
      line,
      [&](std::size_t begin, std::size_t end) {
        const std::string_view text = line.substr(begin, end - begin);
        sentencepiece::ImmutableNBestSentencePieceText best;
        check(impl_->processor.NBestEncode(text, n_best, best.mutable_proto()),
              "SentencePiece cannot encode");
        const std::size_t count = best.nbests_size();
        std::vector<double> upTo(count);
        double sum = 0;
        for (std::size_t i = 0; i < count; ++i) {
          const double lead = static_cast<double>(best.nbests(static_cast<int>(i)).score()) -
                              static_cast<double>(best.nbests(0).score());
          upTo[i] = sum += std::exp(alpha * lead);
        }
        const Random::Block draw = random.block(static_cast<std::uint32_t>(stretch++));
        const double point = Random::to_uniform(draw[0], draw[1]) * sum;
        std::size_t chosen = 0;
        while (chosen + 1 < count && upTo[chosen] <= point) ++chosen;
        impl_->pieces(text, begin, best.nbests(static_cast<int>(chosen)),
                      [&](std::int32_t id, std::size_t from, std::size_t to) {
                        tokens.push_back(impl_->token(line, id, from, to));
                      });
      },
      [&](std::size_t begin) { impl_->add_mark(begin, tokens); });
}

namespace {

class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  bool done() const override { return at_ == lines_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return lines_[at_]; }
  Status status() const override { return {}; }

 private:
  std::vector<std::string> lines_;
  std::size_t at_ = 0;
};

// SentencePiece leaves out, without a word, lines that are longer than its limit or that contain
// the character it writes for unknown ones. So neither comes to it.
constexpr std::size_t kLongestSentence = 100000;
constexpr std::string_view kReserved = "\u2585";

/// The end of the part of a line that starts at `begin`.
std::size_t end_of_part(std::string_view line, std::size_t begin) {
  std::size_t end = std::min(line.find(kReserved, begin), line.size());
  if (end - begin <= kLongestSentence) return end;
  end = line.rfind(' ', begin + kLongestSentence);
  if (end != std::string_view::npos && end > begin) return end;
  end = begin + kLongestSentence;
  while (end > begin + 1 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
  return end;
}

void add_parts(std::string_view line, std::vector<std::string>& parts) {
  for (std::size_t begin = 0; begin < line.size();) {
    if (line.substr(begin).starts_with(kReserved)) {
      begin += kReserved.size();
      continue;
    }
    const std::size_t end = end_of_part(line, begin);
    parts.emplace_back(line.substr(begin, end - begin));
    begin = end;
  }
}

/// All lines that are not empty, or a uniform draw of them (Vitter 1985, algorithm R).
std::vector<std::string> draw_lines(std::span<const std::string> paths,
                                    const SentencePieceOptions& options,
                                    const CorpusOptions& corpus) {
  std::vector<std::string> lines;
  const auto limit = static_cast<std::uint64_t>(options.maximum_lines);
  const Random random(static_cast<std::uint64_t>(options.seed));
  std::uint64_t seen = 0;
  const auto collect = [&](LineCursor& cursor, std::vector<std::string>& part) {
    part.clear();
    std::string memory;
    while (cursor.next()) {
      add_parts(prepared(cursor.line(), corpus, memory), part);
    }
  };
  const auto take = [&](std::vector<std::string>& part) {
    for (std::string& line : part) {
      const std::uint64_t number = seen++;
      if (limit == 0 || number < limit) {
        lines.push_back(std::move(line));
        continue;
      }
      const Random::Block draw = random.block(static_cast<std::uint32_t>(number),
                                              static_cast<std::uint32_t>(number >> 32));
      const double place = Random::to_uniform(draw[0], draw[1]) * static_cast<double>(number + 1);
      if (place < static_cast<double>(limit)) {
        lines[static_cast<std::size_t>(place)] = std::move(line);
      }
    }
  };
  scan_corpus<std::vector<std::string>>(
      paths, corpus, corpus.policy, collect, take, [](std::vector<std::string>&) {},
      [](std::vector<std::string>&) {});
  if (lines.empty()) throw_empty_corpus(paths, 0);
  return lines;
}

}  // namespace

void SentencePieceOptions::exchange(Fields& fields) {
  fields("vocabulary_size", vocabulary_size);
  fields("model_type", model_type);
  fields("character_coverage", character_coverage);
  fields("maximum_lines", maximum_lines);
  fields("seed", seed);
}

std::string train_sentencepiece(std::span<const std::string> paths,
                                const SentencePieceOptions& options, const CorpusOptions& corpus) {
  if (options.model_type != "unigram" && options.model_type != "bpe") {
    throw ConfigError("option `model_type`: expected \"unigram\" or \"bpe\", given \"" +
                      options.model_type + "\"");
  }
  if (options.vocabulary_size < 300 || options.vocabulary_size > 1000000) {
    throw ConfigError(
        "option `vocabulary_size`: expected 300 to 1000000, because 256 bytes are among the "
        "pieces; "
        "given " +
        std::to_string(options.vocabulary_size));
  }
  if (!(options.character_coverage > 0 && options.character_coverage <= 1)) {
    throw ConfigError("option `character_coverage`: expected more than 0 and at most 1, given " +
                      to_text(options.character_coverage));
  }
  if (options.maximum_lines < 0) {
    throw ConfigError("option `maximum_lines`: expected 0 (all) or more, given " +
                      std::to_string(options.maximum_lines));
  }
  silence();
  Sentences sentences(draw_lines(paths, options, corpus));
  std::string model;
  const Status status = sentencepiece::SentencePieceTrainer::Train(
      Arguments{{"model_type", options.model_type},
                {"vocab_size", std::to_string(options.vocabulary_size)},
                {"character_coverage", to_text(options.character_coverage)},
                {"normalization_rule_name", "identity"},
                {"add_dummy_prefix", "false"},
                {"remove_extra_whitespaces", "false"},
                {"byte_fallback", "true"},
                {"unk_id", "0"},
                {"eos_id", "1"},
                {"bos_id", "-1"},
                {"pad_id", "-1"},
                {"max_sentence_length", std::to_string(kLongestSentence)},
                {"shuffle_input_sentence", "false"},
                // Sums of the unigram model are made per thread: one gives the same everywhere.
                {"num_threads", "1"},
                {"minloglevel", "4"}},
      &sentences, &model);
  if (!status.ok()) {
    throw ConfigError("SentencePiece cannot learn " + std::to_string(options.vocabulary_size) +
                      " pieces from this text: " + status.error_message() +
                      "; choose another vocabulary size or give more text");
  }
  return model;
}

}  // namespace rnn
