// Why a classifier says what it says.
//
// A text is cut into pieces: rows of the tables of the layers that look it up, one for each unit
// and one for each n-gram, which holds several. Added up by step they are the vectors that the rest
// of the network reads. For the rest they are the table of an Embedding, so that the same passes
// that train networks give logits, and the gradient of that table is the gradient with respect to
// the vectors.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "layers/word_walk.h"
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

/// A row of a table that step `last` of a look-up reads because of the units first .. last.
struct Piece {
  std::size_t look_up = 0, first = 0, last = 0;
  const float* row = nullptr;
  const float* scales = nullptr;  // factors of the row; null: ones
  /// Where a row counts once, the piece before that has the same; -1: none, or each counts.
  std::ptrdiff_t same = -1;

  float value(Index e) const { return scales ? row[e] * scales[e] : row[e]; }
  bool holds(std::size_t unit) const { return first <= unit && unit <= last; }
};

bool reads_the_text(const Network::Node& node) {
  return std::any_of(node.from.begin(), node.from.end(),
                     [](const Network::Source& source) { return source.is_input; });
}

/// Positions of the layers that look the text up.
std::vector<std::size_t> look_ups_of(const Network& network) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < network.nodes().size(); ++i) {
    const Network::Node& node = network.nodes()[i];
    if (!reads_the_text(node)) continue;
    if (!dynamic_cast<const NgramEmbedding*>(node.layer.get()) &&
        !dynamic_cast<const Embedding*>(node.layer.get())) {
      throw ConfigError(
          "explain: what reads the text must be an Embedding or NgramEmbedding, but '" + node.name +
          "' is " + std::string(node.type()));
    }
    found.push_back(i);
  }
  return found;
}

/// Calls use(n, first, last, row) for all that a look-up reads, each `row` one of table_of(n).
template <class Use>
void each_row(const Network::Node& node, const NgramEmbedding& layer, const Parameters& parameters,
              std::span<const std::int32_t> ids, const Use& use) {
  const NgramEmbeddingOptions& options = layer.options();
  const auto values = [&](std::size_t place) { return parameters[node.parameters[place]].view(); };
  const auto use_hashed = [&](Index n, std::size_t first, std::size_t last, std::uint64_t hash) {
    const Index row = NgramEmbedding::bucket_of(hash, options.buckets);
    if (options.keyed && values(layer.keys())(row, 0) != NgramEmbedding::key_of(hash)) return;
    use(n, first, last, row);
  };
  for (Index n = 1; n <= options.ngrams; ++n) {
    if (options.of_words) {
      const View<const float> kinds = values(layer.word_symbols());
      each_word_ngram(
          static_cast<Index>(ids.size()), n,
          [&](Index t) { return ids[static_cast<std::size_t>(t)]; },
          [&](std::int32_t id) { return kinds(id, 0); },
          [&](Index first, Index last, std::uint64_t hash) {
            use_hashed(n, static_cast<std::size_t>(first), static_cast<std::size_t>(last), hash);
          });
      continue;
    }
    const auto length = static_cast<std::size_t>(n);
    for (std::size_t last = length - 1; last < ids.size(); ++last) {
      const std::size_t first = last + 1 - length;
      if (n == 1) {
        use(n, first, last, ids[last]);
      } else {
        use_hashed(n, first, last, NgramEmbedding::hash(ids.subspan(first, length)));
      }
    }
  }
}

void add_pieces(const Network::Node& node, std::size_t look_up, const Parameters& parameters,
                std::span<const std::int32_t> ids, std::vector<Piece>& pieces) {
  const auto row_of = [&](std::size_t table, Index row) {
    const Tensor& values = parameters[node.parameters[table]];
    return values.data() + row * values.extent(1);
  };
  const auto* layer = dynamic_cast<const NgramEmbedding*>(node.layer.get());
  if (!layer) {
    for (std::size_t t = 0; t < ids.size(); ++t) {
      pieces.push_back({.look_up = look_up, .first = t, .last = t, .row = row_of(0, ids[t])});
    }
    return;
  }
  std::map<std::pair<Index, Index>, std::ptrdiff_t> seen;  // by length and row
  each_row(node, *layer, parameters, ids,
           [&](Index n, std::size_t first, std::size_t last, Index row) {
             Piece piece{.look_up = look_up,
                         .first = first,
                         .last = last,
                         .row = row_of(layer->table_of(n), row)};
             if (layer->options().scaled) piece.scales = row_of(layer->scales_of(n), row);
             if (layer->options().distinct) {
               const auto here = static_cast<std::ptrdiff_t>(pieces.size());
               const auto [place, added] = seen.try_emplace({n, row}, here);
               if (!added) piece.same = std::exchange(place->second, here);
             }
             pieces.push_back(piece);
           });
}

