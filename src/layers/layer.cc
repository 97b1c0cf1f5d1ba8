#include "rnn/layer.h"

namespace rnn {

View<float> CallMemory::floats(std::size_t slot, const Shape& shape) {
  while (tensors_.size() <= slot) tensors_.emplace_back(memory_);
  tensors_[slot].resize(shape);
  return tensors_[slot];
}

std::span<std::byte> CallMemory::bytes(std::size_t slot, std::size_t count) {
  while (buffers_.size() <= slot) buffers_.emplace_back(memory_);
  buffers_[slot].resize({static_cast<Index>(count)});
  return {buffers_[slot].data(), count};
}

std::span<std::byte> CallMemory::bytes(std::size_t slot) {
  return {buffers_[slot].data(), static_cast<std::size_t>(buffers_[slot].size())};
}

CallMemory& CallMemory::child(std::size_t number) {
  while (children_.size() <= number) children_.push_back(std::make_unique<CallMemory>(memory_));
  return *children_[number];
}

std::size_t CallMemory::size() const {
  std::size_t total = 0;
  for (const auto& tensor : tensors_) total += tensor.capacity() * sizeof(float);
  for (const auto& buffer : buffers_) total += buffer.capacity();
  for (const auto& child : children_) total += child->size();
  if (kept_) total += kept_->size();
  return total;
}

std::optional<Signal> Layer::input() const { return std::nullopt; }
bool Layer::causal() const { return true; }
std::vector<ParameterSpec> Layer::parameters(const Signal&) const { return {}; }
std::vector<StateSpec> Layer::states(const Signal&) const { return {}; }
KernelPath Layer::path(const Backend&, const Signal&) const { return {}; }

}  // namespace rnn
