// Dense products and the embedding table.
#pragma once

#include "kernels/reference/rows.h"
#include "rnn/kernels.h"

namespace rnn::reference {

template <class T>
void dense_forward(const DenseForward<T>& a) noexcept {
  const Index time = a.x.extent(0), batch = a.x.extent(1), F = a.x.extent(2), U = a.y.extent(2);
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < batch; ++b) {
      T* y = &a.y(t, b, 0);
      row(y, U).setZero();
      if (t >= length_of(a.lengths, b, time)) continue;
      if (a.bias) row(y, U) = row(a.bias.data(), U);
      if (a.transposed) {
        add_product_transposed(&a.x(t, b, 0), F, a.kernel.data(), F, y, U);
      } else {
        add_product(&a.x(t, b, 0), F, a.kernel.data(), U, y, U);
      }
    }
  }
}

template <class T>
void dense_backward(const DenseBackward<T>& a) noexcept {
  const Index time = a.x.extent(0), batch = a.x.extent(1), F = a.x.extent(2), U = a.dy.extent(2);
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < batch; ++b) {
      if (a.dx) row(&a.dx(t, b, 0), F).setZero();
      if (t >= length_of(a.lengths, b, time)) continue;
      const T* x = &a.x(t, b, 0);
      const T* dy = &a.dy(t, b, 0);
      if (a.dbias) row(a.dbias.data(), U) += row(dy, U);
      if (a.transposed) {
        if (a.dx) add_product(dy, U, a.kernel.data(), F, &a.dx(t, b, 0), F);
        if (a.dkernel) add_outer(dy, U, x, F, a.dkernel.data(), F);
      } else {
        if (a.dx) add_product_transposed(dy, U, a.kernel.data(), U, &a.dx(t, b, 0), F);
        if (a.dkernel) add_outer(x, F, dy, U, a.dkernel.data(), U);
      }
    }
  }
}

template <class T>
void embedding_forward(const EmbeddingForward<T>& a) noexcept {
  const Index time = a.ids.extent(0), batch = a.ids.extent(1), E = a.y.extent(2);
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < batch; ++b) {
      const std::int32_t id = a.ids(t, b);
      row(&a.y(t, b, 0), E).setZero();
      if (id < 0 || t >= length_of(a.lengths, b, time)) continue;
      row(&a.y(t, b, 0), E) = row(&a.table(id, 0), E) * a.factor(id);
    }
  }
}

template <class T>
void embedding_backward(const EmbeddingBackward<T>& a) noexcept {
  const Index time = a.ids.extent(0), batch = a.ids.extent(1), E = a.dy.extent(2);
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < batch; ++b) {
      const std::int32_t id = a.ids(t, b);
      if (id < 0 || t >= length_of(a.lengths, b, time)) continue;
      row(&a.dtable(id, 0), E) += row(&a.dy(t, b, 0), E) * a.factor(id);
    }
  }
}

}  // namespace rnn::reference
