#pragma once

#include "rnn/layer.h"

namespace rnn {

struct RNN_API EmbeddingOptions {
  Index input_dim = 0;   ///< number of symbols, V
  Index output_dim = 0;  ///< width of a vector, E
  Initializer initializer = Initializer::uniform(0.05f);
  void exchange(Fields& fields);
};

/// A vector for each symbol: ids [T,B] -> [T,B,E]. Parameter: `embeddings` [V,E]. An id below zero
/// gives zeros; one of V or more is a ShapeError.
class RNN_API Embedding : public Layer {
 public:
  /// Throws ConfigError unless both dimensions are positive.
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
