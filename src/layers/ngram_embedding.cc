#include "rnn/ngram_embedding.h"

#include <algorithm>
#include <array>

#include "layers/ngram_hash.h"
#include "layers/option_fields.h"
#include "layers/word_walk.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kY, kPart, kScales };

// Buffers of a call: n-1 has the rows of n-grams, and then there are:
constexpr std::size_t kSymbols = kLongestNgram, kFirsts = kLongestNgram + 1;

/// Memory of the call for one number a step.
View<std::int32_t> numbers(CallMemory& memory, std::size_t buffer, const Shape& shape) {
  const std::span<std::byte> bytes =
      memory.bytes(buffer, static_cast<std::size_t>(shape.size()) * sizeof(std::int32_t));
  return {reinterpret_cast<std::int32_t*>(bytes.data()), shape};
}

std::size_t buffer_of(Index n) { return static_cast<std::size_t>(n - 1); }

/// -1 in place of each row that its text has had before.
void keep_firsts(View<std::int32_t> rows, CallMemory& memory) {
  const Index time = rows.extent(0);
  const std::span<std::byte> bytes =
      memory.bytes(kFirsts, static_cast<std::size_t>(time) * sizeof(std::uint64_t));
  auto* const places = reinterpret_cast<std::uint64_t*>(bytes.data());
  const auto row_of = [](std::uint64_t place) { return place >> 32; };
  for (Index b = 0; b < rows.extent(1); ++b) {
    Index count = 0;
    for (Index t = 0; t < time; ++t) {
      if (rows(t, b) < 0) continue;
      places[count++] =
          static_cast<std::uint64_t>(rows(t, b)) << 32 | static_cast<std::uint64_t>(t);
    }
    std::sort(places, places + count);
    for (Index i = 1; i < count; ++i) {
      if (row_of(places[i]) == row_of(places[i - 1])) {
        rows(static_cast<Index>(places[i] & 0xffffffffu), b) = -1;
      }
    }
  }
}

}  // namespace

std::uint64_t NgramEmbedding::hash(std::span<const std::int32_t> ids) {
  std::uint64_t hash = kNoIdsHashed;
  for (std::int32_t id : ids) hash = hash_with(hash, id);
  return hash;
}

Index NgramEmbedding::bucket_of(std::uint64_t hash, Index buckets) {
  return static_cast<Index>((hash >> 32) * static_cast<std::uint64_t>(buckets) >> 32);
}

void NgramEmbeddingOptions::exchange(Fields& fields) {
  fields("input_dim", input_dim);
  fields("output_dim", output_dim);
  fields("ngrams", ngrams);
  fields("buckets", buckets);
  fields("word_dropout", word_dropout);
  fields("text_dropout", text_dropout);
  fields("distinct", distinct);
  fields("scaled", scaled);
  fields("keyed", keyed);
  fields("of_words", of_words);
  exchange_initializer(fields, "initializer", initializer);
}

NgramEmbedding::NgramEmbedding(const NgramEmbeddingOptions& options) : options_(options) {
  require_size(type(), "input_dim", options.input_dim);
  require_size(type(), "output_dim", options.output_dim);
  require_size(type(), "buckets", options.buckets);
  require(options.ngrams >= 1 && options.ngrams <= static_cast<Index>(kLongestNgram),
          "NgramEmbedding ngrams", "1 to 8", options.ngrams);
  require(options.word_dropout >= 0 && options.word_dropout < 1, "NgramEmbedding word_dropout",
          "at least 0 and below 1", options.word_dropout);
  require(options.text_dropout >= 0 && options.text_dropout < 1, "NgramEmbedding text_dropout",
          "at least 0 and below 1", options.text_dropout);
}

void NgramEmbedding::describe(Fields& fields) const { show(options_, fields); }

std::optional<Signal> NgramEmbedding::input() const { return Signal::symbols(options_.input_dim); }

