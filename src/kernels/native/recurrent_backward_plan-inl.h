// What a call of the recurrent backward kernel keeps in scratch, and the rows of its window.
#include "kernels/native/cells-inl.h"
#include "kernels/native/product-inl.h"
#include "kernels/native/rows.h"

#if defined(RNN_KERNELS_NATIVE_RECURRENT_BACKWARD_PLAN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RNN_KERNELS_NATIVE_RECURRENT_BACKWARD_PLAN_INL_H_
#undef RNN_KERNELS_NATIVE_RECURRENT_BACKWARD_PLAN_INL_H_
#else
#define RNN_KERNELS_NATIVE_RECURRENT_BACKWARD_PLAN_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

using Args = RecurrentBackward<float>;

/// Everything a call keeps in scratch.
struct Plan {
  const Bf16Arithmetic* bf16;
  Index I, H, P, width;
  Tail tail;
  bool beside;  // a gradient also goes round the recurrent product
  PackedKey* key;
  float *packed, *zeros, *dh, *dc;
  const float* mask;               // [B,P], or null
  float *constant_h, *constant_c;  // z of all steps
  // Where options need them:
  float* packed_projection;                    // transposed
  float *dstate, *drecurrent, *dcell, *c_new;  // [T,B,.] see BackwardRow
  float* masked;                               // [T,B,P] recurrent_mask * h' of every step, or null
  // For each row, in the order of steps; the first ones belong to no step but stand for what comes
  // before the first, where dh0 is made.
  BackwardRow* rows;
  const float** gates_after;  // gradients of the step after; what the recurrent product reads
  const float** extra_after;
  Index* sequence;
  Index* first;  // [((step + 1) * parts + part) * 2 + ends]; one entry more at the end
  // The valid rows by time, then by sequence: the order in which the weights' gradients are summed
  // may not depend on how the steps were divided.
  const float** x;
  const float** h_in;
  const float** gates;
  const float** extra;
  const float** dstate_rows;
  const float** output;
  const float** drecurrent_rows;
  const float** dcell_rows;
  const float** recurrent_normal;
  const float** cell_normal;
  const float** c_before;
  const float** c_new_rows;
  float** kernel_normal;
  const float** kernel_deviation;  // CellKept::inverse_deviation
  float** dx;
  float* gate_words;  // under bf16, where dx is wanted: the input's side of `gates`, rounded
  const float** rounded_gates;
  float* buffers;
  Index buffer_floats;
};

Plan lay_out(const Args& a, const Bf16Arithmetic* bf16, int threads, Scratch& scratch) {
  const Index time = a.x.extent(0), batch = a.x.extent(1), rows = (time + 1) * batch;
  Plan p{};
  p.bf16 = bf16;
  p.I = a.x.extent(2);
  p.P = a.y.extent(2);
  p.width = a.recurrent_kernel.extent(1);
  p.H = p.width / gates_of(a.cell);
  const CellOptions<float>& o = a.options;
  p.tail = {.H = p.H,
            .keep = true,
            .peephole = o.peephole.data(),
            .cell_gamma = o.cell_gamma.data(),
            .cell_beta = o.cell_beta.data(),
            .kernel_gamma = o.kernel_gamma.data(),
            .recurrent_gamma = o.recurrent_gamma.data()};
  p.beside = is_gru(a.cell) || o.zoneout_h || o.zoneout_h_rate > 0;
  p.key = scratch.take<PackedKey>(1);
  p.packed = scratch.take<float>(packed_floats(bf16, p.width, p.P));
  p.zeros = scratch.take<float>(std::max(p.H, p.P));
  p.dh = scratch.take<float>(batch * p.P);
  p.dc = scratch.take<float>(batch * p.H);
  p.mask = a.options.recurrent_mask.data();
  if (p.mask) p.masked = scratch.take<float>(time * batch * p.P);
  if (o.zoneout_h_rate > 0) p.constant_h = scratch.take<float>(p.P);
  if (o.zoneout_c_rate > 0) p.constant_c = scratch.take<float>(p.H);
  if (o.projection) p.packed_projection = scratch.take<float>(packed_floats(nullptr, p.P, p.H));
  if (o.projection) p.dstate = scratch.take<float>(time * batch * p.P);
  if (o.kernel_gamma) p.drecurrent = scratch.take<float>(time * batch * p.width);
  if (o.cell_gamma) p.dcell = scratch.take<float>(time * batch * p.H);
  if (a.doptions.dpeephole) p.c_new = scratch.take<float>(time * batch * p.H);
  p.rows = scratch.take<BackwardRow>(rows);
  p.gates_after = scratch.take<const float*>(rows);
  p.extra_after = scratch.take<const float*>(rows);
  p.x = scratch.take<const float*>(rows);
  p.h_in = scratch.take<const float*>(rows);
  p.gates = scratch.take<const float*>(rows);
  p.extra = scratch.take<const float*>(rows);
  for (const float*** list : {&p.dstate_rows, &p.output, &p.drecurrent_rows, &p.dcell_rows,
                              &p.recurrent_normal, &p.cell_normal, &p.c_before, &p.c_new_rows}) {
    *list = scratch.take<const float*>(rows);
  }
  p.kernel_normal = scratch.take<float*>(rows);
  p.kernel_deviation = scratch.take<const float*>(rows);
  p.dx = scratch.take<float*>(rows);
  if (bf16 && a.dx) {
    p.gate_words = scratch.take<float>(time * batch * words_of(bf16, p.width));
    p.rounded_gates = scratch.take<const float*>(rows);
  }
  p.sequence = scratch.take<Index>(rows);
  p.first = scratch.take<Index>((time + 1) * threads * 2 + 1);
  const Index step_floats =
      kStepRows * kMaxVectors * kLanes + (bf16 ? batch * words_of(bf16, p.width) : 0);
  p.buffer_floats = std::max(step_floats, std::max(product_buffer_floats(), outer_buffer_floats()));
  p.buffers = scratch.take<float>(p.buffer_floats * threads);
  return p;
}

