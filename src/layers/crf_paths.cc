#include <algorithm>
#include <cmath>

#include "rnn/crf.h"

namespace rnn {
namespace {

/// The best way, or one of the n best, to arrive at a label.
struct Arrival {
  double score = 0;
  Index from = 0, rank = 0;  // the arrival it continues, at the step before
};

bool better(const Arrival& p, const Arrival& q) {
  if (p.score != q.score) return p.score > q.score;
  return p.from != q.from ? p.from < q.from : p.rank < q.rank;
}

void keep_best(std::vector<Arrival>& arrivals, Index n) {
  std::erase_if(arrivals, [](const Arrival& a) { return std::isnan(a.score); });  // has no order
  const auto kept = std::min<std::size_t>(static_cast<std::size_t>(n), arrivals.size());
  std::partial_sort(arrivals.begin(), arrivals.begin() + static_cast<std::ptrdiff_t>(kept),
                    arrivals.end(), better);
  arrivals.resize(kept);
}

// What a path scores where the scores may leave something out.
double step(const CrfScores<float>& s, Index i, Index j) {
  return s.transitions ? double{s.transitions(i, j)} : 0;
}
double first(const CrfScores<float>& s, Index j) { return s.start ? double{s.start[j]} : 0; }
double last(const CrfScores<float>& s, Index j) { return s.end ? double{s.end[j]} : 0; }

double log_sum(const std::vector<double>& terms) {
  if (terms.empty()) return -HUGE_VAL;
  const double top = *std::max_element(terms.begin(), terms.end());
  double sum = 0;
  for (double term : terms) sum += std::exp(term - top);
  return top + std::log(sum);
}

/// Log of the sum over all paths.
double log_normalizer(const CrfScores<float>& s, Index b, Index length) {
  const Index K = s.labels();
  std::vector<double> before, now, terms;
  for (Index t = 0; t < length; ++t) {
    now.clear();
    for (Index j = 0; j < K; ++j) {
      terms.clear();
      for (Index i = 0; t > 0 && i < K; ++i) {
        const double so_far = before[static_cast<std::size_t>(i)];
        if (s.allows(i, j) && so_far > -HUGE_VAL) {
          terms.push_back(so_far + step(s, i, j));
        }
      }
      if (t == 0 && s.allows(K, j)) terms.push_back(first(s, j));
      now.push_back(log_sum(terms) + double{s.emissions(t, b, j)});
    }
    before.swap(now);
  }
  terms.clear();
  for (Index j = 0; j < K; ++j) {
    const double so_far = before[static_cast<std::size_t>(j)];
    if (s.allows(j, K) && so_far > -HUGE_VAL) terms.push_back(so_far + last(s, j));
  }
  return log_sum(terms);
}

}  // namespace

std::vector<CrfPath> crf_n_best(const CrfScores<float>& s, Index b, Index n) {
  const Index K = s.labels(), length = length_of(s.lengths, b, s.emissions.extent(0));
  if (n <= 0) return {};
  if (length == 0) return {CrfPath{}};
  // lattice[t * K + j]: the n best ways to be at label j after step t.
  std::vector<std::vector<Arrival>> lattice(static_cast<std::size_t>(length * K));
  const auto at = [&](Index t, Index j) -> std::vector<Arrival>& {
    return lattice[static_cast<std::size_t>(t * K + j)];
  };
  for (Index t = 0; t < length; ++t) {
    for (Index j = 0; j < K; ++j) {
      std::vector<Arrival>& here = at(t, j);
      const double emission = s.emissions(t, b, j);
      if (t == 0 && s.allows(K, j)) here.push_back({first(s, j) + emission, 0, 0});
      for (Index i = 0; t > 0 && i < K; ++i) {
        if (!s.allows(i, j)) continue;
        const double way = step(s, i, j) + emission;
        const std::vector<Arrival>& before = at(t - 1, i);
        for (std::size_t rank = 0; rank < before.size(); ++rank) {
          here.push_back({before[rank].score + way, i, static_cast<Index>(rank)});
        }
      }
      keep_best(here, n);
    }
  }
  std::vector<Arrival> ends;
  for (Index j = 0; j < K; ++j) {
    if (!s.allows(j, K)) continue;
    const std::vector<Arrival>& here = at(length - 1, j);
    for (std::size_t rank = 0; rank < here.size(); ++rank) {
      ends.push_back({here[rank].score + last(s, j), j, static_cast<Index>(rank)});
    }
  }
  keep_best(ends, n);

  const double log_z = log_normalizer(s, b, length);
  std::vector<CrfPath> paths;
  for (const Arrival& end : ends) {
    CrfPath path{.log_prob = end.score - log_z};
    Index label = end.from, rank = end.rank;
    for (Index t = length - 1; t >= 0; --t) {
      path.labels.push_back(static_cast<std::int32_t>(label));
      const Arrival& here = at(t, label)[static_cast<std::size_t>(rank)];
      label = here.from;
      rank = here.rank;
    }
    std::reverse(path.labels.begin(), path.labels.end());
    paths.push_back(std::move(path));
  }
  return paths;
}

std::vector<std::int32_t> crf_best_labels(const CrfScores<float>& s, Index b) {
  const Index K = s.labels(), length = length_of(s.lengths, b, s.emissions.extent(0));
  if (length == 0) return {};
  const auto width = static_cast<std::size_t>(K);
  // steps[j * K + i]: from label i to label j, so that the loop over i runs through memory.
  std::vector<double> steps(width * width), before(width), now(width);
  for (Index j = 0; j < K; ++j) {
    for (Index i = 0; i < K; ++i) {
      steps[static_cast<std::size_t>(j * K + i)] = s.allows(i, j) ? step(s, i, j) : -HUGE_VAL;
    }
  }
  std::vector<std::int32_t> from(static_cast<std::size_t>(length) * width);
  for (Index j = 0; j < K; ++j) {
    before[static_cast<std::size_t>(j)] =
        s.allows(K, j) ? first(s, j) + double{s.emissions(0, b, j)} : -HUGE_VAL;
  }
  for (Index t = 1; t < length; ++t) {
    for (std::size_t j = 0; j < width; ++j) {
      const double emission = s.emissions(t, b, static_cast<Index>(j));
      double top = -HUGE_VAL;
      std::int32_t best = 0;
      for (std::size_t i = 0; i < width; ++i) {
        const double score = before[i] + (steps[j * width + i] + emission);
        if (score > top) {
          top = score;
          best = static_cast<std::int32_t>(i);
        }
      }
      now[j] = top;
      from[static_cast<std::size_t>(t) * width + j] = best;
    }
    before.swap(now);
  }
  double top = -HUGE_VAL;
  std::int32_t label = 0;
  for (Index j = 0; j < K; ++j) {
    const double score =
        s.allows(j, K) ? before[static_cast<std::size_t>(j)] + last(s, j) : -HUGE_VAL;
    if (score > top) {
      top = score;
      label = static_cast<std::int32_t>(j);
    }
  }
  if (top == -HUGE_VAL) return {};  // no path is possible
  std::vector<std::int32_t> labels(static_cast<std::size_t>(length));
  for (Index t = length - 1; t >= 0; --t) {
    labels[static_cast<std::size_t>(t)] = label;
    label = from[static_cast<std::size_t>(t) * width + static_cast<std::size_t>(label)];
  }
  return labels;
}

CrfPath crf_viterbi(const CrfScores<float>& scores, Index b) {
  std::vector<CrfPath> best = crf_n_best(scores, b, 1);
  return best.empty() ? CrfPath{} : std::move(best.front());
}

}  // namespace rnn