Signal NgramEmbedding::output(const Signal& input) const {
  if (input != Signal::symbols(options_.input_dim)) {
    throw ConfigError("NgramEmbedding: expected " +
                      Signal::symbols(options_.input_dim).to_string() + ", got " +
                      input.to_string());
  }
  return Signal::vectors(options_.output_dim);
}

std::vector<ParameterSpec> NgramEmbedding::parameters(const Signal&) const {
  const Shape symbols{options_.input_dim, options_.output_dim};
  const Shape ngrams{options_.buckets, options_.output_dim};
  const bool with_symbols = !options_.of_words, with_ngrams = hashed(options_.ngrams);
  const auto still = [](const char* name, const Shape& shape, float value) -> ParameterSpec {
    return {.name = name,
            .shape = shape,
            .initializer = Initializer::constant(value),
            .trainable = false};
  };
  std::vector<ParameterSpec> specs;
  if (with_symbols) specs.push_back({"embeddings", symbols, options_.initializer});
  if (with_ngrams) specs.push_back({"ngrams", ngrams, options_.initializer});
  if (options_.scaled && with_symbols) specs.push_back(still("embedding_scales", symbols, 1));
  if (options_.scaled && with_ngrams) specs.push_back(still("ngram_scales", ngrams, 1));
  if (options_.keyed && with_ngrams) specs.push_back(still("ngram_keys", {options_.buckets, 1}, 0));
  if (options_.of_words) specs.push_back(still("word_symbols", {options_.input_dim, 1}, kNoWord));
  return specs;
}

View<const std::int32_t> NgramEmbedding::symbols(const Sequence& x, Call& call) const {
  const View<std::int32_t> kept = numbers(*call.memory, kSymbols, {x.time(), x.batch()});
  const float word_rate = call.training ? options_.word_dropout : 0;
  const float text_rate = call.training ? options_.text_dropout : 0;
  for (Index b = 0; b < x.batch(); ++b) {
    const Index length = length_of(x.lengths, b, x.time());
    const std::uint32_t example = x.examples.empty() ? static_cast<std::uint32_t>(b)
                                                     : x.examples[static_cast<std::size_t>(b)];
    const auto left_out = [&](float rate, std::uint32_t what) {
      return rate > 0 && Random::to_uniform(call.random.block(example, what)[0]) < rate;
    };
    const bool no_text = left_out(text_rate, 0xffffffffu);  // which is no step
    for (Index t = 0; t < x.time(); ++t) {
      const std::int32_t id = t < length ? x.ids(t, b) : -1;
      if (id >= options_.input_dim) {
        throw ShapeError("NgramEmbedding: symbol " + std::to_string(id) +
                         " is not below input_dim " + std::to_string(options_.input_dim));
      }
      const bool read = id >= 0 && !no_text && !left_out(word_rate, static_cast<std::uint32_t>(t));
      kept(t, b) = read ? id : -1;
    }
  }
  return kept;
}

std::int32_t NgramEmbedding::row_of(std::uint64_t hash, const Call& call) const {
  const Index row = bucket_of(hash, options_.buckets);
  const bool others = options_.keyed && call.parameters[keys()](row, 0) != key_of(hash);
  return others ? -1 : static_cast<std::int32_t>(row);
}

void NgramEmbedding::find_ngrams(View<const std::int32_t> symbols, Index n, Call& call,
                                 View<std::int32_t> found) const {
  std::array<std::int32_t, kLongestNgram> ids{};
  const std::span<const std::int32_t> ngram(ids.data(), static_cast<std::size_t>(n));
  for (Index t = 0; t < symbols.extent(0); ++t) {
    for (Index b = 0; b < symbols.extent(1); ++b) {
      bool whole = t + 1 >= n;
      for (Index k = 0; whole && k < n; ++k) {
        const std::int32_t id = symbols(t + 1 - n + k, b);
        ids[static_cast<std::size_t>(k)] = id;
        whole = id >= 0;
      }
      found(t, b) = !whole ? -1 : n == 1 ? ids[0] : row_of(hash(ngram), call);
    }
  }
}

