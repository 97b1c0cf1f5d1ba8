// First values of an embedding from counts: what each unit and n-gram says of each label by itself.
#pragma once

#include "rnn/network.h"
#include "rnn/parameters.h"
#include "tasks/labelled_texts.h"

namespace rnn {

/// Columns 0 .. labels-1 of the tables of the network's NgramEmbedding become `scale` times the
/// log-count ratio (Wang and Manning 2012) of each row f for label k, over which texts hold it:
///
///   r = log((1 + n_fk) / (1 + N_k)) - log((1 + n_f - n_fk) / (1 + N - N_k))
///
/// n_f texts hold f, n_fk of them have the label k; N texts in all, N_k with the label. Other
/// columns stay as they are. A row is what is hashed into it.
/// Throws ConfigError when the network does not begin with an NgramEmbedding at least as wide as
/// there are labels.
void set_log_count_ratios(TensorList& values, const Network& network, const EncodedTexts& texts,
                          std::size_t labels, float scale);

}  // namespace rnn
