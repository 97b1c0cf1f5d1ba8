// What a call of the recurrent forward kernel keeps in scratch, and the rows of its steps.
#include "kernels/native/cells-inl.h"
#include "kernels/native/known_inputs.h"
#include "kernels/native/product-inl.h"
#include "kernels/native/rows.h"

#if defined(RNN_KERNELS_NATIVE_RECURRENT_FORWARD_PLAN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RNN_KERNELS_NATIVE_RECURRENT_FORWARD_PLAN_INL_H_
#undef RNN_KERNELS_NATIVE_RECURRENT_FORWARD_PLAN_INL_H_
#else
#define RNN_KERNELS_NATIVE_RECURRENT_FORWARD_PLAN_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

using Args = RecurrentForward<float>;

// Without gates to keep, a long text is done in chunks of about so many rows, so that memory does
// not grow with its length.
constexpr Index kChunkRows = 512;
// Under bf16: where a step is all there is and no table, up to so many rows each thread rounds the
// inputs of its rows for itself instead of meeting the others.
constexpr Index kRowsToRoundAlone = 8;

/// Everything a call keeps in scratch.
struct Plan {
  const Bf16Arithmetic* bf16;
  Index I, H, P, width, steps;  // steps: of a chunk
  Tail tail;
  PackedKey* key;
  Index* turn;  // beside the key: 1 where the next step sweeps backwards over the weights
  // Whether pre-activations stand as tiles (see recurrent_tiles-inl.h), and the packed kernel with
  // them; else in plain rows.
  bool tiled;
  float *packed_recurrent, *packed_kernel;
  float *bias, *zeros, *c, *gates, *extra, *tiles;
  float* packed_projection;  // or null
  // Rows of a step, [B,.] each, where options need them:
  float *output, *product, *c_new, *cell_normal;
  float *constant_h, *constant_c;  // z of all steps
  float* masked;                   // [2,B,P] recurrent_mask * h' of even and odd steps, or null
  KnownInputs known;               // of tiles
  // The rows that W multiplies: all valid ones of the chunk but those whose product is known.
  Index inputs;
  const float** x;
  float* x_words;    // under bf16: rounded
  float** input_to;  // where x W goes: input_rows, or a place among what is known
  // For each valid row of the chunk, in the order of steps:
  const float** known_rows;  // what to copy, or null
  float** gate_rows;
  float** input_rows;  // where x W is wanted: tiles, gate_rows, or kept apart to be normalised
  ForwardRow* rows;
  int parts;     // of the batch, in which rows are listed
  Index* first;  // [step * parts + part] first row; one entry more at the end
  float* buffers;
  Index buffer_floats;
};

Plan lay_out(const Args& a, const Bf16Arithmetic* bf16, int threads, Scratch& scratch) {
  const Index time = a.x.extent(0), batch = a.x.extent(1);
  Plan p{};
  p.bf16 = bf16;
  p.I = a.x.extent(2);
  p.P = a.y.extent(2);
  p.width = a.recurrent_kernel.extent(1);
  p.H = p.width / gates_of(a.cell);
  const CellOptions<float>& o = a.options;
  p.tail = {.H = p.H,
            .keep = static_cast<bool>(a.gates),
            .peephole = o.peephole.data(),
            .cell_gamma = o.cell_gamma.data(),
            .cell_beta = o.cell_beta.data(),
            .kernel_gamma = o.kernel_gamma.data(),
            .recurrent_gamma = o.recurrent_gamma.data()};
  p.steps =
      a.gates ? time : std::min(time, std::max<Index>(1, kChunkRows / std::max<Index>(1, batch)));
  const Index rows = p.steps * batch;
  // First what stays packed, at places that depend on weights alone: the next call may have another
  // batch.
  p.key = scratch.take<PackedKey>(1);
  p.turn = scratch.take<Index>(1);
  p.packed_recurrent = scratch.take<float>(packed_floats(bf16, p.P, p.H) * gates_of(a.cell));
  if (!a.gates) {
    p.packed_kernel = scratch.take<float>(packed_floats(bf16, p.I, p.H) * gates_of(a.cell));
  }
  if (o.projection) p.packed_projection = scratch.take<float>(packed_floats(nullptr, p.H, p.P));
  p.tiled = !a.gates && !o.kernel_gamma;
  const Index tile_floats = gates_of(a.cell) * vectors_of(p.H) * kLanes;
  if (p.tiled) p.known = KnownInputs(a, tile_floats, scratch);
  p.bias = scratch.take<float>(tile_floats);
  p.zeros = scratch.take<float>(std::max(p.H, p.P));
  if (is_lstm(a.cell)) p.c = scratch.take<float>(batch * p.H);
  if (!a.gates) p.gates = scratch.take<float>((p.tiled ? batch : rows) * p.width);
  if (p.tiled) p.tiles = scratch.take<float>(rows * tile_floats);
  if (!a.extra && a.cell == Cell::kGruResetBefore) p.extra = scratch.take<float>(batch * p.H);
  if (o.projection && !a.kept.output) p.output = scratch.take<float>(batch * p.H);
  if (o.kernel_gamma) p.product = scratch.take<float>(batch * p.width);
  if (o.cell_gamma) p.c_new = scratch.take<float>(batch * p.H);
  if (o.cell_gamma) p.cell_normal = scratch.take<float>(batch * p.H);
  if (o.zoneout_h_rate > 0) p.constant_h = scratch.take<float>(p.P);
  if (o.zoneout_c_rate > 0) p.constant_c = scratch.take<float>(p.H);
  if (o.recurrent_mask) p.masked = scratch.take<float>(2 * batch * p.P);
  p.x = scratch.take<const float*>(rows);
  if (bf16) {
    p.x_words =
        scratch.take<float>(std::max(rows, threads * kRowsToRoundAlone) * words_of(bf16, p.I));
  }
  p.gate_rows = scratch.take<float*>(rows);
  p.input_rows = scratch.take<float*>(rows);
  p.input_to = p.known ? scratch.take<float*>(rows) : p.input_rows;
  if (p.known) p.known_rows = scratch.take<const float*>(rows);
  p.rows = scratch.take<ForwardRow>(rows);
  p.first = scratch.take<Index>(p.steps * threads + 1);
  p.buffer_floats = product_buffer_floats() + kStepRows * kMaxVectors * kLanes;
  if (bf16) p.buffer_floats += batch * words_of(bf16, p.P);
  p.buffers = scratch.take<float>(p.buffer_floats * threads);
  return p;
}

