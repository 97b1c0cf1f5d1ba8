// Embedding: rows of a table gathered, and gradients added back to them.
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/embedding.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/native/kernel_table.h"
#include "kernels/native/schedule.h"
#include "kernels/native/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {

void embedding_forward(const EmbeddingForward<float>& a, ThreadPool& pool) {
  const Index time = a.ids.extent(0), batch = a.ids.extent(1), E = a.y.extent(2);
  const int parts = pool.threads_for(time * batch * E);
  pool.run(parts, [&](int part) HWY_ATTR {
    for (Index row = time * batch * part / parts; row < time * batch * (part + 1) / parts; ++row) {
      const Index t = row / batch, b = row % batch, id = a.ids[row];
      float* y = a.y.data() + row * E;
      if (id < 0 || t >= length_of(a.lengths, b, time)) {
        std::memset(y, 0, static_cast<size_t>(E) * sizeof(float));
      } else {
        std::memcpy(y, a.table.data() + id * E, static_cast<size_t>(E) * sizeof(float));
        if (a.rate == 0) continue;
        const FloatVec factor = splat(a.factor(static_cast<std::int32_t>(id)));
        for_vectors(E, [&](Index i, Index n)
                           HWY_ATTR { store_n(hn::Mul(load_n(y + i, n), factor), y + i, n); });
      }
    }
  });
}

// Divided by columns: each thread adds all rows in order to its own columns of the table, so an
// element's order of sums is that of the text.
void embedding_backward(const EmbeddingBackward<float>& a, ThreadPool& pool) {
  const Index time = a.ids.extent(0), batch = a.ids.extent(1), E = a.dy.extent(2);
  const Index vectors = vectors_of(E);
  const int parts = pool.threads_for(time * batch * E);
  pool.run(parts, [&](int part) HWY_ATTR {
    const Index begin = vectors * part / parts * kLanes;
    const Index end = HWY_MIN(E, vectors * (part + 1) / parts * kLanes);
    for (Index row = 0; row < time * batch; ++row) {
      const Index t = row / batch, b = row % batch, id = a.ids[row];
      if (id < 0 || t >= length_of(a.lengths, b, time)) continue;
      const float* dy = a.dy.data() + row * E + begin;
      float* dtable = a.dtable.data() + id * E + begin;
      const float factor = a.factor(static_cast<std::int32_t>(id));
      if (factor == 0) continue;
      const FloatVec scale = splat(factor);
      for_vectors(end - begin, [&](Index i, Index n) HWY_ATTR {
        const FloatVec change = hn::Mul(load_n(dy + i, n), scale);
        store_n(hn::Add(load_n(dtable + i, n), change), dtable + i, n);
      });
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::native {
HWY_EXPORT(embedding_forward);
HWY_EXPORT(embedding_backward);

void fill_embedding(KernelTable& table, int target) {
  table.embedding_forward = HWY_DISPATCH_TABLE(embedding_forward)[target];
  table.embedding_backward = HWY_DISPATCH_TABLE(embedding_backward)[target];
}
}  // namespace rnn::native
#endif
