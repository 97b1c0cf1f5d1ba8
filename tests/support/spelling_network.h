// A network with three inputs and two heads: words and their spelling, tagged twice.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "rnn/bidirectional.h"
#include "rnn/conv1d.h"
#include "rnn/crf.h"
#include "rnn/dropout.h"
#include "rnn/embedding.h"
#include "rnn/graph.h"
#include "rnn/pooling.h"
#include "rnn/recurrent.h"
#include "rnn/softmax.h"
#include "support/toy_network.h"

namespace rnn::test {

struct SpellingOptions {
  bool bidirectional = true;
  float dropout = 0;
};

/// Words of 7, letters of 5, 3 labels for the CRF and 4 for the softmax, whose loss weighs half.
inline Network spelling_network(const SpellingOptions& options = {}) {
  Graph g;
  const auto words = g.input("words", Signal::symbols(7));
  const auto letters = g.input("letters", Signal::symbols(5), {.aligned = false});
  const auto spelling = g.input("spelling", Signal::rows());
  const auto read =
      g.add(Conv1D({.filters = 4, .kernel_size = 3, .activation = Activation::kTanh}),
            g.add(Embedding({.input_dim = 5, .output_dim = 3}), letters, {.name = "spell"}));
  const auto spelled = g.gather(g.add(PoolOverTime({.pooling = Pooling::kMean}), read), spelling);
  auto x =
      g.add(Concatenate(), {g.add(Embedding({.input_dim = 7, .output_dim = 4}), words), spelled});
  if (options.dropout > 0) x = g.add(Dropout({.rate = options.dropout}), x);
  const auto h = options.bidirectional ? g.add(Bidirectional({.layer = LSTM({.units = 4})}), x)
                                       : g.add(LSTM({.units = 8}), x);
  const auto around = g.add(Add(), {h, x}, {.name = "around"});  // both are 8 wide
  g.output(CRF({.units = 3}), around);
  g.output(Softmax({.units = 4}), h, {.weight = 0.5f});
  return g.build();
}

/// How word w is spelled: a function of the word.
inline std::vector<std::int32_t> letters_of(std::int32_t word) {
  std::vector<std::int32_t> letters{word % 5};
  for (std::int32_t i = 0; i < word % 4; ++i) letters.push_back((word * 3 + i) % 5);
  return letters;
}

/// Gives each distinct word of a batch its row, and the letters of all of them.
inline void spell(Batch& batch) {
  std::map<std::int32_t, std::int32_t> row_of;
  std::vector<std::vector<std::int32_t>> spelled;
  BatchInput &letters = batch.input("letters"), &spelling = batch.input("spelling");
  spelling.ids.clear();
  for (std::int32_t word : batch.ids) {
    const auto [found, is_new] = row_of.emplace(word, static_cast<std::int32_t>(spelled.size()));
    if (is_new) spelled.push_back(letters_of(word));
    spelling.ids.push_back(found->second);
  }
  letters.time = 0;
  letters.batch = static_cast<Index>(spelled.size());
  letters.lengths.clear();
  for (const auto& word : spelled) {
    letters.time = std::max(letters.time, static_cast<Index>(word.size()));
    letters.lengths.push_back(static_cast<std::int32_t>(word.size()));
  }
  letters.ids.assign(static_cast<std::size_t>(letters.time * letters.batch), 0);
  for (std::size_t b = 0; b < spelled.size(); ++b) {
    for (std::size_t t = 0; t < spelled[b].size(); ++t) {
      letters.ids[t * spelled.size() + b] = spelled[b][t];
    }
  }
}

/// Random words, targets of both heads, and the spelling.
inline Batch spelling_batch(Index time, Index batch, std::uint64_t seed,
                            std::vector<std::int32_t> lengths = {}) {
  Batch made = random_batch(time, batch, 7, seed);
  made.lengths = std::move(lengths);
  made.targets_of("softmax") = made.targets;
  for (std::int32_t& target : made.targets) target %= 3;
  for (std::int32_t& target : made.targets_of("softmax")) target %= 4;
  spell(made);
  return made;
}

}  // namespace rnn::test
