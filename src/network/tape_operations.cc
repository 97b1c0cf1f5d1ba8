// The operations of a tape: each records what it was done with, and how to go back.
#include <algorithm>
#include <array>

#include "layers/option_fields.h"
#include "network/tape.h"

namespace rnn {
namespace {

using Record = Tape::Record;

enum Slot : std::size_t { kY, kDa, kDb, kDg, kZeros, kPart };
enum Buffer : std::size_t { kForwardScratch, kBackwardScratch };

[[noreturn]] void wrong(const std::string& operation, const std::string& what) {
  throw ShapeError("tape, " + operation + ": " + what);
}

void require_values(const std::string& operation, const Sequence& x) {
  if (!x.values) wrong(operation, "expected vectors, got symbols");
}

void require_same(const std::string& operation, const Sequence& a, const Sequence& b,
                  bool same_width = true) {
  require_values(operation, a);
  require_values(operation, b);
  const Shape one = a.values.shape(), other = b.values.shape();
  if (one[0] != other[0] || one[1] != other[1] || (same_width && one[2] != other[2])) {
    wrong(operation, "expected " + one.to_string() + " twice, got " + other.to_string());
  }
  for (Index i = 0; i < a.batch(); ++i) {
    if (length_of(a.lengths, i, a.time()) != length_of(b.lengths, i, b.time())) {
      wrong(operation, "sequence " + std::to_string(i) + " is " +
                           std::to_string(length_of(a.lengths, i, a.time())) + " and " +
                           std::to_string(length_of(b.lengths, i, b.time())) + " steps long");
    }
  }
}

Sequence like(const Sequence& x, View<const float> values) {
  return {.values = values, .lengths = x.lengths, .examples = x.examples};
}

View<const float> gradient_of_result(Tape& tape, const Record& record) {
  return tape.at(record.output).gradient;
}

View<float> zeros(CallMemory& memory, std::size_t slot, const Shape& shape) {
  const View<float> view = memory.floats(slot, shape);
  std::fill(view.begin(), view.end(), 0.0f);
  return view;
}

/// Copies a sequence of values, with zeros in the padding.
void copy(const Tape& tape, View<const float> from, std::span<const std::int32_t> lengths,
          View<float> to) {
  tape.step().backend->merge_forward({.a = from, .lengths = lengths, .y = to});
}

TapeValue merge(Tape& tape, const std::string& name, Merge kind, TapeValue a, TapeValue b) {
  const std::array<TapeValue, 2> both{a, b};
  const Sequence &x = tape.value(a).sequence, &y = tape.value(b).sequence;
  require_same(name, x, y, kind != Merge::kConcat);
  const Tape::Back back = kind == Merge::kSum ? +[](Tape& t, Record& r) {
    const View<const float> dy = gradient_of_result(t, r);
    t.add_gradient(r.inputs[0], dy);
    t.add_gradient(r.inputs[1], dy);
  } : kind == Merge::kMul ? +[](Tape& t, Record& r) {
    const View<float> da = r.memory.floats(kDa, r.sequences[0].values.shape());
    const View<float> db = r.memory.floats(kDb, r.sequences[1].values.shape());
    t.step().backend->merge_backward({.merge = Merge::kMul,
                                      .a = r.sequences[0].values,
                                      .b = r.sequences[1].values,
                                      .lengths = r.sequences[0].lengths,
                                      .dy = gradient_of_result(t, r),
                                      .da = da,
                                      .db = db});
    t.add_gradient(r.inputs[0], da);
    t.add_gradient(r.inputs[1], db);
  } : +[](Tape& t, Record& r) {
    const View<float> da = r.memory.floats(kDa, r.sequences[0].values.shape());
    const View<float> db = r.memory.floats(kDb, r.sequences[1].values.shape());
    t.step().backend->merge_backward({.lengths = r.sequences[0].lengths,
                                      .dy = gradient_of_result(t, r),
                                      .da = da,
                                      .db = db});
    t.add_gradient(r.inputs[0], da);
    t.add_gradient(r.inputs[1], db);
  };
  Record& record = tape.record(back, both);
  const Sequence &first = record.sequences[0], &second = record.sequences[1];
  const Index width =
      first.values.extent(2) + (kind == Merge::kConcat ? second.values.extent(2) : 0);
  const View<float> result = record.memory.floats(kY, {first.time(), first.batch(), width});
  tape.step().backend->merge_forward({.merge = kind,
                                      .a = first.values,
                                      .b = second.values,
                                      .lengths = first.lengths,
                                      .y = result});
  return tape.emit(record, like(first, result));
}

/// The part of a sequence that is `count` steps from `first` on.
template <class T>
View<T> some_steps(View<T> all, Index first, Index count) {
  if (!all) return {};
  Shape shape{count, all.extent(1)};
  if (all.shape().rank() == 3) shape = {count, all.extent(1), all.extent(2)};
  return {all.data() + first * all.shape().tail().size(), shape};
}

}  // namespace

TapeOperations::TapeOperations() = default;
TapeOperations::~TapeOperations() = default;
TapeOperations::TapeOperations(TapeOperations&&) noexcept = default;
TapeOperations& TapeOperations::operator=(TapeOperations&&) noexcept = default;

TapeValue TapeOperations::input(const Sequence& sequence) {
  return tape_->input(sequence, static_cast<bool>(sequence.values));
}

Sequence TapeOperations::value(TapeValue value) const { return tape_->value(value).sequence; }

TapeValue TapeOperations::add(TapeValue a, TapeValue b) {
  return merge(*tape_, "add", Merge::kSum, a, b);
}

TapeValue TapeOperations::mul(TapeValue a, TapeValue b) {
  return merge(*tape_, "mul", Merge::kMul, a, b);
}

TapeValue TapeOperations::scale(TapeValue a, float factor) {
  require_values("scale", tape_->value(a).sequence);
  const auto back = [](Tape& t, Record& r) {
    const View<float> da = r.memory.floats(kDa, r.sequences[0].values.shape());
    t.step().backend->merge_forward({.merge = Merge::kMul,
                                     .a = gradient_of_result(t, r),
                                     .b = r.memory.floats(kPart),
                                     .lengths = r.sequences[0].lengths,
                                     .y = da});
    t.add_gradient(r.inputs[0], da);
  };
  Record& record = tape_->record(back, {&a, 1});
  const Sequence& x = record.sequences[0];
  const View<float> factors = record.memory.floats(kPart, x.values.shape());
  std::fill(factors.begin(), factors.end(), factor);
  const View<float> y = record.memory.floats(kY, x.values.shape());
  tape_->step().backend->merge_forward(
      {.merge = Merge::kMul, .a = x.values, .b = factors, .lengths = x.lengths, .y = y});
  return tape_->emit(record, like(x, y));
}

TapeValue TapeOperations::concat(std::span<const TapeValue> all) {
  if (all.empty()) wrong("concat", "expected values, got none");
  TapeValue y = all.front();
  for (const TapeValue& next : all.subspan(1)) y = merge(*tape_, "concat", Merge::kConcat, y, next);
  return y;
}

TapeValue TapeOperations::concat(std::initializer_list<TapeValue> all) {
  return concat(std::span<const TapeValue>(all.begin(), all.size()));
}

TapeValue TapeOperations::slice(TapeValue a, Index first, Index width) {
  const Sequence& given = tape_->value(a).sequence;
  require_values("slice", given);
  const Index all = given.values.extent(2);
  if (first < 0 || width < 1 || first + width > all) {
    wrong("slice", "expected features within 0 to " + std::to_string(all) + ", got " +
                       std::to_string(width) + " from " + std::to_string(first));
  }
  const auto back = [](Tape& t, Record& r) {
    // Zeros on both sides of dy.
    const Sequence& x = r.sequences[0];
    View<const float> dy = gradient_of_result(t, r);
    const Index after = x.values.extent(2) - r.first - dy.extent(2);
    if (r.first > 0) {
      const View<float> wider = r.memory.floats(kDa, {x.time(), x.batch(), r.first + dy.extent(2)});
      t.step().backend->merge_forward({.a = zeros(r.memory, kZeros, {x.time(), x.batch(), r.first}),
                                       .b = dy,
                                       .lengths = x.lengths,
                                       .y = wider});
      dy = wider;
    }
    if (after > 0) {
      const View<float> wider = r.memory.floats(kDb, x.values.shape());
      t.step().backend->merge_forward({.a = dy,
                                       .b = zeros(r.memory, kDg, {x.time(), x.batch(), after}),
                                       .lengths = x.lengths,
                                       .y = wider});
      dy = wider;
    }
    t.add_gradient(r.inputs[0], dy);
  };
  Record& record = tape_->record(back, {&a, 1});
  record.first = first;
  const Sequence& x = record.sequences[0];
  View<const float> rest = x.values;
  const auto split = [&](Index left, Slot left_slot, Slot right_slot) {
    const Shape one{x.time(), x.batch(), left};
    const Shape other{x.time(), x.batch(), rest.extent(2) - left};
    const View<float> l = record.memory.floats(left_slot, one);
    const View<float> r = record.memory.floats(right_slot, other);
    tape_->step().backend->merge_backward({.lengths = x.lengths, .dy = rest, .da = l, .db = r});
    return std::pair(l, r);
  };
  if (first > 0) rest = split(first, kZeros, kPart).second;
  if (rest.extent(2) > width) rest = split(width, kY, kDg).first;
  return tape_->emit(record, like(x, rest));
}

TapeValue TapeOperations::steps(TapeValue a, Index first, Index count) {
  const Sequence& given = tape_->value(a).sequence;
  if (first < 0 || count < 1 || first + count > given.time()) {
    wrong("steps", "expected steps within 0 to " + std::to_string(given.time()) + ", got " +
                       std::to_string(count) + " from " + std::to_string(first));
  }
  const auto back = [](Tape& t, Record& r) {
    const View<const float> dy = gradient_of_result(t, r);
    const View<float> dx = zeros(r.memory, kDa, r.sequences[0].values.shape());
    copy(t, dy, r.lengths, some_steps(dx, r.first, dy.extent(0)));
    t.add_gradient(r.inputs[0], dx);
  };
  Record& record = tape_->record(back, {&a, 1});
  record.first = first;
  const Sequence& x = record.sequences[0];
  record.lengths.clear();
  for (const std::int32_t length : x.lengths) {
    record.lengths.push_back(
        static_cast<std::int32_t>(std::clamp<Index>(length - first, 0, count)));
  }
  Sequence y{.ids = some_steps(x.ids, first, count),
             .values = some_steps(x.values, first, count),
             .lengths = record.lengths,
             .examples = x.examples};
  return tape_->emit(record, y);
}

TapeValue TapeOperations::stack(std::span<const TapeValue> all) {
  if (all.empty()) wrong("stack", "expected values, got none");
  const auto back = [](Tape& t, Record& r) {
    const View<const float> dy = gradient_of_result(t, r);
    Index first = 0;
    for (std::size_t i = 0; i < r.inputs.size(); ++i) {
      const Index count = r.sequences[i].time();
      t.add_gradient(r.inputs[i], some_steps(dy, first, count));
      first += count;
    }
  };
  Record& record = tape_->record(back, all);
  const Sequence& front = record.sequences.front();
  Index time = 0;
  bool ragged = false;
  for (const Sequence& part : record.sequences) {
    require_values("stack", part);
    if (part.batch() != front.batch() || part.values.extent(2) != front.values.extent(2)) {
      wrong("stack", "expected parts like " + front.values.shape().to_string() + ", got " +
                         part.values.shape().to_string());
    }
    time += part.time();
    ragged = ragged || !part.lengths.empty();
  }
  record.lengths.assign(ragged ? static_cast<std::size_t>(front.batch()) : 0, 0);
  const View<float> y = record.memory.floats(kY, {time, front.batch(), front.values.extent(2)});
  Index first = 0;
  for (const Sequence& part : record.sequences) {
    for (Index b = 0; ragged && b < front.batch(); ++b) {
      const Index length = length_of(part.lengths, b, part.time());
      std::int32_t& whole = record.lengths[static_cast<std::size_t>(b)];
      if (length > 0 && whole < first) {
        wrong("stack", "sequence " + std::to_string(b) + " goes on after it ended");
      }
      whole += static_cast<std::int32_t>(length);
    }
    copy(*tape_, part.values, part.lengths, some_steps(y, first, part.time()));
    first += part.time();
  }
  return tape_->emit(record, {.values = y, .lengths = record.lengths, .examples = front.examples});
}

TapeValue TapeOperations::gate(TapeValue g, TapeValue a, TapeValue b) {
  const std::array<TapeValue, 3> all{g, a, b};
  require_same("gate", tape_->value(a).sequence, tape_->value(b).sequence);
  require_same("gate", tape_->value(a).sequence, tape_->value(g).sequence);
  const auto back = [](Tape& t, Record& r) {
    const Sequence& x = r.sequences[1];
    const View<float> da = r.memory.floats(kDa, x.values.shape());
    const View<float> db = r.memory.floats(kDb, x.values.shape());
    const View<float> dg = r.memory.floats(kDg, x.values.shape());
    t.step().backend->merge_backward({.merge = Merge::kGate,
                                      .a = x.values,
                                      .b = r.sequences[2].values,
                                      .g = r.sequences[0].values,
                                      .lengths = x.lengths,
                                      .dy = gradient_of_result(t, r),
                                      .da = da,
                                      .db = db,
                                      .dg = dg});
    t.add_gradient(r.inputs[0], dg);
    t.add_gradient(r.inputs[1], da);
    t.add_gradient(r.inputs[2], db);
  };
  Record& record = tape_->record(back, all);
  const Sequence& x = record.sequences[1];
  const View<float> y = record.memory.floats(kY, x.values.shape());
  tape_->step().backend->merge_forward({.merge = Merge::kGate,
                                        .a = x.values,
                                        .b = record.sequences[2].values,
                                        .g = record.sequences[0].values,
                                        .lengths = x.lengths,
                                        .y = y});
  return tape_->emit(record, like(x, y));
}

TapeValue TapeOperations::activation(TapeValue a, Activation kind) {
  require_values("activation", tape_->value(a).sequence);
  const auto back = [](Tape& t, Record& r) {
    const View<float> y = r.memory.floats(kY), dx = r.memory.floats(kDa, y.shape());
    t.step().backend->activation_backward({.activation = static_cast<Activation>(r.first),
                                           .y = y,
                                           .dy = gradient_of_result(t, r),
                                           .dx = dx});
    t.add_gradient(r.inputs[0], dx);
  };
  Record& record = tape_->record(back, {&a, 1});
  record.first = static_cast<Index>(kind);
  const Sequence& x = record.sequences[0];
  const View<float> y = record.memory.floats(kY, x.values.shape());
  tape_->step().backend->activation_forward({.activation = kind, .x = x.values, .y = y});
  clear_padding(y, x.lengths);
  return tape_->emit(record, like(x, y));
}

TapeValue TapeOperations::mean_over_time(TapeValue a) {
  require_values("mean_over_time", tape_->value(a).sequence);
  const auto back = [](Tape& t, Record& r) {
    const Sequence& x = r.sequences[0];
    const View<float> dx = r.memory.floats(kDa, x.values.shape());
    t.step().backend->pool_backward({.pooling = Pooling::kMean,
                                     .x = x.values,
                                     .lengths = x.lengths,
                                     .y = r.memory.floats(kY).slice(0),
                                     .dy = gradient_of_result(t, r).slice(0),
                                     .dx = dx});
    t.add_gradient(r.inputs[0], dx);
  };
  Record& record = tape_->record(back, {&a, 1});
  const Sequence& x = record.sequences[0];
  const View<float> y = record.memory.floats(kY, {1, x.batch(), x.values.extent(2)});
  tape_->step().backend->pool_forward(
      {.pooling = Pooling::kMean, .x = x.values, .lengths = x.lengths, .y = y.slice(0)});
  return tape_->emit(record, {.values = y, .examples = x.examples});
}

TapeValue TapeOperations::sum(TapeValue a) {
  require_values("sum", tape_->value(a).sequence);
  const auto back = [](Tape& t, Record& r) {
    const Sequence& x = r.sequences[0];
    const View<float> dx = r.memory.floats(kDa, x.values.shape());
    std::fill(dx.begin(), dx.end(), gradient_of_result(t, r)[0]);
    clear_padding(dx, x.lengths);
    t.add_gradient(r.inputs[0], dx);
  };
  Record& record = tape_->record(back, {&a, 1});
  const Sequence& x = record.sequences[0];
  double total = 0;
  for (Index t = 0; t < x.time(); ++t) {
    for (Index b = 0; b < x.batch(); ++b) {
      if (t >= length_of(x.lengths, b, x.time())) continue;
      for (Index f = 0; f < x.values.extent(2); ++f)
        total += static_cast<double>(x.values(t, b, f));
    }
  }
  const View<float> y = record.memory.floats(kY, {1, 1, 1});
  y[0] = static_cast<float>(total);
  return tape_->emit(record, {.values = y});
}

namespace {

View<const float> as_matrix(const Sequence& x) {
  return x.values.reshaped({x.values.extent(1), x.values.extent(2)});
}

TapeValue dense_of(Tape& tape, std::span<const TapeValue> all) {
  for (const TapeValue& value : all) require_values("dense", tape.value(value).sequence);
  const auto back = [](Tape& t, Record& r) {
    const Sequence &x = r.sequences[0], &kernel = r.sequences[1];
    const Shape matrix = as_matrix(kernel).shape();
    DenseBackward<float> args{.x = x.values,
                              .lengths = x.lengths,
                              .kernel = as_matrix(kernel),
                              .dy = gradient_of_result(t, r),
                              .dkernel = zeros(r.memory, kDb, matrix)};
    if (t.at(r.inputs[0]).needs_gradient) args.dx = r.memory.floats(kDa, x.values.shape());
    if (r.inputs.size() > 2) args.dbias = zeros(r.memory, kDg, {matrix[1]});
    args.scratch = r.memory.bytes(kBackwardScratch, t.step().backend->scratch_bytes(args));
    t.step().backend->dense_backward(args);
    t.add_gradient(r.inputs[0], args.dx);
    t.add_gradient(r.inputs[1], args.dkernel.reshaped({1, matrix[0], matrix[1]}));
    if (r.inputs.size() > 2) t.add_gradient(r.inputs[2], args.dbias.reshaped({1, 1, matrix[1]}));
  };
  Record& record = tape.record(back, all);
  const Sequence &x = record.sequences[0], &kernel = record.sequences[1];
  if (kernel.time() != 1 || kernel.batch() != x.values.extent(2)) {
    wrong("dense", "expected a kernel [1," + std::to_string(x.values.extent(2)) + ",U], got " +
                       kernel.values.shape().to_string());
  }
  const Index units = kernel.values.extent(2);
  DenseForward<float> args{.x = x.values,
                           .lengths = x.lengths,
                           .kernel = as_matrix(kernel),
                           .y = record.memory.floats(kY, {x.time(), x.batch(), units})};
  if (all.size() > 2) {
    const View<const float> bias = record.sequences[2].values;
    if (bias.shape() != Shape{1, 1, units}) {
      wrong("dense",
            "expected a bias [1,1," + std::to_string(units) + "], got " + bias.shape().to_string());
    }
    args.bias = bias.reshaped({units});
  }
  args.scratch = record.memory.bytes(kForwardScratch, tape.step().backend->scratch_bytes(args));
  tape.step().backend->dense_forward(args);
  return tape.emit(record, like(x, args.y));
}

}  // namespace

TapeValue TapeOperations::dense(TapeValue x, TapeValue kernel) {
  return dense_of(*tape_, std::array{x, kernel});
}

TapeValue TapeOperations::dense(TapeValue x, TapeValue kernel, TapeValue bias) {
  return dense_of(*tape_, std::array{x, kernel, bias});
}

TapeValue TapeOperations::stop_gradient(TapeValue a) {
  return tape_->input(tape_->value(a).sequence, false);
}

}  // namespace rnn