/// Lists the valid rows of steps [s0, s0 + steps): by step, then by part of the batch.
void list_rows(const Args& a, Plan& p, Index s0, Index steps) {
  const int parts = p.parts;
  const Index tile_floats = gates_of(a.cell) * vectors_of(p.H) * kLanes;
  const Index time = a.x.extent(0), batch = a.x.extent(1);
  const BatchParts division(a.lengths, time, batch, parts);
  const auto at = [&](auto view, Index t, Index b) {
    return view ? view.data() + (t * batch + b) * view.extent(2) : nullptr;
  };
  const auto kept_or = [&](const View<float>& kept, Index t, Index b, float* own, Index width) {
    return kept ? at(kept, t, b) : own ? own + b * width : nullptr;
  };
  const CellOptions<float>& o = a.options;
  Index n = 0;
  p.inputs = 0;
  for (Index s = s0; s < s0 + steps; ++s) {
    for (int part = 0; part < parts; ++part) {
      p.first[(s - s0) * parts + part] = n;
      for (Index b = division.first(part), end = division.first(part + 1); b < end; ++b) {
        const Index length = length_of(a.lengths, b, time);
        if (s >= length) continue;
        const Index t = time_of(s, length, a.go_backwards);
        const Index place = p.tiled ? b : (s - s0) * batch + b;
        p.gate_rows[n] = a.gates ? at(a.gates, t, b) : p.gates + place * p.width;
        const float* h_before =
            s > 0  ? at(View<const float>(a.y), time_of(s - 1, length, a.go_backwards), b)
            : a.h0 ? a.h0.data() + b * p.P
                   : p.zeros;
        const auto masked = [&](Index step) { return p.masked + (step % 2 * batch + b) * p.P; };
        const View<const float>& mask = o.recurrent_mask;
        p.rows[n] = {.gates = p.gate_rows[n],
                     .h_before = h_before,
                     .h_in = mask ? masked(s) : h_before,
                     .c = p.c ? p.c + b * p.H : nullptr,
                     .extra = kept_or(a.extra, t, b, p.extra, p.H),
                     .y = at(a.y, t, b),
                     .mask = mask ? mask.data() + b * p.P : nullptr,
                     .next_in = mask ? masked(s + 1) : nullptr,
                     .zoneout_h = o.zoneout_h ? at(o.zoneout_h, t, b) : p.constant_h,
                     .zoneout_c = o.zoneout_c ? at(o.zoneout_c, t, b) : p.constant_c,
                     .output = kept_or(a.kept.output, t, b, p.output, p.H),
                     .product = p.product ? p.product + b * p.width : nullptr,
                     .recurrent_normal = at(a.kept.recurrent_normal, t, b),
                     .c_new = p.c_new ? p.c_new + b * p.H : nullptr,
                     .cell_normal = kept_or(a.kept.cell_normal, t, b, p.cell_normal, p.H),
                     .inverse_deviation = at(a.kept.inverse_deviation, t, b)};
        p.input_rows[n] = a.kept.kernel_normal ? at(a.kept.kernel_normal, t, b)
                          : p.tiled            ? p.tiles + ((s - s0) * batch + b) * tile_floats
                                               : p.gate_rows[n];
        const KnownInputs::Place place_known = p.known.find(t * batch + b);
        if (place_known.fresh) {
          p.x[p.inputs] = at(a.x, t, b);
          p.input_to[p.inputs++] = place_known.row ? place_known.row : p.input_rows[n];
        }
        if (p.known) p.known_rows[n] = place_known.row;
        ++n;
      }
    }
  }
  p.first[steps * parts] = n;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
