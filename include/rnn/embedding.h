#pragma once

#include "rnn/layer.h"

namespace rnn {

struct RNN_API EmbeddingOptions {
  Index input_dim = 0;   ///< number of symbols, V
  Index output_dim = 0;  ///< width of a vector, E
  Initializer initializer = Initializer::uniform(0.05f);
  float dropout = 0;      ///< share of symbols whose vector is set to zero in training, below 1
  bool trainable = true;  ///< false: training leaves the vectors as they are
  void exchange(Fields& fields);
};

/// A vector for each symbol: ids [T,B] -> [T,B,E]. Parameter: `embeddings` [V,E]. An id below zero
/// gives zeros; one of V or more is a ShapeError.
///
/// Dropout here is that of whole rows (Gal and Ghahramani 2016, section 4.2; Merity, Keskar and
/// Socher 2018): in one call a symbol is dropped wherever it occurs, in every sequence, or nowhere;
/// the others are scaled by 1 / (1 - dropout). A head that is tied to the table is not affected.
class RNN_API Embedding : public Layer {
 public:
  /// Throws ConfigError unless both dimensions are positive and dropout is in [0, 1).
  explicit Embedding(const EmbeddingOptions& options);

  std::string_view type() const noexcept override { return "Embedding"; }
  void describe(Fields& fields) const override;
  std::optional<Signal> input() const override;
  Signal output(const Signal& input) const override;
  std::vector<ParameterSpec> parameters(const Signal& input) const override;
  Sequence forward(const Sequence& x, Call& call) const override;
  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const override;

 private:
  EmbeddingOptions options_;
};

}  // namespace rnn
