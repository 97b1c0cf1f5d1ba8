#include "rnn/observer.h"

#include <gtest/gtest.h>

#include <limits>

#include "rnn/error.h"
#include "rnn/sequential.h"
#include "rnn/session.h"
#include "support/for_each_backend.h"
#include "support/spelling_network.h"
#include "support/toy_network.h"

namespace rnn {
namespace {

TEST(Observer, IsToldOfEveryLayerForwardAndBack) {
  const auto backend = make_backend();
  const Sequential network = test::toy_network();
  const Parameters parameters = network.initial_parameters(1, *backend);
  Session session(network, parameters, backend);
  std::vector<std::string> seen;
  session.observe([&](const LayerEvent& event) { seen.push_back(event.to_string()); });
  const Batch batch = test::random_batch(4, 3, 6, 1);
  State state = network.zero_state(3, *backend);
  session.forward(batch, state);
  session.backward();
  EXPECT_EQ(
      seen,
      (std::vector<std::string>{
          "forward embedding (Embedding): symbols [4,3] -> [4,3,5]",
          "forward lstm (LSTM): [4,3,5] -> [4,3,5]", "forward softmax (Softmax): [4,3,5] -> [4,3]",
          "backward softmax (Softmax): loss -> [4,3,5]", "backward lstm (LSTM): [4,3,5] -> [4,3,5]",
          "backward embedding (Embedding): [4,3,5] -> symbols [4,3]"}));
  seen.clear();
  session.observe({});
  session.forward(batch, state);
  EXPECT_TRUE(seen.empty());
}

std::string first_not_finite(const std::string& parameter) {
  const auto backend = make_backend();
  const Network network = test::spelling_network();
  Parameters parameters = network.initial_parameters(1, *backend);
  Tensor& tensor = parameters.at(parameter);
  tensor.fill(std::numeric_limits<float>::quiet_NaN());
  parameters.changed();
  Session session(network, parameters, backend);
  session.observe(require_finite());
  const Batch batch = test::spelling_batch(4, 3, 1);
  State state = network.zero_state(3, *backend);
  try {
    session.forward(batch, state);
    session.backward();
  } catch (const DivergenceError& error) {
    return error.what();
  }
  return {};
}

TEST(Observer, NamesTheFirstLayerThatIsNotFinite) {
  const auto names = [](const std::string& parameter, const char* layer) {
    const std::string message = first_not_finite(parameter);
    EXPECT_NE(message.find(layer), std::string::npos) << message;
  };
  names("conv1d/kernel", "layer 'conv1d': not finite: output");
  names("embedding/embeddings", "layer 'embedding'");
  names("bidirectional/forward_kernel", "layer 'bidirectional'");
  names("softmax/bias", "layer 'softmax'");
}

TEST(Observer, NamesTheLayerThatSpoilsAGradient) {
  /// Lets values through, and gradients not.
  class Spoiler : public Dropout {
   public:
    Spoiler() : Dropout({.rate = 0}) {}
    std::string_view type() const noexcept override { return "Spoiler"; }
    View<const float> backward(const Sequence& x, View<const float>, Call& call) const override {
      const View<float> dx = call.memory->floats(7, x.values.shape());
      std::fill(dx.begin(), dx.end(), std::numeric_limits<float>::infinity());
      return dx;
    }
  };
  const auto backend = make_backend();
  const Sequential network({Embedding({.input_dim = 6, .output_dim = 5}), Spoiler(),
                            LSTM({.units = 3}), Softmax({.units = 6})});
  const Parameters parameters = network.initial_parameters(1, *backend);
  Session session(network, parameters, backend);
  session.observe(require_finite());
  State state = network.zero_state(3, *backend);
  const Batch batch = test::random_batch(4, 3, 6, 1);
  EXPECT_NO_THROW(session.forward(batch, state));
  try {
    session.backward();
    FAIL() << "nothing was thrown";
  } catch (const DivergenceError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("layer 'spoiler': not finite: gradient of input 1"), std::string::npos)
        << message;
  }
}

}  // namespace
}  // namespace rnn
