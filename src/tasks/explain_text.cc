// Why a classifier says what it says.
//
// A text is cut into pieces: rows of the first layer's tables, one for each unit and one for each
// n-gram, which holds several. Added up by step they are the vectors that the rest of the network
// reads. For the rest they are the table of an Embedding, so that the same passes that train
// networks give logits, and the gradient of that table is the gradient with respect to the vectors.
#include <algorithm>
#include <cmath>

#include "rnn/dropout.h"
#include "rnn/embedding.h"
#include "rnn/error.h"
#include "rnn/ngram_embedding.h"
#include "rnn/sequential.h"
#include "tasks/logit_head.h"
#include "tasks/text_classifier_impl.h"

namespace rnn {
namespace {

constexpr Index kFirstPoints = 16, kMostPoints = 256;
constexpr double kSmall = 0.008;        // of the change of the logit
constexpr double kSmallest = 1e-4;      // in logits: below it there is nothing to explain
constexpr Index kStepsTogether = 8192;  // of all texts in one pass

constexpr const char* kTable = "embedding";

/// A row of a table that step `last` reads because of the units first .. last.
struct Piece {
  std::size_t first = 0, last = 0;
  const float* row = nullptr;
};

std::vector<Piece> pieces_of(const Network& network, const Parameters& parameters,
                             std::span<const std::int32_t> ids) {
  const Network::Node& node = network.nodes().front();
  const auto* ngrams = dynamic_cast<const NgramEmbedding*>(node.layer.get());
  if (!ngrams && !dynamic_cast<const Embedding*>(node.layer.get())) {
    throw ConfigError("explain: the network must begin with an Embedding or NgramEmbedding, not " +
                      std::string(node.layer->type()));
  }
  const auto row_of = [&](std::size_t table, Index row) {
    const Tensor& values = parameters[node.parameters[table]];
    return values.data() + row * values.extent(1);
  };
  const auto longest = ngrams ? static_cast<std::size_t>(ngrams->options().ngrams) : 1;
  std::vector<Piece> pieces;
  for (std::size_t t = 0; t < ids.size(); ++t) {
    pieces.push_back({t, t, row_of(0, ids[t])});
    for (std::size_t n = 2; n <= longest && n <= t + 1; ++n) {
      const Index bucket =
          NgramEmbedding::bucket(ids.subspan(t + 1 - n, n), ngrams->options().buckets);
      pieces.push_back({t + 1 - n, t, row_of(1, bucket)});
    }
  }
  return pieces;
}

/// The network above its first layer, over a table of so many rows, without what acts in training
/// alone, and with logits at its end.
Sequential above_words(const Network& network, Index rows) {
  const Index width = network.nodes().front().output.size;
  std::vector<Part> parts{Embedding({.input_dim = rows, .output_dim = width})};
  for (std::size_t i = 1; i < network.nodes().size(); ++i) {
    const auto& layer = network.nodes()[i].layer;
    if (!dynamic_cast<const Dropout*>(layer.get())) parts.emplace_back(layer);
  }
  parts.emplace_back(LogitHead(network.head().classes));
  return Sequential(parts);
}

/// The rest of the network for texts of one length, several at once.
class Above {
 public:
  Above(const Network& network, const Parameters& parameters,
        std::shared_ptr<const Backend> backend, Index time, std::int32_t label)
      : time_(time),
        together_(std::max<Index>(1, kStepsTogether / time)),
        label_(label),
        backend_(std::move(backend)),
        network_(above_words(network, together_ * time)),
        parameters_(network_.zero_parameters(*backend_)),
        inference_(network_, parameters_, backend_),
        session_(network_, parameters_, backend_) {
    for (NamedTensor& parameter : parameters_) {
      const std::size_t found = parameters.find(parameter.name);
      if (found < parameters.size()) parameter.tensor = parameters[found];
    }
    for (std::size_t i = 0; i < 2; ++i) {
      parameters_[network_.head().parameters[i]] = parameters[network.head().parameters[i]];
    }
  }

  Index together() const { return together_; }
  /// Vectors [T,E] of text b, to be filled.
  View<float> vectors(Index b) {
    const View<float> table = parameters_.at(std::string(kTable) + "/embeddings");
    const Index width = table.extent(1);
    return {table.data() + b * time_ * width, {time_, width}};
  }
  /// Logits of the label for the first `count` texts.
  std::vector<double> logits(Index count) {
    prepare(count);
    const View<const float> all = inference_.predict(batch_, state_);
    std::vector<double> found;
    for (Index b = 0; b < count; ++b) found.push_back(double{all(0, b, label_)});
    return found;
  }
  /// Adds their gradients with respect to the vectors to `sum` [T*E].
  void add_gradients(Index count, std::vector<double>& sum) {
    prepare(count);
    session_.zero_gradients();
    session_.forward(batch_, state_);
    session_.backward(-1.0f);  // the head's loss is minus the logit
    const View<const float> slopes = session_.gradients().at(std::string(kTable) + "/embeddings");
    const auto size = static_cast<Index>(sum.size());
    for (Index b = 0; b < count; ++b) {
      for (Index i = 0; i < size; ++i) {
        sum[static_cast<std::size_t>(i)] += double{slopes[b * size + i]};
      }
    }
  }

 private:
  void prepare(Index count) {
    parameters_.changed();
    batch_.clear();
    batch_.time = time_;
    batch_.batch = count;
    batch_.targets.assign(static_cast<std::size_t>(count), label_);
    for (Index t = 0; t < time_; ++t) {
      for (Index b = 0; b < count; ++b) {
        batch_.ids.push_back(static_cast<std::int32_t>(b * time_ + t));
      }
    }
    state_ = network_.zero_state(count, *backend_);
  }