template <class T>
T* at(const View<T>& view, Index t, Index b) {
  return view ? view.data() + (t * view.extent(1) + b) * view.extent(2) : nullptr;
}

/// What stands at time t, and the state it came from.
BackwardRow row_at(const Args& a, const Plan& p, Index t, Index b) {
  const Index length = length_of(a.lengths, b, a.x.extent(0)), place = t * a.x.extent(1) + b;
  const bool starts = t == time_of(0, length, a.go_backwards);
  const Index before = a.go_backwards ? t + 1 : t - 1;
  const auto state = [&](const View<const float>& s) {
    return s ? s.data() + b * s.extent(1) : p.zeros;
  };
  const auto own = [place](float* rows, Index width) {
    return rows ? rows + place * width : nullptr;
  };
  const float* h_before = starts ? state(a.h0) : at(View<const float>(a.y), before, b);
  const CellOptions<float>& o = a.options;
  return {.gates = at(a.gates, t, b),
          .h_before = h_before,
          .h_in = p.mask ? own(p.masked, p.P) : h_before,
          .mask = p.mask ? p.mask + b * p.P : nullptr,
          .c_before = starts ? state(a.c0) : at(a.extra, before, b),
          .extra = at(a.extra, t, b),
          .dy = at(a.dy, t, b),
          .dh = p.dh + b * p.P,
          .dc = p.dc + b * p.H,
          .zoneout_h = o.zoneout_h ? at(o.zoneout_h, t, b) : p.constant_h,
          .zoneout_c = o.zoneout_c ? at(o.zoneout_c, t, b) : p.constant_c,
          .c_new = own(p.c_new, p.H),
          .dstate = own(p.dstate, p.P),
          .drecurrent = own(p.drecurrent, p.width),
          .recurrent_normal = at(a.kept.recurrent_normal, t, b),
          .cell_normal = at(a.kept.cell_normal, t, b),
          .inverse_deviation = at(a.kept.inverse_deviation, t, b),
          .dcell = own(p.dcell, p.H)};
}

/// Lists the valid rows by time; returns how many there are.
Index list_window(const Args& a, const Plan& p) {
  const Index time = a.x.extent(0), batch = a.x.extent(1);
  Index n = 0;
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < batch; ++b) {
      if (t >= length_of(a.lengths, b, time)) continue;
      const BackwardRow row = row_at(a, p, t, b);
      p.x[n] = at(a.x, t, b);
      p.dx[n] = at(a.dx, t, b);
      p.gates[n] = row.gates;
      p.extra[n] = row.extra;
      p.h_in[n] = row.h_in;
      p.dstate_rows[n] = row.dstate;
      p.output[n] = at(a.kept.output, t, b);
      p.drecurrent_rows[n] = row.drecurrent;
      p.dcell_rows[n] = row.dcell;
      p.recurrent_normal[n] = row.recurrent_normal;
      p.cell_normal[n] = row.cell_normal;
      p.c_before[n] = row.c_before;
      p.c_new_rows[n] = row.c_new;
      p.kernel_normal[n] = at(a.kept.kernel_normal, t, b);
      p.kernel_deviation[n] = row.inverse_deviation;
      for (Index u = 0; row.mask && u < p.P; ++u) {
        p.masked[(t * batch + b) * p.P + u] = row.mask[u] * row.h_before[u];
      }
      ++n;
    }
  }
  return n;
}

/// Lists the rows by step, then by part of the batch, then those that go on before those that end
/// with this step, to which no later step brings a gradient.
void list_rows(const Args& a, const Plan& p, Index steps, int parts) {
  const Index time = a.x.extent(0), batch = a.x.extent(1);
  const BatchParts division(a.lengths, time, batch, parts);
  Index n = 0, entry = 0;
  for (Index s = -1; s < steps; ++s) {
    for (int part = 0; part < parts; ++part) {
      const Index begin = division.first(part), end = division.first(part + 1);
      for (const bool ends : {false, true}) {
        p.first[entry++] = n;
        for (Index b = begin; b < end; ++b) {
          const Index length = length_of(a.lengths, b, time);
          if (s >= length || (s == length - 1) != ends) continue;
          if (!ends) {
            const Index after = time_of(s + 1, length, a.go_backwards);
            const auto drecurrent = [&] { return p.drecurrent + (after * batch + b) * p.width; };
            p.gates_after[n] = p.tail.kernel_gamma ? drecurrent() : at(a.gates, after, b);
            p.extra_after[n] = at(a.extra, after, b);
          }
          p.sequence[n] = b;
          if (s >= 0) p.rows[n] = row_at(a, p, time_of(s, length, a.go_backwards), b);
          ++n;
        }
      }
    }
  }
  p.first[entry] = n;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
