// Why a classifier says what it says.
//
// A text is cut into pieces: rows of the first layer's tables, one for each unit and one for each
// n-gram, which holds several. Added up by step they are the vectors that the rest of the network
// reads. For the rest they are the table of an Embedding, so that the same passes that train
// networks give logits, and the gradient of that table is the gradient with respect to the vectors.
#include <algorithm>
#include <cmath>
#include <functional>

#include "rnn/backend.h"
#include "rnn/dropout.h"
#include "rnn/embedding.h"
#include "rnn/error.h"
#include "rnn/graph.h"
#include "rnn/ngram_embedding.h"
#include "tasks/logit_head.h"
#include "tasks/text_classifier_impl.h"

namespace rnn {
namespace {

constexpr int kFirstParts = 16;            // of the way from no text to the text
constexpr std::size_t kLeastPoints = 256;  // at which gradients may be taken, for the longest text;
constexpr std::size_t kMostSteps = 1 << 18;  // for shorter ones so many steps of the network,
constexpr std::size_t kMostPoints = 4096;    // and never more points than these
constexpr double kSmall = 0.005;             // of the change of the logit
constexpr double kSmallest = 1e-4;           // in logits: below it there is nothing to explain
constexpr Index kStepsTogether = 8192;       // of all texts in one pass

constexpr const char* kTable = "path";

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
                      std::string(node.type()));
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

/// Only the first layer's vectors are explained: another that looks units up would go on reading
/// the whole text.
void require_one_look_up(const Network& network) {
  const std::vector<Network::Node>& nodes = network.nodes();
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    for (const Network::Source& source : nodes[i].from) {
      if (!source.is_input) continue;
      throw ConfigError(
          "explain: '" + nodes[i].name + "' looks the text up beside '" + nodes[0].name +
          "'; only networks with one look-up can be explained: train one in which '" +
          nodes[i].name + "' reads what '" + nodes[0].name + "' gives, or leave one out");
    }
  }
}

/// The network above its first layer, over a table of so many rows, without what acts in training
/// alone, and with logits at its end.
Network above_words(const Network& network, Index rows) {
  Graph graph;
  const auto ids = graph.input("rows", Signal::symbols(rows));
  std::vector<Graph::Value> values(network.nodes().size());
  const Index width = network.nodes().front().output.size;
  values[0] = graph.add(Embedding({.input_dim = rows, .output_dim = width}), ids, {.name = kTable});
  for (std::size_t i = 1; i < values.size(); ++i) {
    const Network::Node& node = network.nodes()[i];
    std::vector<Graph::Value> from;
    for (const Network::Source& source : node.from) from.push_back(values[source.number]);
    const NodeOptions options{.name = node.name, .shares = node.shares};
    if (dynamic_cast<const Dropout*>(node.layer.get())) {
      values[i] = from[0];
    } else if (node.layer) {
      values[i] = graph.add(AnyLayer(node.layer), from[0], options);
    } else {
      values[i] = graph.add(AnyJointLayer(node.joint), from, options);
    }
  }
  graph.output(LogitHead(network.head().classes), values[network.head().from.number],
               {.name = network.head().name});
  return graph.build();
}

/// One that has gradients: in int8 they are those of the model with its rounded weights, which
/// differs from what predicts by the rounding of activations alone.
std::shared_ptr<const Backend> with_gradients(std::shared_ptr<const Backend> backend) {
  if (backend->precision() != Precision::kInt8) return backend;
  return make_backend(
      {.name = std::string(backend->name()), .threads = {.threads = backend->threads()}});
}