void NgramEmbedding::find_words(View<const std::int32_t> symbols, const Sequence& x, Index n,
                                Call& call, View<std::int32_t> found) const {
  const View<const float> kinds = call.parameters[word_symbols()];
  std::fill(found.begin(), found.end(), -1);
  for (Index b = 0; b < symbols.extent(1); ++b) {
    each_word_ngram(
        length_of(x.lengths, b, x.time()), n, [&](Index t) { return symbols(t, b); },
        [&](std::int32_t id) { return kinds(id, 0); },
        [&](Index, Index last, std::uint64_t hash) { found(last, b) = row_of(hash, call); });
  }
}

View<const std::int32_t> NgramEmbedding::rows(View<const std::int32_t> symbols, const Sequence& x,
                                              Index n, Call& call) const {
  const View<std::int32_t> found = numbers(*call.memory, buffer_of(n), symbols.shape());
  if (options_.of_words) {
    find_words(symbols, x, n, call, found);
  } else {
    find_ngrams(symbols, n, call, found);
  }
  if (options_.distinct) keep_firsts(found, *call.memory);
  return found;
}

View<const float> NgramEmbedding::scales(View<const std::int32_t> rows, const Sequence& x, Index n,
                                         Call& call) const {
  const View<float> factors =
      call.memory->floats(kScales, {x.time(), x.batch(), options_.output_dim});
  call.backend->embedding_forward(
      {.ids = rows, .lengths = x.lengths, .table = call.parameters[scales_of(n)], .y = factors});
  return factors;
}

Sequence NgramEmbedding::forward(const Sequence& x, Call& call) const {
  const Shape shape{x.time(), x.batch(), options_.output_dim};
  const View<float> y = call.memory->floats(kY, shape);
  Sequence result{.values = y, .lengths = x.lengths, .examples = x.examples};
  const View<const std::int32_t> read = symbols(x, call);
  for (Index n = 1; n <= options_.ngrams; ++n) {
    const View<float> part = n == 1 ? y : call.memory->floats(kPart, shape);
    const View<const std::int32_t> found = rows(read, x, n, call);
    call.backend->embedding_forward(
        {.ids = found, .lengths = x.lengths, .table = call.parameters[table_of(n)], .y = part});
    if (options_.scaled) {
      call.backend->merge_forward({.merge = Merge::kMul,
                                   .a = part,
                                   .b = scales(found, x, n, call),
                                   .lengths = x.lengths,
                                   .y = part});
    } else if (options_.ngrams == 1 && !options_.of_words && !call.training) {
      result.look_up = {found, call.parameters[table_of(n)], y.data()};
    }
    if (n == 1) continue;
    call.backend->merge_forward(
        {.merge = Merge::kSum, .a = y, .b = part, .lengths = x.lengths, .y = y});
  }
  return result;
}

View<const float> NgramEmbedding::backward(const Sequence& x, View<const float> dy,
                                           Call& call) const {
  for (Index n = 1; n <= options_.ngrams; ++n) {
    const View<float> dtable = call.gradients[table_of(n)];
    if (!dtable) continue;
    const View<const std::int32_t> found =
        numbers(*call.memory, buffer_of(n), {x.time(), x.batch()});
    View<const float> drows = dy;
    if (options_.scaled) {
      const View<float> part = call.memory->floats(kPart, dy.shape());
      call.backend->merge_forward({.merge = Merge::kMul,
                                   .a = dy,
                                   .b = scales(found, x, n, call),
                                   .lengths = x.lengths,
                                   .y = part});
      drows = part;
    }
    call.backend->embedding_backward(
        {.ids = found, .lengths = x.lengths, .dy = drows, .dtable = dtable});
  }
  return {};
}

}  // namespace rnn
