// One optimiser step on one parameter, and what clipping needs.
#pragma once

#include <algorithm>

#include "kernels/reference/rows.h"
#include "rnn/kernels.h"

namespace rnn::reference {

template <class T>
void sgd_step(const SgdStep<T>& a) noexcept {
  const T rate(a.learning_rate), momentum(a.momentum), decay(a.weight_decay);
  for (Index i = 0; i < a.parameter.size(); ++i) {
    T update = T(a.gradient_scale) * a.gradient[i] + decay * a.parameter[i];
    if (a.velocity) {
      const T velocity = momentum * a.velocity[i] + update;
      a.velocity[i] = velocity;
      update = a.nesterov ? update + momentum * velocity : velocity;
    }
    a.parameter[i] -= rate * update;
  }
}

template <class T>
void rmsprop_step(const RmspropStep<T>& a) noexcept {
  using std::sqrt;
  const T rate(a.learning_rate), keep(a.decay), epsilon(a.epsilon), decay(a.weight_decay);
  for (Index i = 0; i < a.parameter.size(); ++i) {
    const T g = T(a.gradient_scale) * a.gradient[i] + decay * a.parameter[i];
    const T s = keep * a.mean_square[i] + (T(1) - keep) * g * g;
    a.mean_square[i] = s;
    a.parameter[i] -= rate * g / (sqrt(s) + epsilon);
  }
}

template <class T>
void adam_step(const AdamStep<T>& a) noexcept {
  using std::sqrt;
  const T rate(a.learning_rate), beta1(a.beta1), beta2(a.beta2), epsilon(a.epsilon);
  const T decay(a.weight_decay), correction1(a.correction1), correction2(a.correction2);
  for (Index i = 0; i < a.parameter.size(); ++i) {
    T g = T(a.gradient_scale) * a.gradient[i];
    if (!a.decoupled) g += decay * a.parameter[i];
    const T m = beta1 * a.mean[i] + (T(1) - beta1) * g;
    const T v = beta2 * a.mean_square[i] + (T(1) - beta2) * g * g;
    a.mean[i] = m;
    a.mean_square[i] = v;
    T update = (m / correction1) / (sqrt(v / correction2) + epsilon);
    if (a.decoupled) update += decay * a.parameter[i];
    a.parameter[i] -= rate * update;
  }
}

template <class T>
double sum_of_squares(View<const T> x) noexcept {
  double sum = 0;
  for (const T& value : x) sum += std::norm(std::complex<double>(value));
  return sum;
}

template <class T>
void clip(View<T> x, float limit) noexcept {
  for (T& value : x) {
    if (real_part(value) > limit) value = T(limit);
    if (real_part(value) < -limit) value = T(-limit);
  }
}

}  // namespace rnn::reference