/// The rest of the network for texts of one length, several at once.
class Above {
 public:
  Above(const Network& network, const Parameters& parameters,
        std::shared_ptr<const Backend> backend, Index time, std::int32_t label,
        const std::function<void()>& between)
      : time_(time),
        together_(std::max<Index>(1, kStepsTogether / time)),
        label_(label),
        between_(between),
        backend_(with_gradients(std::move(backend))),
        network_(above_words(network, together_ * time)),
        parameters_(network_.zero_parameters(*backend_)),
        inference_(network_, parameters_, backend_),
        session_(network_, parameters_, backend_) {
    for (NamedTensor& parameter : parameters_) {
      const std::size_t found = parameters.find(parameter.name);
      if (found < parameters.size()) parameter.tensor = parameters[found];
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
  /// Their gradients with respect to the vectors, [count, T*E]; valid until the next call.
  View<const float> gradients(Index count) {
    prepare(count);
    session_.zero_gradients();
    session_.forward(batch_, state_);
    session_.backward(-1.0f);  // the head's loss is minus the logit
    const View<const float> slopes = session_.gradients().at(std::string(kTable) + "/embeddings");
    return {slopes.data(), {count, time_ * slopes.extent(1)}};
  }

 private:
  void prepare(Index count) {
    if (between_) between_();
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
  const std::function<void()>& between_;
  std::shared_ptr<const Backend> backend_;
  Network network_;
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

/// Whole texts with zeros in place of one unit each, and what the logit loses.
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

/// A part of the way from no text (0) to the text (1), with the logits at its ends.
struct Stretch {
  double begin = 0, end = 1, first = 0, last = 0;

  double middle() const { return (begin + end) / 2; }
  double change() const { return last - first; }
};

/// The integral of the gradient along the way.
class Integral {
 public:
  Integral(Above& above, const Tensor& whole)
      : above_(above),
        whole_(whole),
        sum_(static_cast<std::size_t>(whole.size()), 0),
        middles_(static_cast<std::size_t>(above.together())) {}

  /// The sum of the gradients, each times the length of the way that it stands for.
  const std::vector<double>& sum() const { return sum_; }

  std::vector<double> logits(std::span<const double> shares) {
    std::vector<double> found;
    for (std::size_t first = 0; first < shares.size(); first += middles_.size()) {
      const auto here = shares.subspan(first, std::min(middles_.size(), shares.size() - first));
      place(here);
      for (double logit : above_.logits(static_cast<Index>(here.size()))) found.push_back(logit);
    }
    return found;
  }

  /// Adds the parts whose gradient at the middle tells their change of the logit, or all; returns
  /// the others. Where a maximum passes from one step to another the gradient jumps: halving the
  /// part it is in finds the place much faster than ever more points everywhere.
  std::vector<Stretch> add(std::span<const Stretch> parts, double tolerance, bool all) {
    std::vector<Stretch> others;
    for (std::size_t first = 0; first < parts.size(); first += middles_.size()) {
      const auto here = parts.subspan(first, std::min(middles_.size(), parts.size() - first));
      for (std::size_t i = 0; i < here.size(); ++i) middles_[i] = here[i].middle();
      place({middles_.data(), here.size()});
      const View<const float> slopes = above_.gradients(static_cast<Index>(here.size()));
      for (std::size_t i = 0; i < here.size(); ++i) {
        const View<const float> slope = slopes.slice(static_cast<Index>(i));
        const double length = here[i].end - here[i].begin;
        double product = 0;
        for (Index k = 0; k < whole_.size(); ++k) product += double{slope[k]} * double{whole_[k]};
        if (!all && std::abs(product * length - here[i].change()) > tolerance) {
          others.push_back(here[i]);
          continue;
        }
        for (Index k = 0; k < whole_.size(); ++k) {
          sum_[static_cast<std::size_t>(k)] += length * double{slope[k]};
        }
      }
    }
    return others;
  }

 private:
  void place(std::span<const double> shares) {
    for (std::size_t b = 0; b < shares.size(); ++b) {
      const View<float> vectors = above_.vectors(static_cast<Index>(b));
      for (Index k = 0; k < whole_.size(); ++k) {
        vectors.data()[k] = static_cast<float>(shares[b]) * whole_[k];
      }
    }
  }

  Above& above_;
  const Tensor& whole_;
  std::vector<double> sum_;
  std::vector<double> middles_;
};

std::vector<Stretch> halves(Integral& integral, std::span<const Stretch> parts) {
  std::vector<double> middles;
  for (const Stretch& part : parts) middles.push_back(part.middle());
  const std::vector<double> logits = integral.logits(middles);
  std::vector<Stretch> halves;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    halves.push_back({parts[i].begin, middles[i], parts[i].first, logits[i]});
    halves.push_back({middles[i], parts[i].end, logits[i], parts[i].last});
  }
  return halves;
}

/// Halves parts of the way until the contributions add up.
void integrate(Above& above, const Tensor& whole, std::span<const Piece> pieces,
               Explanation& explanation) {
  const double change = explanation.logit - explanation.baseline;
  const double tolerance = std::max(kSmallest, kSmall * std::abs(change)) / kFirstParts;
  Integral integral(above, whole);
  std::vector<double> ends;
  for (int i = 0; i <= kFirstParts; ++i) ends.push_back(static_cast<double>(i) / kFirstParts);
  const std::vector<double> logits = integral.logits(ends);
  std::vector<Stretch> parts;
  for (std::size_t i = 0; i < kFirstParts; ++i) {
    parts.push_back({ends[i], ends[i + 1], logits[i], logits[i + 1]});
  }
  const std::size_t most =
      std::clamp(kMostSteps / static_cast<std::size_t>(whole.extent(0)), kLeastPoints, kMostPoints);
  std::size_t points = 0;
  for (;;) {
    points += parts.size();
    parts = integral.add(parts, tolerance, points + 2 * parts.size() > most);
    if (parts.empty()) break;
    parts = halves(integral, parts);
  }
  const std::vector<double>& gradient = integral.sum();
  const auto width = static_cast<std::size_t>(whole.extent(1));
  explanation.remainder = change;
  for (const Piece& piece : pieces) {
    double product = 0;
    for (std::size_t e = 0; e < width; ++e) {
      product += gradient[piece.last * width + e] * double{piece.row[e]};
    }
    explanation.remainder -= product;
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
  require_one_look_up(m.network);
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
  Above above(m.network, m.parameters, m.backend, time, explanation.label, options.between);
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
