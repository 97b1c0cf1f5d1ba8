// First values from counts: what each unit and n-gram of a text says of each label by itself.
#pragma once

#include <string_view>

#include "rnn/network.h"
#include "rnn/parameters.h"
#include "rnn/text/vocabulary.h"
#include "tasks/labelled_texts.h"

namespace rnn {

/// The layers that set_log_count_ratios is for, each an NgramEmbedding as wide as there are labels,
/// `scaled` and `keyed`, the second `of_words` and only where it is wanted. What they read, summed
/// over time, is the last of what the network's head reads.
inline constexpr std::string_view kEvidence = "evidence";
inline constexpr std::string_view kWordEvidence = "word_evidence";

/// What each symbol of a vocabulary of characters is to a word, for kWordEvidence where the network
/// has it: one that begins with a letter or a decimal digit is a letter, so is the unknown symbol;
/// white space and the end symbol are no word; all others are marks.
void set_word_symbols(TensorList& values, const Vocabulary& vocabulary);

/// Their factors become the log-count ratios (Wang and Manning 2012) of each unit or n-gram f
/// for each label k, over which texts hold it, and the head's kernel begins by passing each label's
/// own sum on:
///
///   r = log((n_fk + a p_k) / p_k) - log((n_f - n_fk + a (1 - p_k)) / (1 - p_k)),   p_k = N_k / N
///
/// n_f texts hold f, n_fk of them have the label k; N texts in all, N_k with the label. The
/// smoothing, a = 2 texts, is shared out as labels are, so that what is rare says little of any
/// label; where half of the texts have the label it is theirs. Counts are compared with those of
/// texts, not of features, and how frequent a label is by itself is left to the head's bias. Zero
/// where n_f is below `least`, and for a label that all texts have or none. Of n-grams that share a
/// bucket the one that most texts hold gets its key. Words are those of set_word_symbols, which
/// goes first. Needs 16 bytes in memory for each n-gram of all texts, and 4 for each bucket. Throws
/// ConfigError where the network has no such layer as kEvidence.
void set_log_count_ratios(TensorList& values, const Network& network, const EncodedTexts& texts,
                          std::int64_t least);

}  // namespace rnn
