// Two sequences made one.
#pragma once

#include "kernels/reference/rows.h"
#include "rnn/sequence_kernels.h"

namespace rnn::reference {

template <class T>
void merge_forward(const MergeForward<T>& a) noexcept {
  const Index time = a.y.extent(0), batch = a.y.extent(1), width = a.y.extent(2);
  const Index F = a.a.extent(2);
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < batch; ++b) {
      T* y = &a.y(t, b, 0);
      if (t >= length_of(a.lengths, b, time)) {
        row(y, width).setZero();
        continue;
      }
      const auto p = row(&a.a(t, b, 0), F);
      if (!a.b) {
        row(y, F) = p;
        continue;
      }
      const auto q = row(&a.b(t, b, 0), a.b.extent(2));
      switch (a.merge) {
        case Merge::kConcat:
          row(y, F) = p;
          row(y + F, width - F) = q;
          break;
        case Merge::kSum:
          row(y, F) = p + q;
          break;
        case Merge::kMean:
          row(y, F) = (p + q) * T(0.5);
          break;
        case Merge::kMul:
          row(y, F) = p * q;
          break;
        case Merge::kGate: {
          const auto g = row(&a.g(t, b, 0), F);
          row(y, F) = g * p + (T(1) - g) * q;
          break;
        }
      }
    }
  }
}

template <class T>
void merge_backward(const MergeBackward<T>& a) noexcept {
  const Index time = a.dy.extent(0), batch = a.dy.extent(1), F = a.da.extent(2);
  const Index G = a.db.extent(2);
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < batch; ++b) {
      auto da = row(&a.da(t, b, 0), F), db = row(&a.db(t, b, 0), G);
      if (t >= length_of(a.lengths, b, time)) {
        da.setZero();
        db.setZero();
        if (a.merge == Merge::kGate) row(&a.dg(t, b, 0), F).setZero();
        continue;
      }
      const T* dy = &a.dy(t, b, 0);
      switch (a.merge) {
        case Merge::kConcat:
          da = row(dy, F);
          db = row(dy + F, G);
          break;
        case Merge::kSum:
          da = row(dy, F);
          db = row(dy, F);
          break;
        case Merge::kMean:
          da = row(dy, F) * T(0.5);
          db = row(dy, F) * T(0.5);
          break;
        case Merge::kMul:
          da = row(dy, F) * row(&a.b(t, b, 0), F);
          db = row(dy, F) * row(&a.a(t, b, 0), F);
          break;
        case Merge::kGate: {
          const auto g = row(&a.g(t, b, 0), F);
          da = row(dy, F) * g;
          db = row(dy, F) * (T(1) - g);
          row(&a.dg(t, b, 0), F) = row(dy, F) * (row(&a.a(t, b, 0), F) - row(&a.b(t, b, 0), F));
          break;
        }
      }
    }
  }
}

}  // namespace rnn::reference
