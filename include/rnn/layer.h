// Layer: a documented forward/backward pair of pure functions, and what it needs to be called.
//
// A layer is immutable. Its parameters, their gradients, the recurrent state, what the forward pass
// keeps for the backward pass and the random numbers all come in from outside, in a Call. So one
// layer serves many threads, a state can be copied like any value, and nothing has to be reset.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/backend.h"
#include "rnn/export.h"
#include "rnn/fields.h"
#include "rnn/initializer.h"
#include "rnn/random.h"
#include "rnn/tensor.h"

namespace rnn {

/// What flows between layers, as a type: symbols numbered 0 .. size-1, vectors `size` wide, or
/// numbers of the rows of something computed (see Gather), whose count each batch has its own.
struct Signal {
  enum class Kind { kSymbols, kVectors, kRows };
  Kind kind = Kind::kVectors;
  Index size = 0;

  static Signal symbols(Index count) { return {Kind::kSymbols, count}; }
  static Signal vectors(Index width) { return {Kind::kVectors, width}; }
  static Signal rows() { return {Kind::kRows, 0}; }
  std::string to_string() const {
    if (kind == Kind::kRows) return "row numbers";
    return (kind == Kind::kSymbols ? "symbols of " : "vectors of ") + std::to_string(size);
  }
  friend bool operator==(const Signal&, const Signal&) = default;
};

/// Vectors that were looked up: at valid steps `values` [T,B,F] are the rows `ids` [T,B] of `table`
/// [V,F], zeros where an id is below 0. Without a change of Call::weights_version the table is
/// the same in every call. Frequent symbols should come first.
struct LookUp {
  View<const std::int32_t> ids{};
  View<const float> table{};
  const float* values = nullptr;
};

/// What flows between layers, as a value. One vector for a whole sequence is a sequence of
/// length 1. Padding (steps beyond a length) holds zeros.
struct Sequence {
  View<const std::int32_t> ids{};             ///< [T,B], or null
  View<const float> values{};                 ///< [T,B,F], or null
  std::span<const std::int32_t> lengths{};    ///< [B]; empty: all are T long
  std::span<const std::uint32_t> examples{};  ///< [B]; empty: 0, 1, ...
  LookUp look_up{};                           ///< where `values` come from; see looked_up

  /// How `values` were looked up; null where they were not, or have been replaced or reshaped
  /// since.
  const LookUp* looked_up() const {
    const bool same = values && look_up.values == values.data() &&
                      look_up.ids.shape() == Shape{values.extent(0), values.extent(1)} &&
                      look_up.table.extent(1) == values.extent(2);
    return same ? &look_up : nullptr;
  }
  Index time() const { return ids ? ids.extent(0) : values.extent(0); }
  Index batch() const { return ids ? ids.extent(1) : values.extent(1); }
};

/// A parameter that a layer asks for. A name with a slash is the full path of another layer's
/// parameter, which is then shared.
struct ParameterSpec {
  std::string name;
  Shape shape;
  Initializer initializer{};
  int blocks = 1;         ///< see Initializer
  int only_block = -1;    ///< the one block of a vector to be initialised; the others get zeros
  bool trainable = true;  ///< false: it has no gradient and training leaves it as it is
};

/// A part of a layer's recurrent state: [B,width], zeros at the start of a sequence.
struct StateSpec {
  std::string name;
  Index width = 0;
};

/// Memory of one call of one layer, by slots that the layer numbers itself. What forward leaves
/// here, backward finds. Slots keep their memory from call to call.
class RNN_API CallMemory {
 public:
  explicit CallMemory(std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : memory_(memory) {}

  View<float> floats(std::size_t slot, const Shape& shape);
  /// What `floats` last gave for this slot.
  View<float> floats(std::size_t slot) { return tensors_[slot]; }
  std::span<std::byte> bytes(std::size_t slot, std::size_t count);
  /// What `bytes` last gave for this slot.
  std::span<std::byte> bytes(std::size_t slot);
  /// Memory of a layer inside this one.
  CallMemory& child(std::size_t number);
  /// Anything else that a layer keeps from call to call.
  class Kept {
   public:
    virtual ~Kept() = default;
    virtual std::size_t size() const = 0;  ///< in bytes
  };
  /// The one kept here, made with this memory's resource when there is none yet.
  template <std::derived_from<Kept> T>
  T& kept() {
    if (!kept_) kept_ = std::make_unique<T>(memory_);
    return static_cast<T&>(*kept_);
  }
  /// All that is held, in bytes.
  std::size_t size() const;

 private:
  std::pmr::memory_resource* memory_;
  std::vector<Tensor> tensors_;
  std::vector<BasicTensor<std::byte>> buffers_;
  std::vector<std::unique_ptr<CallMemory>> children_;
  std::unique_ptr<Kept> kept_;
};

/// Everything a layer's forward and backward are given beside their input.
struct Call {
  const Backend* backend = nullptr;
  CallMemory* memory = nullptr;
  bool training = false;  ///< regularisers act, and what backward needs is kept
  Random random{};        ///< folded with seed, step and layer
  std::uint64_t weights_version = 0;
  CallMemory* shared_scratch = nullptr;  ///< one for all layers of a pass; null: each its own