/// This name, or one like it that no layer of the model has.
std::string free_name(const Network& network, std::string name) {
  const auto taken = [&](const Network::Node& node) { return node.name.starts_with(name); };
  while (std::any_of(network.nodes().begin(), network.nodes().end(), taken) ||
         network.head().name.starts_with(name)) {
    name += "_";
  }
  return name;
}

/// Of the layer that stands for a look-up.
std::string table_name(const Network& network, std::size_t look_up) {
  return free_name(network, "path_" + std::to_string(look_up));
}

/// The network above its look-ups, over tables of so many rows, without what acts in training
/// alone, and with logits at its end.
Network above_words(const Network& network, std::span<const std::size_t> look_ups, Index rows) {
  Graph graph;
  const auto ids = graph.input(free_name(network, "rows"), Signal::symbols(rows));
  std::vector<Graph::Value> values(network.nodes().size());
  for (std::size_t k = 0; k < look_ups.size(); ++k) {
    const Index width = network.nodes()[look_ups[k]].output.size;
    values[look_ups[k]] = graph.add(Embedding({.input_dim = rows, .output_dim = width}), ids,
                                    {.name = table_name(network, k)});
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Network::Node& node = network.nodes()[i];
    if (reads_the_text(node)) continue;
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
  Above(const Network& network, const Parameters& parameters, std::span<const std::size_t> look_ups,
        std::shared_ptr<const Backend> backend, Index time, std::int32_t label,
        const std::function<void()>& between)
      : look_ups_(look_ups.size()),
        time_(time),
        together_(std::max<Index>(1, kStepsTogether / time)),
        label_(label),
        between_(between),
        backend_(with_gradients(std::move(backend))),
        network_(above_words(network, look_ups, together_ * time)),
        parameters_(network_.zero_parameters(*backend_)),
        inference_(network_, parameters_, backend_),
        session_(network_, parameters_, backend_) {
    for (std::size_t k = 0; k < look_ups_; ++k) {
      tables_.push_back(table_name(network, k) + "/embeddings");
    }
    for (NamedTensor& parameter : parameters_) {
      const std::size_t found = parameters.find(parameter.name);
      if (found < parameters.size()) parameter.tensor = parameters[found];
    }
  }

  Index together() const { return together_; }
  std::size_t look_ups() const { return look_ups_; }
  Index time() const { return time_; }
  /// Vectors [T,E] of text b, to be filled.
  View<float> vectors(std::size_t look_up, Index b) {
    const View<float> table = parameters_.at(tables_[look_up]);
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
  /// Finds their gradients with respect to the vectors.
  void differentiate(Index count) {
    prepare(count);
    session_.zero_gradients();
    session_.forward(batch_, state_);
    session_.backward(-1.0f);  // the head's loss is minus the logit
  }
  /// Those of text b, [T,E], valid until the next are found.
  View<const float> gradients(std::size_t look_up, Index b) {
    const View<const float> slopes = session_.gradients().at(tables_[look_up]);
    const Index width = slopes.extent(1);
    return {slopes.data() + b * time_ * width, {time_, width}};
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

  std::size_t look_ups_;
  std::vector<std::string> tables_{};
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

/// The vectors of text b become the sums of the pieces that count.
template <class Counts>
void fill_vectors(Above& above, Index b, std::span<const Piece> pieces, const Counts& counts) {
  for (std::size_t k = 0; k < above.look_ups(); ++k) {
    const View<float> vectors = above.vectors(k, b);
    std::fill(vectors.begin(), vectors.end(), 0.0f);
  }
  for (const Piece& piece : pieces) {
    if (!counts(piece)) continue;
    const View<float> vectors = above.vectors(piece.look_up, b);
    for (Index e = 0; e < vectors.extent(1); ++e) {
      vectors(static_cast<Index>(piece.last), e) += piece.value(e);
    }
  }
}

/// Whole texts with zeros in place of one unit each, and what the logit loses.
void occlude(Above& above, std::span<const Piece> pieces, Explanation& explanation) {
  const auto count = static_cast<Index>(explanation.units.size());
  for (Index first = 0; first < count; first += above.together()) {
    const Index here = std::min(above.together(), count - first);
    for (Index b = 0; b < here; ++b) {
      const auto left_out = static_cast<std::size_t>(first + b);
      fill_vectors(above, b, pieces, [&](const Piece& piece) {
        // Of equal ones the first that is left counts.
        std::ptrdiff_t before = piece.same;
        while (before >= 0 && pieces[static_cast<std::size_t>(before)].holds(left_out)) {
          before = pieces[static_cast<std::size_t>(before)].same;
        }
        return before < 0 && !piece.holds(left_out);
      });
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
  /// The way ends where the vectors of text 0 are now.
  explicit Integral(Above& above)
      : above_(above), middles_(static_cast<std::size_t>(above.together())) {
    for (std::size_t k = 0; k < above.look_ups(); ++k) {
      const View<const float> vectors = above.vectors(k, 0);
      whole_.emplace_back(vectors.begin(), vectors.end());
      sums_.emplace_back(whole_.back().size(), 0);
    }
  }

  /// The sum of the gradients with respect to a look-up's vectors, each times the length of the way
  /// that it stands for.
  const std::vector<double>& sum(std::size_t look_up) const { return sums_[look_up]; }

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
      above_.differentiate(static_cast<Index>(here.size()));
      for (std::size_t i = 0; i < here.size(); ++i) {
        const double length = here[i].end - here[i].begin;
        double product = 0;
        for (std::size_t k = 0; k < whole_.size(); ++k) {
          const View<const float> slope = above_.gradients(k, static_cast<Index>(i));
          product += std::inner_product(whole_[k].begin(), whole_[k].end(), slope.data(), 0.0,
                                        std::plus<>(), [](double x, double y) { return x * y; });
        }
        if (!all && std::abs(product * length - here[i].change()) > tolerance) {
          others.push_back(here[i]);
          continue;
        }
        for (std::size_t k = 0; k < whole_.size(); ++k) {
          const View<const float> slope = above_.gradients(k, static_cast<Index>(i));
          for (std::size_t j = 0; j < sums_[k].size(); ++j) {
            sums_[k][j] += length * double{slope.data()[j]};
          }
        }
      }
    }
    return others;
  }

 private:
  void place(std::span<const double> shares) {
    for (std::size_t b = 0; b < shares.size(); ++b) {
      for (std::size_t k = 0; k < whole_.size(); ++k) {
        std::transform(whole_[k].begin(), whole_[k].end(),
                       above_.vectors(k, static_cast<Index>(b)).data(),
                       [&](float value) { return static_cast<float>(shares[b]) * value; });
      }
    }
  }

  Above& above_;
  std::vector<std::vector<float>> whole_;  // vectors at the end of the way, [T*E] a look-up
  std::vector<std::vector<double>> sums_;
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
void integrate(Above& above, std::span<const Piece> pieces, Explanation& explanation) {
  const double change = explanation.logit - explanation.baseline;
  const double tolerance = std::max(kSmallest, kSmall * std::abs(change)) / kFirstParts;
  Integral integral(above);
  std::vector<double> ends;
  for (int i = 0; i <= kFirstParts; ++i) ends.push_back(static_cast<double>(i) / kFirstParts);
  const std::vector<double> logits = integral.logits(ends);
  std::vector<Stretch> parts;
  for (std::size_t i = 0; i < kFirstParts; ++i) {
    parts.push_back({ends[i], ends[i + 1], logits[i], logits[i + 1]});
  }
  const std::size_t most =
      std::clamp(kMostSteps / static_cast<std::size_t>(above.time()), kLeastPoints, kMostPoints);
  std::size_t points = 0;
  for (;;) {
    points += parts.size();
    parts = integral.add(parts, tolerance, points + 2 * parts.size() > most);
    if (parts.empty()) break;
    parts = halves(integral, parts);
  }
  explanation.remainder = change;
  for (const Piece& piece : pieces) {
    if (piece.same >= 0) continue;
    const std::vector<double>& gradient = integral.sum(piece.look_up);
    const std::size_t width = gradient.size() / static_cast<std::size_t>(above.time());
    double product = 0;
    for (std::size_t e = 0; e < width; ++e) {
      product += gradient[piece.last * width + e] * double{piece.value(static_cast<Index>(e))};
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
  const std::vector<std::size_t> look_ups = look_ups_of(m.network);
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
  std::vector<Piece> pieces;
  for (std::size_t k = 0; k < look_ups.size(); ++k) {
    add_pieces(m.network.nodes()[look_ups[k]], k, m.parameters, ids, pieces);
  }
  Above above(m.network, m.parameters, look_ups, m.backend, static_cast<Index>(ids.size()),
              explanation.label, options.between);
  fill_vectors(above, 0, pieces, [](const Piece&) { return false; });
  explanation.baseline = above.logits(1)[0];
  fill_vectors(above, 0, pieces, [](const Piece& piece) { return piece.same < 0; });
  explanation.logit = above.logits(1)[0];
  if (options.method == ExplainMethod::kOcclusion) {
    occlude(above, pieces, explanation);
  } else {
    integrate(above, pieces, explanation);
  }
  return explanation;
}

}  // namespace rnn
