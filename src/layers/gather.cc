#include "rnn/gather.h"

#include "layers/option_fields.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kY, kDTable };

View<const float> as_table(const Sequence& table) {
  return table.values.reshaped({table.batch(), table.values.extent(2)});
}

}  // namespace

void Gather::describe(Fields&) const {}

bool Gather::aligned() const { return false; }

Signal Gather::output(std::span<const Signal> inputs) const {
  if (inputs.size() != 2) {
    throw ConfigError("Gather: expected two inputs, a table and row numbers, got " +
                      std::to_string(inputs.size()));
  }
  require_vectors(type(), inputs[0]);
  if (inputs[1].kind != Signal::Kind::kRows) {
    throw ConfigError("Gather: the second input must be Signal::rows(), got " +
                      inputs[1].to_string());
  }
  return inputs[0];
}

Sequence Gather::forward(std::span<const Sequence> inputs, Call& call) const {
  const Sequence &table = inputs[0], &rows = inputs[1];
  if (table.time() != 1) {
    throw ShapeError("the table must be one vector a sequence, [1,U,F], got " +
                     table.values.shape().to_string() + "; pool it over time first");
  }
  for (Index t = 0; t < rows.time(); ++t) {
    for (Index b = 0; b < rows.batch(); ++b) {
      if (rows.ids(t, b) >= table.batch() && t < length_of(rows.lengths, b, rows.time())) {
        throw ShapeError("row " + std::to_string(rows.ids(t, b)) + " at step " + std::to_string(t) +
                         " of sequence " + std::to_string(b) + " is not below " +
                         std::to_string(table.batch()) + ", the number of sequences in the table");
      }
    }
  }
  const View<float> y =
      call.memory->floats(kY, {rows.time(), rows.batch(), table.values.extent(2)});
  call.backend->embedding_forward(
      {.ids = rows.ids, .lengths = rows.lengths, .table = as_table(table), .y = y});
  return {.values = y, .lengths = rows.lengths, .examples = rows.examples};
}

void Gather::backward(std::span<const Sequence> inputs, View<const float> dy, Call& call,
                      std::span<View<const float>> dx) const {
  const Sequence &table = inputs[0], &rows = inputs[1];
  const View<float> dtable = call.memory->floats(kDTable, table.values.shape());
  call.backend->fill(dtable, 0);
  call.backend->embedding_backward({.ids = rows.ids,
                                    .lengths = rows.lengths,
                                    .dy = dy,
                                    .dtable = dtable.reshaped(as_table(table).shape())});
  dx[0] = dtable;
  dx[1] = {};
}

}  // namespace rnn
