// Parameters: the learned numbers of a network, by name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/export.h"
#include "rnn/tensor.h"

namespace rnn {

struct NamedTensor {
  std::string name;  ///< "lstm_1/recurrent_kernel"
  Tensor tensor;
};

/// Named tensors in the order in which the network declares them: parameters, their gradients, a
/// recurrent state. A value.
class RNN_API TensorList {
 public:
  void add(std::string name, Tensor tensor);

  std::size_t size() const { return entries_.size(); }
  const std::string& name(std::size_t i) const { return entries_[i].name; }
  Tensor& operator[](std::size_t i) { return entries_[i].tensor; }
  const Tensor& operator[](std::size_t i) const { return entries_[i].tensor; }
  auto begin() { return entries_.begin(); }
  auto end() { return entries_.end(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

  /// Position of a name; size() when there is none.
  std::size_t find(std::string_view name) const;
  /// The tensor of that name. Throws ConfigError when there is none.
  Tensor& at(std::string_view name);
  const Tensor& at(std::string_view name) const;
  /// Numbers held in all.
  Index elements() const;
  void fill(float value);

 private:
  std::vector<NamedTensor> entries_;
};

/// The parameters of a network. `version` changes with every change of the values, so that what a
/// backend derives from weights can be kept while they stay.
class RNN_API Parameters : public TensorList {
 public:
  std::uint64_t version() const { return version_; }
  /// Whoever writes values says so.
  void changed();

 private:
  std::uint64_t version_ = 0;
};

/// The recurrent state of a batch: "lstm/h" [B,H] and so on. A value: copying it forks a sequence.
using State = TensorList;

}  // namespace rnn
