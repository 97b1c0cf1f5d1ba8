// Words in a text of characters, and the n-grams of them.
#pragma once

#include <array>
#include <cstddef>

#include "layers/ngram_hash.h"
#include "rnn/kernels.h"

namespace rnn {

inline constexpr std::size_t kLongestNgram = 8;

/// What a symbol is to a word, as NgramEmbedding's `word_symbols` have it: words are runs of
/// letters, and each mark by itself.
inline constexpr float kNoWord = 0, kLetter = 1, kMark = 2;

/// Calls use(first, last, hash) for each n-gram of words of the symbols id_at(0 .. length-1), in
/// order of `last`: the steps of its first and last symbol, and the hash of its symbols with -1
/// between words. A symbol below zero is left out, and with it the words that it touches and the
/// n-grams across it.
template <class IdAt, class KindOf, class Use>
void each_word_ngram(Index length, Index n, const IdAt& id_at, const KindOf& kind_of,
                     const Use& use) {
  struct Word {
    Index first, last;
  };
  std::array<Word, kLongestNgram> words{};  // the last n, in turn
  Index count = 0;                          // of words side by side
  const auto add = [&](Index first, Index last) {
    words[static_cast<std::size_t>(count++ % n)] = {first, last};
    if (count < n) return;
    std::uint64_t hash = kNoIdsHashed;
    for (Index k = count - n; k < count; ++k) {
      const Word& word = words[static_cast<std::size_t>(k % n)];
      if (k > count - n) hash = hash_with(hash, -1);
      for (Index t = word.first; t <= word.last; ++t) hash = hash_with(hash, id_at(t));
    }
    use(words[static_cast<std::size_t>((count - n) % n)].first, last, hash);
  };
  for (Index t = 0; t < length;) {
    const auto letter = [&](Index at) {
      return at < length && id_at(at) >= 0 && kind_of(id_at(at)) == kLetter;
    };
    const auto left_out = [&](Index at) { return at >= 0 && at < length && id_at(at) < 0; };
    const Index first = t++;
    if (left_out(first)) {
      count = 0;
      continue;
    }
    const float kind = kind_of(id_at(first));
    if (kind == kNoWord) continue;
    while (kind == kLetter && letter(t)) ++t;
    if (left_out(first - 1) || left_out(t)) {
      count = 0;
    } else {
      add(first, t - 1);
    }
  }
}

}  // namespace rnn
