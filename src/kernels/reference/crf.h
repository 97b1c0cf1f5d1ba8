// The linear-chain CRF: forward-backward over one sequence at a time, in logarithms.
#pragma once

#include <type_traits>

#include "kernels/reference/rows.h"
#include "rnn/loss_kernels.h"

namespace rnn::reference {

template <class T>
using Wide = std::conditional_t<std::is_same_v<T, float>, double, T>;

/// The logarithm of "no path": far below any score, yet a number, so that no difference of two is
/// undefined.
constexpr double kNoPath = -1e300;

/// A running log of a sum of exponentials over terms known beforehand.
template <class W>
W log_sum(const W* terms, Index n) {
  using std::exp, std::log;
  W top = terms[0];
  for (Index i = 1; i < n; ++i) {
    if (real_part(terms[i]) > real_part(top)) top = terms[i];
  }
  W sum(0);
  for (Index i = 0; i < n; ++i) sum += exp(terms[i] - top);
  return top + log(sum);
}

/// Forward-backward over sequence b; with targets over the paths that agree with them.
template <class T>
class CrfLattice {
 public:
  using W = Wide<T>;

  CrfLattice(const CrfScores<T>& scores, View<const std::int32_t> targets, Index b, W* memory)
      : s_(scores),
        targets_(targets),
        b_(b),
        length_(length_of(scores.lengths, b, scores.emissions.extent(0))),
        K_(scores.labels()),
        alpha_(memory),
        beta_(memory + scores.emissions.extent(0) * K_),
        terms_(beta_ + scores.emissions.extent(0) * K_) {}

  Index length() const { return length_; }

  /// Log of the sum over all paths; the sequence must not be empty.
  W run_forward() {
    for (Index j = 0; j < K_; ++j) {
      alpha(0, j) = passes(0, j) && s_.allows(K_, j) ? W(s_.start[j]) + emission(0, j) : W(kNoPath);
    }
    for (Index t = 1; t < length_; ++t) {
      for (Index j = 0; j < K_; ++j) {
        if (!passes(t, j)) {
          alpha(t, j) = W(kNoPath);
          continue;
        }
        for (Index i = 0; i < K_; ++i) {
          terms_[i] = s_.allows(i, j) ? alpha(t - 1, i) + W(s_.transitions(i, j)) : W(kNoPath);
        }
        alpha(t, j) = log_sum(terms_, K_) + emission(t, j);
      }
    }
    for (Index j = 0; j < K_; ++j) terms_[j] = alpha(length_ - 1, j) + last(j);
    return log_z_ = log_sum(terms_, K_);
  }

  /// After run_forward.
  void run_backward() {
    for (Index j = 0; j < K_; ++j) beta(length_ - 1, j) = last(j);
    for (Index t = length_ - 2; t >= 0; --t) {
      for (Index i = 0; i < K_; ++i) {
        if (!passes(t, i)) {
          beta(t, i) = W(kNoPath);
          continue;
        }
        for (Index j = 0; j < K_; ++j) {
          terms_[j] = passes(t + 1, j) && s_.allows(i, j)
                          ? W(s_.transitions(i, j)) + emission(t + 1, j) + beta(t + 1, j)
                          : W(kNoPath);
        }
        beta(t, i) = log_sum(terms_, K_);
      }
    }
  }

  /// Probability of label j at step t, after run_backward.
  W marginal(Index t, Index j) const {
    using std::exp;
    return passes(t, j) ? exp(alpha(t, j) + beta(t, j) - log_z_) : W(0);
  }
  /// Probability of label i at step t and label j after it.
  W pair(Index t, Index i, Index j) const {
    using std::exp;
    if (!passes(t, i) || !passes(t + 1, j) || !s_.allows(i, j)) return W(0);
    return exp(alpha(t, i) + W(s_.transitions(i, j)) + emission(t + 1, j) + beta(t + 1, j) -
               log_z_);
  }