  std::span<const View<const float>> parameters{};  ///< in the order of Layer::parameters
  std::span<const View<float>> gradients{};         ///< added to; a null view: frozen

  std::span<const View<const float>> state{};       ///< before the first step
  std::span<const View<float>> new_state{};         ///< after the last; null views: not wanted
  std::span<const View<const float>> dnew_state{};  ///< backward; empty: zeros
  std::span<const View<float>> dstate{};            ///< backward; empty: not wanted
  float loss_scale = 1;                             ///< backward: what the summed loss is times
  bool wants_dx = true;                             ///< backward
  View<const float> target_weights{};               ///< [T*B] heads, backward; null: ones

  /// What a kernel needs for itself until it returns. Where training goes on, the layers of a pass
  /// share it, since they run one after another and the weights are others in the next step;
  /// elsewhere it is the byte slot `slot` of `memory`, where a kernel may find weights that it has
  /// packed before.
  std::span<std::byte> scratch(std::size_t slot, std::size_t count) const {
    return shared_scratch ? shared_scratch->bytes(0, count) : memory->bytes(slot, count);
  }
};

class RNN_API Layer {
 public:
  virtual ~Layer() = default;

  /// "LSTM": the name in model files.
  virtual std::string_view type() const noexcept = 0;
  /// Shows every option, as the options' `exchange` does.
  virtual void describe(Fields& fields) const = 0;

  /// What the layer takes, where its options say so: an Embedding its symbols. Otherwise it takes
  /// what it is given.
  virtual std::optional<Signal> input() const;
  /// Whether there is one output a step and it depends on this step and those before alone. A
  /// language model needs that of all its layers.
  virtual bool causal() const;
  /// What comes out when `input` comes in. Throws ConfigError when it cannot be used.
  virtual Signal output(const Signal& input) const = 0;
  /// How many parameters and parts of state there are does not depend on the width of the input,
  /// their shapes may.
  virtual std::vector<ParameterSpec> parameters(const Signal& input) const;
  virtual std::vector<StateSpec> states(const Signal& input) const;
  /// How `backend` would run this layer; an empty path: nothing worth telling.
  virtual KernelPath path(const Backend& backend, const Signal& input) const;

  /// The result lives in call.memory (or is `x` itself) until the next call with that memory.
  virtual Sequence forward(const Sequence& x, Call& call) const = 0;
  /// dx for dy, after a forward call in training with the same x and memory; null unless wants_dx.
  virtual View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const = 0;
};

/// A layer by its type and options, as a model file has them. Throws ConfigError for a type that
/// nobody knows.
RNN_API std::shared_ptr<const Layer> make_layer(std::string_view type, Fields& options);

}  // namespace rnn
