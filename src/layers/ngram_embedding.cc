#include "rnn/ngram_embedding.h"

#include <array>

#include "layers/option_fields.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kY, kPart };

constexpr std::size_t kLongest = 5;  // symbols of an n-gram

/// Memory of the call for one number a step. Buffer n-1 has those of the n-grams.
View<std::int32_t> numbers(CallMemory& memory, Index n, const Shape& shape) {
  const std::span<std::byte> bytes =
      memory.bytes(static_cast<std::size_t>(n - 1),
                   static_cast<std::size_t>(shape.size()) * sizeof(std::int32_t));
  return {reinterpret_cast<std::int32_t*>(bytes.data()), shape};
}

}  // namespace

Index NgramEmbedding::bucket(std::span<const std::int32_t> ids, Index buckets) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (std::int32_t id : ids) {
    hash = (hash ^ (static_cast<std::uint64_t>(id) + 1)) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 32;
  }
  return static_cast<Index>((hash >> 32) * static_cast<std::uint64_t>(buckets) >> 32);
}

void NgramEmbeddingOptions::exchange(Fields& fields) {
  fields("input_dim", input_dim);
  fields("output_dim", output_dim);
  fields("ngrams", ngrams);
  fields("buckets", buckets);
  fields("word_dropout", word_dropout);
  exchange_initializer(fields, "initializer", initializer);
}

NgramEmbedding::NgramEmbedding(const NgramEmbeddingOptions& options) : options_(options) {
  require_size(type(), "input_dim", options.input_dim);
  require_size(type(), "output_dim", options.output_dim);
  require_size(type(), "buckets", options.buckets);
  require(options.ngrams >= 1 && options.ngrams <= static_cast<Index>(kLongest),
          "NgramEmbedding ngrams", "1 to 5", options.ngrams);
  require(options.word_dropout >= 0 && options.word_dropout < 1, "NgramEmbedding word_dropout",
          "at least 0 and below 1", options.word_dropout);
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
  std::vector<ParameterSpec> specs{
      {"embeddings", {options_.input_dim, options_.output_dim}, options_.initializer}};
  if (options_.ngrams > 1) {
    specs.push_back({"ngrams", {options_.buckets, options_.output_dim}, options_.initializer});
  }
  return specs;
}

View<const std::int32_t> NgramEmbedding::symbols(const Sequence& x, Call& call) const {
  const View<std::int32_t> kept = numbers(*call.memory, 1, {x.time(), x.batch()});
  const float rate = call.training ? options_.word_dropout : 0;
  for (Index b = 0; b < x.batch(); ++b) {
    const Index length = length_of(x.lengths, b, x.time());
    const std::uint32_t example = x.examples.empty() ? static_cast<std::uint32_t>(b)
                                                     : x.examples[static_cast<std::size_t>(b)];
    for (Index t = 0; t < x.time(); ++t) {
      std::int32_t id = t < length ? x.ids(t, b) : -1;
      if (id >= options_.input_dim) {
        throw ShapeError("NgramEmbedding: symbol " + std::to_string(id) +
                         " is not below input_dim " + std::to_string(options_.input_dim));
      }
      if (rate > 0 && id >= 0 &&
          Random::to_uniform(call.random.block(example, static_cast<std::uint32_t>(t))[0]) < rate) {
        id = -1;
      }
      kept(t, b) = std::max(id, -1);
    }
  }
  return kept;
}

View<const std::int32_t> NgramEmbedding::buckets(View<const std::int32_t> symbols, Index n,
                                                 Call& call) const {
  const View<std::int32_t> found = numbers(*call.memory, n, symbols.shape());
  std::array<std::int32_t, kLongest> ids{};
  for (Index t = 0; t < symbols.extent(0); ++t) {
    for (Index b = 0; b < symbols.extent(1); ++b) {
      bool whole = t + 1 >= n;
      for (Index k = 0; whole && k < n; ++k) {
        const std::int32_t id = symbols(t + 1 - n + k, b);
        ids[static_cast<std::size_t>(k)] = id;
        whole = id >= 0;
      }
      const std::span<const std::int32_t> ngram(ids.data(), static_cast<std::size_t>(n));
      found(t, b) = whole ? static_cast<std::int32_t>(bucket(ngram, options_.buckets)) : -1;
    }
  }
  return found;
}

Sequence NgramEmbedding::forward(const Sequence& x, Call& call) const {
  const Shape shape{x.time(), x.batch(), options_.output_dim};
  const View<float> y = call.memory->floats(kY, shape);
  const View<const std::int32_t> kept = symbols(x, call);
  call.backend->embedding_forward(
      {.ids = kept, .lengths = x.lengths, .table = call.parameters[0], .y = y});
  for (Index n = 2; n <= options_.ngrams; ++n) {
    const View<float> part = call.memory->floats(kPart, shape);
    call.backend->embedding_forward({.ids = buckets(kept, n, call),
                                     .lengths = x.lengths,
                                     .table = call.parameters[1],
                                     .y = part});
    call.backend->merge_forward(
        {.merge = Merge::kSum, .a = y, .b = part, .lengths = x.lengths, .y = y});
  }
  return {.values = y, .lengths = x.lengths, .examples = x.examples};
}

View<const float> NgramEmbedding::backward(const Sequence& x, View<const float> dy,
                                           Call& call) const {
  for (Index n = 1; n <= options_.ngrams; ++n) {
    const View<float> dtable = call.gradients[n == 1 ? 0 : 1];
    if (!dtable) continue;
    call.backend->embedding_backward({.ids = numbers(*call.memory, n, {x.time(), x.batch()}),
                                      .lengths = x.lengths,
                                      .dy = dy,
                                      .dtable = dtable});
  }
  return {};
}

}  // namespace rnn
