#include "rnn/merging.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "rnn/error.h"
#include "rnn/registry.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/layer_contract.h"
#include "support/random_values.h"

namespace rnn {
namespace {

constexpr Index kTime = 4, kBatch = 3;
const std::vector<std::int32_t> kLengths{4, 0, 2};

bool is_padding(Index t, Index b) { return t >= kLengths[static_cast<std::size_t>(b)]; }

/// What a merging layer must give, element by element.
struct Expected {
  std::function<float(const std::vector<float>&)> y;
  /// Gradient of input i with respect to y = 1.
  std::function<float(const std::vector<float>&, std::size_t)> dx;
};

void check_elementwise(const JointLayer& layer, std::size_t inputs, const Expected& expected) {
  test::for_each_backend([&](const Backend& backend) {
    std::vector<Tensor> x;
    std::vector<Sequence> in;
    for (std::size_t i = 0; i < inputs; ++i) {
      x.push_back(test::random_values<float>({kTime, kBatch, 5}, Random(i + 1)));
      test::poison_padding(x.back(), kLengths);
    }
    for (const Tensor& tensor : x) in.push_back({.values = tensor, .lengths = kLengths});
    const Tensor dy = test::random_values<float>({kTime, kBatch, 5}, Random(99));
    CallMemory memory;
    Call call{.backend = &backend, .memory = &memory, .training = true};
    const Sequence y = layer.forward(in, call);
    std::vector<View<const float>> dx(inputs);
    layer.backward(in, dy, call, dx);
    ASSERT_EQ(y.values.shape(), dy.shape());
    EXPECT_EQ(y.lengths.data(), in[0].lengths.data());
    for (Index i = 0; i < dy.size(); ++i) {
      const Index t = i / (kBatch * 5), b = i / 5 % kBatch;
      if (is_padding(t, b)) {
        EXPECT_EQ(y.values[i], 0);
        continue;
      }
      std::vector<float> values;
      for (const Tensor& tensor : x) values.push_back(tensor[i]);
      EXPECT_EQ(y.values[i], expected.y(values));
      for (std::size_t k = 0; k < inputs; ++k) {
        EXPECT_NEAR(dx[k][i], dy[i] * expected.dx(values, k), 1e-6) << k;
      }
    }
  });
}

const std::vector<std::shared_ptr<const JointLayer>> kMergings{
    std::make_shared<Add>(), std::make_shared<Average>(), std::make_shared<Multiply>(),
    std::make_shared<Concatenate>()};

struct TwiceOptions {
  int which = 0;  // of kMergings
  void exchange(Fields& fields) { fields("which", which); }
};

/// A merging layer given x twice, as a layer of one input: so that the contract can be asked of it.
class Twice : public Layer {
 public:
  explicit Twice(const TwiceOptions& options) : options_(options) {}
  std::string_view type() const noexcept override { return "Twice"; }
  void describe(Fields& fields) const override { TwiceOptions(options_).exchange(fields); }
  Signal output(const Signal& input) const override {
    const Signal both[] = {input, input};
    return joint().output(both);
  }
  Sequence forward(const Sequence& x, Call& call) const override {
    const Sequence both[] = {x, x};
    Call inner = inner_of(call);
    return joint().forward(both, inner);
  }
  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const override {
    const Sequence both[] = {x, x};
    View<const float> dx[2];
    Call inner = inner_of(call);
    joint().backward(both, dy, inner, dx);
    if (!call.wants_dx) return {};
    const View<float> sum = call.memory->floats(0, x.values.shape());
    call.backend->merge_forward(
        {.merge = Merge::kSum, .a = dx[0], .b = dx[1], .lengths = x.lengths, .y = sum});
    return sum;
  }