  Index time_, together_;
  std::int32_t label_;
  std::shared_ptr<const Backend> backend_;
  Sequential network_;
  Parameters parameters_;
  Inference inference_;
  Session session_;
  Batch batch_;
  State state_;
};

void add_row(View<float> vectors, const Piece& piece) {
  for (Index e = 0; e < vectors.extent(1); ++e) {
    vectors(static_cast<Index>(piece.last), e) += piece.row[e];
  }
}

/// Whole texts without one unit each, and what the logit loses.
void occlude(Above& above, std::span<const Piece> pieces, Explanation& explanation) {
  const auto count = static_cast<Index>(explanation.units.size());
  for (Index first = 0; first < count; first += above.together()) {
    const Index here = std::min(above.together(), count - first);
    for (Index b = 0; b < here; ++b) {
      const View<float> vectors = above.vectors(b);
      std::fill(vectors.begin(), vectors.end(), 0.0f);
      const auto left_out = static_cast<std::size_t>(first + b);
      for (const Piece& piece : pieces) {
        if (left_out < piece.first || left_out > piece.last) add_row(vectors, piece);
      }
    }
    const std::vector<double> logits = above.logits(here);
    for (Index b = 0; b < here; ++b) {
      explanation.units[static_cast<std::size_t>(first + b)].contribution =
          explanation.logit - logits[static_cast<std::size_t>(b)];
    }
  }
}

/// Mean of the gradient at the middles of so many equal parts of the way from zero to the text.
std::vector<double> mean_gradient(Above& above, const Tensor& whole, Index points) {
  std::vector<double> sum(static_cast<std::size_t>(whole.size()), 0);
  for (Index first = 0; first < points; first += above.together()) {
    const Index here = std::min(above.together(), points - first);
    for (Index b = 0; b < here; ++b) {
      const double share = (static_cast<double>(first + b) + 0.5) / static_cast<double>(points);
      const View<float> vectors = above.vectors(b);
      for (Index i = 0; i < whole.size(); ++i) {
        vectors.data()[i] = static_cast<float>(share) * whole[i];
      }
    }
    above.add_gradients(here, sum);
  }
  for (double& value : sum) value /= static_cast<double>(points);
  return sum;
}

/// More and more points until the contributions add up.
void integrate(Above& above, const Tensor& whole, std::span<const Piece> pieces,
               Explanation& explanation) {
  const double change = explanation.logit - explanation.baseline;
  std::vector<double> gradient;
  for (Index points = kFirstPoints; points <= kMostPoints; points *= 2) {
    gradient = mean_gradient(above, whole, points);
    double sum = 0;
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      sum += gradient[i] * double{whole[static_cast<Index>(i)]};
    }
    explanation.remainder = change - sum;
    if (std::abs(explanation.remainder) <= std::max(kSmallest, kSmall * std::abs(change))) break;
  }
  const auto width = static_cast<std::size_t>(whole.extent(1));
  for (const Piece& piece : pieces) {
    double product = 0;
    for (std::size_t e = 0; e < width; ++e) {
      product += gradient[piece.last * width + e] * double{piece.row[e]};
    }
    for (std::size_t t = piece.first; t <= piece.last; ++t) {
      explanation.units[t].contribution +=
          product / static_cast<double>(piece.last - piece.first + 1);
    }
  }
}

}  // namespace

ExplainMethod explain_method(std::string_view name) {
  if (name == "integrated-gradients") return ExplainMethod::kIntegratedGradients;
  if (name == "occlusion") return ExplainMethod::kOcclusion;
  throw ConfigError("method: expected integrated-gradients or occlusion, got '" +
                    std::string(name) + "'");
}

Explanation TextClassifier::explain(std::string_view text, const ExplainOptions& options) const {
  const Impl& m = *impl_;
  const auto labels = static_cast<std::int32_t>(m.labels.size());
  if (options.label < -1 || options.label >= labels) {
    throw ConfigError("explain: expected a label from 0 to " + std::to_string(labels - 1) +
                      ", got " + std::to_string(options.label));
  }
  Explanation explanation;
  explanation.label = options.label >= 0 ? options.label : predict(text).label;
  const EncodedText read = m.encoder.units(text, m.vocabulary);
  explanation.cut = read.cut;
  std::vector<std::int32_t> ids;
  for (const EncodedUnit& unit : read.units) {
    ids.push_back(unit.id);
    explanation.units.push_back(
        {.begin = unit.begin, .end = unit.end, .unknown = unit.id == m.vocabulary.unknown_id()});
  }
  const std::vector<Piece> pieces = pieces_of(m.network, m.parameters, ids);
  const auto time = static_cast<Index>(ids.size());
  Above above(m.network, m.parameters, m.backend, time, explanation.label);
  Tensor whole({time, m.network.nodes().front().output.size});
  for (const Piece& piece : pieces) add_row(whole, piece);

  const View<float> first = above.vectors(0);
  std::fill(first.begin(), first.end(), 0.0f);
  explanation.baseline = above.logits(1)[0];
  std::copy_n(whole.data(), whole.size(), first.data());
  explanation.logit = above.logits(1)[0];
  if (options.method == ExplainMethod::kOcclusion) {
    occlude(above, pieces, explanation);
  } else {
    integrate(above, whole, pieces, explanation);
  }
  return explanation;
}

}  // namespace rnn
