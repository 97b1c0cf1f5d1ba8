#include "rnn/conv1d.h"

#include <algorithm>

#include "layers/affine.h"
#include "layers/option_fields.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kWindows, kY, kDy, kDWindows, kDx };
enum Buffer : std::size_t { kLengths, kForwardScratch, kBackwardScratch };

/// A buffer of the call's memory as lengths.
std::span<std::int32_t> as_lengths(std::span<std::byte> bytes) {
  return {reinterpret_cast<std::int32_t*>(bytes.data()), bytes.size() / sizeof(std::int32_t)};
}

template <class Views>
auto first_or_null(const Views& views) {
  using V = std::remove_cvref_t<decltype(views[0])>;
  return views.empty() ? V{} : views[0];
}

/// Of windows, as vectors of kernel_size * F.
Affine affine(const Conv1DOptions& options) {
  return {.bias = bias_after_kernel(options.use_bias),
          .activation = options.activation,
          .y = kY,
          .dx = kDWindows,
          .activated = kDy,
          .forward_scratch = kForwardScratch,
          .backward_scratch = kBackwardScratch};
}

/// The vectors of so many steps are one, which must be no wider than others. Divided: the product
/// could overflow. A step may ask, so that text is made for the message alone.
void require_window(const char* what, Index steps, const Signal& input) {
  if (input.size <= kMostWide / steps) return;
  throw ConfigError("Conv1D: " + std::string(what) + " " + std::to_string(steps) +
                    ": expected at most " + std::to_string(kMostWide) +
                    " numbers in all its steps, each of them has " + std::to_string(input.size));
}

}  // namespace

void Conv1DOptions::exchange(Fields& fields) {
  fields("filters", filters);
  fields("kernel_size", kernel_size);
  fields("strides", strides);
  fields("dilation_rate", dilation_rate);
  fields.choice("padding", padding, {"valid", "same", "causal"});
  fields("use_bias", use_bias);
  exchange_activation(fields, "activation", activation);
  exchange_initializer(fields, "kernel_initializer", kernel_initializer);
}

Conv1D::Conv1D(const Conv1DOptions& options) : options_(options) {
  require_size(type(), "filters", options.filters);
  require_size(type(), "kernel_size", options.kernel_size);
  require_size(type(), "strides", options.strides);
  require_size(type(), "dilation_rate", options.dilation_rate);
}

void Conv1D::describe(Fields& fields) const { show(options_, fields); }

bool Conv1D::causal() const {
  return options_.padding == Padding::kCausal && options_.strides == 1;
}

Signal Conv1D::output(const Signal& input) const {
  require_vectors(type(), input);
  require_window("kernel_size", options_.kernel_size, input);
  if (streams()) require_window("kernel_size and dilation_rate: a context of", left(), input);
  return Signal::vectors(options_.filters);
}

std::vector<ParameterSpec> Conv1D::parameters(const Signal& input) const {
  std::vector<ParameterSpec> specs{{"kernel",
                                    {options_.kernel_size * input.size, options_.filters},
                                    options_.kernel_initializer}};
  if (options_.use_bias) specs.push_back({"bias", {options_.filters}});
  return specs;
}

std::vector<StateSpec> Conv1D::states(const Signal& input) const {
  if (!streams()) return {};
  return {{"context", left() * input.size}};
}

Index Conv1D::places(Index length) const {
  if (options_.padding != Padding::kValid) {
    return (length + options_.strides - 1) / options_.strides;
  }
  return length < span() ? 0 : (length - span()) / options_.strides + 1;
}

Index Conv1D::left() const {
  if (options_.padding == Padding::kValid) return 0;
  return options_.padding == Padding::kSame ? (span() - 1) / 2 : span() - 1;
}

bool Conv1D::streams() const {
  return options_.padding == Padding::kCausal && options_.strides == 1 && span() > 1;
}

bool Conv1D::needs_lengths(const Sequence& x) const {
  return !x.lengths.empty() || places(x.time()) == 0;
}

Sequence Conv1D::forward(const Sequence& x, Call& call) const {
  const Index time = x.time(), batch = x.batch(), F = x.values.extent(2);
  const Index steps = std::max<Index>(1, places(time));
  const auto all = as_lengths(
      call.memory->bytes(kLengths, static_cast<std::size_t>(batch) * sizeof(std::int32_t)));
  const auto lengths = all.first(needs_lengths(x) ? all.size() : 0);
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    lengths[b] =
        static_cast<std::int32_t>(places(length_of(x.lengths, static_cast<Index>(b), time)));
  }
  const View<float> windows =
      call.memory->floats(kWindows, {steps, batch, options_.kernel_size * F});
  call.backend->window_forward({.x = x.values,
                                .lengths = x.lengths,
                                .y_lengths = lengths,
                                .stride = options_.strides,
                                .dilation = options_.dilation_rate,
                                .left = left(),
                                .context = first_or_null(call.state),
                                .y = windows,
                                .new_context = first_or_null(call.new_state)});
  const View<float> y = affine(options_).forward({.values = windows, .lengths = lengths}, call);
  return {.values = y, .lengths = lengths, .examples = x.examples};
}

View<const float> Conv1D::backward(const Sequence& x, View<const float> dy, Call& call) const {
  const View<float> windows = call.memory->floats(kWindows);
  const auto all = as_lengths(call.memory->bytes(kLengths));
  const auto lengths = all.first(needs_lengths(x) ? all.size() : 0);
  const View<float> dcontext = first_or_null(call.dstate);
  const bool goes_on = call.wants_dx || dcontext;
  const View<float> dwindows =
      affine(options_).backward({.values = windows, .lengths = lengths}, dy, goes_on, call);
  if (!goes_on) return {};
  const View<float> dx = call.memory->floats(kDx, x.values.shape());
  call.backend->window_backward({.lengths = x.lengths,
                                 .y_lengths = lengths,
                                 .stride = options_.strides,
                                 .dilation = options_.dilation_rate,
                                 .left = left(),
                                 .dy = dwindows,
                                 .dnew_context = first_or_null(call.dnew_state),
                                 .dx = dx,
                                 .dcontext = dcontext});
  return call.wants_dx ? dx : View<float>();
}

}  // namespace rnn
