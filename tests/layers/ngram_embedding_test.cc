#include "rnn/ngram_embedding.h"

#include <map>
#include <set>

#include "support/layer_contract.h"

namespace rnn {
namespace {

std::shared_ptr<const Layer> layer(NgramEmbeddingOptions options) {
  options.initializer = Initializer::normal(0.25f);
  return std::make_shared<NgramEmbedding>(options);
}

/// The formula of the header, written anew.
Index bucket_of(const std::vector<std::int32_t>& ids, std::uint64_t buckets) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (std::int32_t id : ids) {
    h = (h ^ static_cast<std::uint64_t>(id + 1)) * 0x9e3779b97f4a7c15u;
    h ^= h >> 32;
  }
  return static_cast<Index>((h >> 32) * buckets >> 32);
}

TEST(NgramEmbedding, KeepsTheContract) {
  for (Index ngrams : {1, 2, 3, 5}) {
    SCOPED_TRACE(ngrams);
    test::check_layer_contract(
        {.layer = layer({.input_dim = 7, .output_dim = 5, .ngrams = ngrams, .buckets = 11}),
         .input = Signal::symbols(7),
         .streams = ngrams == 1});
  }
  SCOPED_TRACE("one");
  test::check_layer_contract({.layer = layer({.input_dim = 1, .output_dim = 1, .buckets = 1}),
                              .input = Signal::symbols(1),
                              .streams = false});
  test::check_layer_contract(
      {.layer = layer(
           {.input_dim = 7, .output_dim = 5, .ngrams = 3, .buckets = 11, .word_dropout = 0.2f}),
       .input = Signal::symbols(7),
       .streams = false,
       .steady = false,
       .keeps = false});
}

TEST(NgramEmbedding, KeepsTheContractScaledAndDistinct) {
  for (Index ngrams : {1, 3}) {
    SCOPED_TRACE(ngrams);
    test::check_layer_contract({.layer = layer({.input_dim = 4,
                                                .output_dim = 5,
                                                .ngrams = ngrams,
                                                .buckets = 3,
                                                .distinct = true,
                                                .scaled = true}),
                                .input = Signal::symbols(4),
                                .streams = false});
  }
}

TEST(NgramEmbedding, ReadsEqualOnesOnceAndMultipliesThem) {
  test::for_each_backend([](const Backend& backend) {
    test::LayerBench bench(layer({.input_dim = 3,
                                  .output_dim = 2,
                                  .ngrams = 2,
                                  .buckets = 1000,
                                  .distinct = true,
                                  .scaled = true}),
                           Signal::symbols(3), backend, 1);
    for (std::size_t table : {2, 3}) {
      for (Index i = 0; i < bench.parameters[table].size(); ++i) {
        bench.parameters[table][i] = static_cast<float>(i % 7) - 3;
      }
    }
    test::LayerInput in = bench.input(5, 2);
    in.ids = {0, 2, 1, 2, 0, 2, 1, 0, 0, 2};  // [T,B]: 0 1 0 1 0 and 2 2 2 0 2
    const std::vector<std::vector<std::vector<std::int32_t>>> read{{{0}, {1}, {}, {}, {}},
                                                                   {{2}, {}, {}, {0}, {}}};
    const std::vector<std::vector<std::vector<std::int32_t>>> pairs{
        {{}, {0, 1}, {1, 0}, {}, {}}, {{}, {2, 2}, {}, {2, 0}, {0, 2}}};
    const test::LayerOutput out = bench.run(in, {});
    for (std::size_t b = 0; b < 2; ++b) {
      for (std::size_t t = 0; t < 5; ++t) {
        for (Index e = 0; e < 2; ++e) {
          float expected = 0;
          const auto add = [&](std::size_t table, Index row) {
            expected +=
                bench.parameters[table].view()(row, e) * bench.parameters[2 + table].view()(row, e);
          };
          if (read[b][t].size() == 1) add(0, read[b][t][0]);
          if (!pairs[b][t].empty()) add(1, bucket_of(pairs[b][t], 1000));
          EXPECT_FLOAT_EQ(out.y.view()(static_cast<Index>(t), static_cast<Index>(b), e), expected)
              << t << ' ' << b;
        }
      }
    }
  });
}

TEST(NgramEmbedding, KeyedReadsNoOtherNgramsRow) {
  test::for_each_backend([](const Backend& backend) {
    for (const bool scaled : {false, true}) {
      test::LayerBench bench(layer({.input_dim = 3,
                                    .output_dim = 1,
                                    .ngrams = 3,
                                    .buckets = 1,
                                    .scaled = scaled,
                                    .keyed = true}),
                             Signal::symbols(3), backend, 1);
      bench.parameters[0].fill(0);
      bench.parameters[1].fill(scaled ? 0.5f : 1);
      if (scaled) bench.parameters[3].fill(2);
      Tensor& keys = bench.parameters[scaled ? 4 : 2];
      keys.fill(0);
      test::LayerInput in = bench.input(4, 1);
      in.ids = {0, 1, 0, 1};
      for (Index t = 0; t < 4; ++t) EXPECT_EQ(bench.run(in, {}).y[t], 0) << "no row is anybody's";
      const std::int32_t pair[] = {0, 1};
      keys[0] = NgramEmbedding::key_of(NgramEmbedding::hash(pair));
      const test::LayerOutput out = bench.run(in, {});
      for (Index t = 0; t < 4; ++t) EXPECT_EQ(out.y[t], t == 1 || t == 3);
    }
  });
}

TEST(NgramEmbedding, KeepsTheContractOfWords) {
  for (const bool scaled : {false, true}) {
    SCOPED_TRACE(scaled);
    test::check_layer_contract({.layer = layer({.input_dim = 4,
                                                .output_dim = 3,
                                                .ngrams = 2,
                                                .buckets = 5,
                                                .distinct = scaled,
                                                .scaled = scaled,
                                                .of_words = true}),
                                .input = Signal::symbols(4),
                                .streams = false});
  }
}

// Here as above symbols 0 and 1 are letters, 2 is a space and 3 a mark, see LayerBench.
TEST(NgramEmbedding, OfWordsReadsWordsAndMarksWhereTheyEnd) {
  constexpr Index kBuckets = 5000;
  test::for_each_backend([](const Backend& backend) {
    test::LayerBench bench(
        layer(
            {.input_dim = 4, .output_dim = 2, .ngrams = 3, .buckets = kBuckets, .of_words = true}),
        Signal::symbols(4), backend, 1);
    test::LayerInput in = bench.input(9, 3);
    const std::vector<std::vector<std::int32_t>> texts{
        {2, 0, 1, 2, 2, 3, 1, 3, 0},   // " ab  .b.a"
        {0, 1, 1, 2, 1, -1, 1, 2, 0},  // "abb b?b a", a symbol left out
        {1, 2, 0, 3, 3, 2, 2, 2, 2}};  // "b a..", of which four symbols are read
    in.lengths = {9, 9, 4};
    for (std::size_t t = 0; t < 9; ++t) {
      for (std::size_t b = 0; b < 3; ++b) in.ids[t * 3 + b] = texts[b][t];
    }
    // By the step of the last symbol: the n-grams that end there.
    using Ngrams = std::vector<std::vector<std::int32_t>>;
    const std::vector<std::map<Index, Ngrams>> read{
        {{2, {{0, 1}}},
         {5, {{3}, {0, 1, -1, 3}}},
         {6, {{1}, {3, -1, 1}, {0, 1, -1, 3, -1, 1}}},
         {7, {{3}, {1, -1, 3}, {3, -1, 1, -1, 3}}},
         {8, {{0}, {3, -1, 0}, {1, -1, 3, -1, 0}}}},
        {{2, {{0, 1, 1}}}, {8, {{0}}}},
        {{0, {{1}}}, {2, {{0}, {1, -1, 0}}}, {3, {{3}, {0, -1, 3}, {1, -1, 0, -1, 3}}}}};
    const test::LayerOutput out = bench.run(in, {});
    for (Index b = 0; b < 3; ++b) {
      for (Index t = 0; t < in.lengths[static_cast<std::size_t>(b)]; ++t) {
        const auto found = read[static_cast<std::size_t>(b)].find(t);
        for (Index e = 0; e < 2; ++e) {
          float expected = 0;
          if (found != read[static_cast<std::size_t>(b)].end()) {
            for (const auto& ngram : found->second) {
              expected += bench.parameters[0].view()(bucket_of(ngram, kBuckets), e);
            }
          }
          EXPECT_FLOAT_EQ(out.y.view()(t, b, e), expected) << t << ' ' << b;
        }
      }
    }
  });
}

TEST(NgramEmbedding, OfWordsReadsSingleWordsByTheirKeysToo) {
  test::for_each_backend([](const Backend& backend) {
    test::LayerBench bench(layer({.input_dim = 4,
                                  .output_dim = 1,
                                  .ngrams = 1,
                                  .buckets = 1,
                                  .scaled = true,
                                  .keyed = true,
                                  .of_words = true}),
                           Signal::symbols(4), backend, 1);
    bench.parameters[0].fill(0.5f);
    bench.parameters[1].fill(4);
    test::LayerInput in = bench.input(3, 1);
    in.ids = {0, 1, 3};
    EXPECT_EQ(bench.run(in, {}).y[1], 0) << "the row is nobody's";
    const std::int32_t word[] = {0, 1};
    bench.parameters[2][0] = NgramEmbedding::key_of(NgramEmbedding::hash(word));
    const test::LayerOutput out = bench.run(in, {});
    EXPECT_EQ(out.y[0], 0);
    EXPECT_EQ(out.y[1], 2);
    EXPECT_EQ(out.y[2], 0) << "another word";
  });
}

TEST(NgramEmbedding, AddsTheRowsOfTheNgramsThatEndAtAStep) {
  test::for_each_backend([](const Backend& backend) {
    const test::LayerBench bench(
        layer({.input_dim = 6, .output_dim = 3, .ngrams = 3, .buckets = 40}), Signal::symbols(6),
        backend, 1);
    test::LayerInput in = bench.input(5, 2);
    in.ids = {2, 0, 5, 0, 2, -1, 1, 4, 5, 3};  // [T,B]
    const std::vector<std::vector<std::int32_t>> texts{{2, 5, 2, 1, 5}, {0, 0, -1, 4, 3}};
    const test::LayerOutput out = bench.run(in, {});
    for (Index b = 0; b < 2; ++b) {
      const auto& ids = texts[static_cast<std::size_t>(b)];
      for (Index t = 0; t < 5; ++t) {
        for (Index u = 0; u < 3; ++u) {
          float expected = 0;
          for (Index n = 1; n <= 3 && n <= t + 1; ++n) {
            const std::vector<std::int32_t> ngram(ids.begin() + t + 1 - n, ids.begin() + t + 1);
            if (std::find(ngram.begin(), ngram.end(), -1) != ngram.end()) continue;
            expected += n == 1 ? bench.parameters[0].view()(ngram[0], u)
                               : bench.parameters[1].view()(bucket_of(ngram, 40), u);
          }
          EXPECT_FLOAT_EQ(out.y.view()(t, b, u), expected) << t << ' ' << b;
        }
      }
    }
  });
}

TEST(NgramEmbedding, BucketsAreThoseThatModelsWereWrittenWith) {
  // Fixed once: a model file depends on them.
  EXPECT_EQ(bucket_of({0, 1}, 65536), 39981);
  EXPECT_EQ(bucket_of({1, 0}, 65536), 5677);
  EXPECT_EQ(bucket_of({7, 7, 7}, 1000), 700);
  std::set<Index> different;
  for (std::int32_t a = 0; a < 60; ++a) {
    for (std::int32_t b = 0; b < 60; ++b) different.insert(bucket_of({a, b}, 1 << 20));
  }
  for (std::int32_t a = 0; a < 60; ++a) {
    const std::int32_t ids[] = {a, 59 - a, 7};
    EXPECT_EQ(NgramEmbedding::bucket_of(NgramEmbedding::hash(ids), 12345),
              bucket_of({a, 59 - a, 7}, 12345));
  }
  EXPECT_GT(different.size(), 3580u);  // of 3600; as few collisions as by chance
}

TEST(NgramEmbedding, WordDropoutTakesAWordAndItsNgramsTogether) {
  test::for_each_backend([](const Backend& backend) {
    test::LayerBench bench(
        layer({.input_dim = 2, .output_dim = 1, .ngrams = 2, .buckets = 1, .word_dropout = 0.25f}),
        Signal::symbols(2), backend, 1);
    bench.parameters[0].fill(1);
    test::LayerInput in = bench.input(400, 5);
    bench.add_dy(in);
    const test::LayerOutput out = bench.run(in, {});
    int dropped = 0;
    for (Index b = 0; b < 5; ++b) {
      for (Index t = 0; t < 400; ++t) dropped += out.y.view()(t, b, 0) == 0;
    }
    EXPECT_NEAR(dropped, 500, 75);
  });
}

TEST(NgramEmbedding, TextDropoutTakesWholeTexts) {
  test::for_each_backend([](const Backend& backend) {
    test::LayerBench bench(
        layer({.input_dim = 2, .output_dim = 1, .ngrams = 1, .text_dropout = 0.25f}),
        Signal::symbols(2), backend, 1);
    bench.parameters[0].fill(1);
    test::LayerInput in = bench.input(3, 800);
    bench.add_dy(in);
    const test::LayerOutput out = bench.run(in, {});
    int dropped = 0;
    for (Index b = 0; b < 800; ++b) {
      const float first = out.y.view()(0, b, 0);
      dropped += first == 0;
      for (Index t = 1; t < 3; ++t) EXPECT_EQ(out.y.view()(t, b, 0), first);
    }
    EXPECT_NEAR(dropped, 200, 50);
  });
}

TEST(NgramEmbedding, RefusesBadOptionsAndInputs) {
  EXPECT_THROW(layer({.input_dim = 0, .output_dim = 1}), ConfigError);
  EXPECT_THROW(layer({.input_dim = 1, .output_dim = 0}), ConfigError);
  EXPECT_THROW(layer({.input_dim = 1, .output_dim = 1, .ngrams = 0}), ConfigError);
  EXPECT_THROW(layer({.input_dim = 1, .output_dim = 1, .ngrams = 9}), ConfigError);
  EXPECT_THROW(layer({.input_dim = 1, .output_dim = 1, .buckets = 0}), ConfigError);
  EXPECT_THROW(layer({.input_dim = 1, .output_dim = 1, .word_dropout = 1}), ConfigError);
  EXPECT_THROW(layer({.input_dim = 1, .output_dim = 1, .text_dropout = 1}), ConfigError);
  EXPECT_THROW(layer({.input_dim = 3, .output_dim = 1})->output(Signal::symbols(4)), ConfigError);
  test::for_each_backend([](const Backend& backend) {
    const test::LayerBench bench(layer({.input_dim = 4, .output_dim = 1}), Signal::symbols(4),
                                 backend, 1);
    test::LayerInput in = bench.input(2, 1);
    in.ids = {3, 4};
    EXPECT_THROW(bench.run(in, {}), ShapeError);
    in.lengths = {1};  // now the bad one is padding
    EXPECT_NO_THROW(bench.run(in, {}));
  });
}

}  // namespace
}  // namespace rnn