 private:
  const JointLayer& joint() const { return *kMergings[static_cast<std::size_t>(options_.which)]; }
  static Call inner_of(const Call& call) {
    Call inner = call;
    inner.memory = &call.memory->child(0);
    return inner;
  }
  TwiceOptions options_;
};

TEST(Merging, KeepsTheContractOfLayers) {
  if (!knows_layer("Twice")) register_layer<Twice, TwiceOptions>("Twice");
  for (int which = 0; which < static_cast<int>(kMergings.size()); ++which) {
    SCOPED_TRACE(kMergings[static_cast<std::size_t>(which)]->type());
    test::check_layer_contract({.layer = std::make_shared<Twice>(TwiceOptions{.which = which}),
                                .input = Signal::vectors(3)});
  }
}

TEST(Merging, AddsFromLeftToRight) {
  check_elementwise(Add(), 3,
                    {[](const auto& x) { return x[0] + x[1] + x[2]; },
                     [](const auto&, std::size_t) { return 1.0f; }});
}

TEST(Merging, MultipliesElementByElement) {
  check_elementwise(Multiply(), 3,
                    {[](const auto& x) { return x[0] * x[1] * x[2]; },
                     [](const auto& x, std::size_t k) {
                       float product = 1;
                       for (std::size_t i = 0; i < 3; ++i) product *= i == k ? 1 : x[i];
                       return product;
                     }});
}

TEST(Merging, TakesTheMeanOfTwo) {
  check_elementwise(Average(), 2,
                    {[](const auto& x) { return (x[0] + x[1]) * 0.5f; },
                     [](const auto&, std::size_t) { return 0.5f; }});
  const std::vector<Signal> three(3, Signal::vectors(2));
  EXPECT_THROW(Average().output(three), ConfigError);
}

TEST(Merging, PutsSideBySide) {
  test::for_each_backend([](const Backend& backend) {
    const std::vector<Index> widths{2, 1, 3};
    std::vector<Tensor> x;
    std::vector<Sequence> in;
    for (Index width : widths) {
      x.push_back(test::random_values<float>({kTime, kBatch, width}, Random(width)));
    }
    for (const Tensor& tensor : x) in.push_back({.values = tensor, .lengths = kLengths});
    const Tensor dy = test::random_values<float>({kTime, kBatch, 6}, Random(9));
    CallMemory memory;
    Call call{.backend = &backend, .memory = &memory, .training = true};
    const Sequence y = Concatenate().forward(in, call);
    std::vector<View<const float>> dx(3);
    Concatenate().backward(in, dy, call, dx);
    ASSERT_EQ(y.values.shape(), dy.shape());
    for (Index t = 0; t < kTime; ++t) {
      for (Index b = 0; b < kBatch; ++b) {
        Index first = 0;
        for (std::size_t k = 0; k < 3; ++k) {
          for (Index f = 0; f < widths[k]; ++f) {
            const bool padding = is_padding(t, b);
            EXPECT_EQ(y.values(t, b, first + f), padding ? 0 : x[k].view()(t, b, f));
            EXPECT_EQ(dx[k](t, b, f), padding ? 0 : dy.view()(t, b, first + f));
          }
          first += widths[k];
        }
      }
    }
    EXPECT_EQ(Concatenate().output(std::vector{Signal::vectors(2), Signal::vectors(5)}),
              Signal::vectors(7));
  });
}

template <class Error>
std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(Merging, SaysWhichInputDoesNotFit) {
  const auto contains = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  const auto output = [](const JointLayer& layer, std::vector<Signal> inputs) {
    return message_of<ConfigError>([&] { layer.output(inputs); });
  };
  contains(output(Add(), {Signal::vectors(2)}), "got 1");
  contains(output(Add(), {Signal::vectors(2), Signal::vectors(3)}), "vectors of 3");
  contains(output(Concatenate(), {Signal::vectors(2), Signal::symbols(3)}), "Embedding");
  contains(output(Concatenate(), {Signal::vectors(2), Signal::rows()}), "Gather");
  test::for_each_backend([&](const Backend& backend) {
    CallMemory memory;
    Call call{.backend = &backend, .memory = &memory};
    const Tensor whole(Shape{3, 2, 4}), shorter(Shape{2, 2, 4});
    const std::vector<std::int32_t> lengths{3, 1}, others{3, 2};
    const auto forward = [&](const Sequence& other) {
      const std::vector<Sequence> in{{.values = whole, .lengths = lengths}, other};
      return message_of<ShapeError>([&] { Add().forward(in, call); });
    };
    contains(forward({.values = shorter}), "input 2: expected the 3 steps");
    contains(forward({.values = whole}), "all 3 long");
    contains(forward({.values = whole, .lengths = others}), "lengths 3, 2");
  });
}

}  // namespace
}  // namespace rnn
