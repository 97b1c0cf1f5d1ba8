#include "rnn/parameters.h"

#include <atomic>

#include "rnn/error.h"

namespace rnn {

void TensorList::add(std::string name, Tensor tensor) {
  entries_.push_back({std::move(name), std::move(tensor)});
}

std::size_t TensorList::find(std::string_view name) const {
  std::size_t i = 0;
  while (i < entries_.size() && entries_[i].name != name) ++i;
  return i;
}

Tensor& TensorList::at(std::string_view name) {
  return const_cast<Tensor&>(std::as_const(*this).at(name));
}

const Tensor& TensorList::at(std::string_view name) const {
  const std::size_t i = find(name);
  if (i < entries_.size()) return entries_[i].tensor;
  std::string known;
  for (const NamedTensor& entry : entries_) known += " " + entry.name;
  throw ConfigError("no tensor is named '" + std::string(name) + "'; there are:" + known);
}

Index TensorList::elements() const {
  Index total = 0;
  for (const NamedTensor& entry : entries_) total += entry.tensor.size();
  return total;
}

void TensorList::fill(float value) {
  for (NamedTensor& entry : entries_) entry.tensor.fill(value);
}

void Parameters::changed() {
  // Versions never repeat in a process, so scratch of one network is not mistaken for another's.
  static std::atomic<std::uint64_t> last{0};
  version_ = ++last;
}

}  // namespace rnn