 private:
  bool passes(Index t, Index j) const {
    return !targets_ || targets_(t, b_) < 0 || targets_(t, b_) == j;
  }
  W emission(Index t, Index j) const { return W(s_.emissions(t, b_, j)); }
  W last(Index j) const { return s_.allows(j, K_) ? W(s_.end[j]) : W(kNoPath); }
  W& alpha(Index t, Index j) { return alpha_[t * K_ + j]; }
  W& beta(Index t, Index j) { return beta_[t * K_ + j]; }
  const W& alpha(Index t, Index j) const { return alpha_[t * K_ + j]; }
  const W& beta(Index t, Index j) const { return beta_[t * K_ + j]; }

  const CrfScores<T>& s_;
  View<const std::int32_t> targets_;
  Index b_, length_, K_;
  W *alpha_, *beta_, *terms_;
  W log_z_{};
};

template <class T>
void crf_forward(const CrfForward<T>& a) noexcept {
  const Index time = a.scores.emissions.extent(0), batch = a.scores.emissions.extent(1);
  const Index K = a.scores.labels();
  auto* memory = reinterpret_cast<Wide<T>*>(a.scratch.data());
  for (Index b = 0; b < batch; ++b) {
    CrfLattice<T> all(a.scores, {}, b, memory);
    Wide<T> nats(0);
    if (all.length() > 0) nats = all.run_forward();
    if (a.marginals) {
      if (all.length() > 0) all.run_backward();
      for (Index t = 0; t < time; ++t) {
        for (Index j = 0; j < K; ++j) {
          a.marginals(t, b, j) = t < all.length() ? T(all.marginal(t, j)) : T(0);
        }
      }
    }
    if (a.targets && all.length() > 0) {
      nats -= CrfLattice<T>(a.scores, a.targets, b, memory).run_forward();
    }
    if (a.nats) a.nats[b] = T(nats);
  }
}

template <class T>
void crf_backward(const CrfBackward<T>& a) noexcept {
  using W = Wide<T>;
  const Index time = a.scores.emissions.extent(0), batch = a.scores.emissions.extent(1);
  const Index K = a.scores.labels();
  auto* memory = reinterpret_cast<W*>(a.scratch.data());
  W* pairs = memory + 2 * time * K + K;
  W *first = pairs + K * K, *last = first + K;
  std::fill_n(pairs, K * K + 2 * K, W(0));
  for (Index b = 0; b < batch; ++b) {
    for (Index t = 0; t < time; ++t) row(&a.demissions(t, b, 0), K).setZero();
    for (const bool tied : {false, true}) {
      CrfLattice<T> lattice(a.scores, tied ? a.targets : View<const std::int32_t>(), b, memory);
      const Index length = lattice.length();
      if (length == 0) continue;
      lattice.run_forward();
      lattice.run_backward();
      const W scale = a.weights ? W(a.scale) * W(a.weights[b]) : W(a.scale);
      const W weight = tied ? -scale : scale;
      for (Index t = 0; t < length; ++t) {
        for (Index j = 0; j < K; ++j) a.demissions(t, b, j) += T(weight * lattice.marginal(t, j));
        for (Index i = 0; t + 1 < length && i < K; ++i) {
          for (Index j = 0; j < K; ++j) pairs[i * K + j] += weight * lattice.pair(t, i, j);
        }
      }
      for (Index j = 0; j < K; ++j) {
        first[j] += weight * lattice.marginal(0, j);
        last[j] += weight * lattice.marginal(length - 1, j);
      }
    }
  }
  for (Index i = 0; a.dtransitions && i < K * K; ++i) a.dtransitions[i] += T(pairs[i]);
  for (Index j = 0; a.dstart && j < K; ++j) a.dstart[j] += T(first[j]);
  for (Index j = 0; a.dend && j < K; ++j) a.dend[j] += T(last[j]);
}

}  // namespace rnn::reference
