// Networks saved without the code that made them, and models that earlier versions wrote.
#include "rnn/tasks/saved_network.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "rnn/composite_layer.h"
#include "rnn/dropout.h"
#include "rnn/error.h"
#include "rnn/registry.h"
#include "rnn/residual.h"
#include "rnn/sequential.h"
#include "rnn/session.h"
#include "rnn/tasks/language_model.h"
#include "rnn/tasks/quantize.h"
#include "support/compare.h"
#include "support/spelling_network.h"
#include "support/temporary_folder.h"

namespace rnn {
namespace {

TEST(SavedNetwork, IsReadWithTheSameBits) {
  const test::TemporaryFolder folder;
  const auto backend = make_backend();
  const Network network = test::spelling_network();
  const Parameters parameters = network.initial_parameters(5, *backend);
  save_network(folder.file("model"), network, parameters);
  const SavedNetwork read = load_network(folder.file("model"), *backend);
  const auto nats = [&](const Network& which, const Parameters& values) {
    Inference inference(which, values, backend);
    const Batch batch = test::spelling_batch(5, 3, 1, {5, 2, 4});
    State state = which.zero_state(3, *backend);
    return inference.evaluate(batch, state).nats;
  };
  EXPECT_EQ(nats(read.network, read.parameters), nats(network, parameters));
  EXPECT_THROW(save_network(folder.file("model"), network, parameters), ConfigError);
  EXPECT_NO_THROW(save_network(folder.file("model"), network, parameters, true));
  EXPECT_THROW(LanguageModel::load(folder.file("model")), Error);  // not a language model
}

TEST(SavedNetwork, IsNotWrittenWhereAnotherProcessWrites) {
  const test::TemporaryFolder folder;
  const auto backend = make_backend();
  const Network network = test::spelling_network();
  const Parameters parameters = network.initial_parameters(5, *backend);
  const std::string model = folder.file("model"), copy = folder.file("copy");
  save_network(model, network, parameters);
  const std::string left = model + "/model.safetensors.new" + kTemporary + "1";
  write_file(left, "half a fi");
  std::filesystem::create_directory(copy);
  {
    const FolderLock lock(model), lock_of_copy(copy);
    EXPECT_THROW(save_network(model, network, parameters, true), IoError);
    EXPECT_THROW(quantize_model(model, copy), IoError);
    EXPECT_TRUE(is_there(left));
    EXPECT_TRUE(std::filesystem::is_empty(copy));
  }
  save_network(model, network, parameters, true);
  EXPECT_FALSE(is_there(left)) << "what a run that was killed left";
  EXPECT_NO_THROW(quantize_model(model, copy));
}

template <class Own>
Network with(const Own& own) {
  return Sequential({Embedding({.input_dim = 6, .output_dim = 5}), own, Softmax({.units = 6})});
}

TEST(SavedNetwork, WhatIsSavedCanBeLoadedHoweverDeepItNests) {
  const auto backend = make_backend();
  int saved = 0, refused = 0;
  AnyLayer layer = Dropout({.rate = 0.1f});
  for (int depth = 1; depth <= 100; ++depth) {
    const Residual around({.layer = layer});
    layer = around;
    if (depth < 92) continue;
    const test::TemporaryFolder folder;
    const Network network = with(around);
    const Parameters parameters = network.initial_parameters(5, *backend);
    try {
      save_network(folder.file("model"), network, parameters);
    } catch (const FormatError&) {
      ++refused;
      continue;
    }
    ++saved;
    EXPECT_NO_THROW(load_network(folder.file("model"), *backend)) << depth;
  }
  EXPECT_GT(saved, 0);
  EXPECT_GT(refused, 0);
}

/// A layer of this program's own, in a network that somebody tries to save.
template <int kNumber>
class Mine : public Dropout {
 public:
  explicit Mine(const DropoutOptions& options = {}) : Dropout(options) {}
  std::string_view type() const noexcept override { return kNumber == 1 ? "Mine1" : "Mine2"; }
};

TEST(SavedNetwork, RefusesATypeThatNobodyCouldRead) {
  const test::TemporaryFolder folder;
  const auto backend = make_backend();
  const Network network = with(Mine<1>());
  const Parameters parameters = network.initial_parameters(5, *backend);
  try {
    save_network(folder.file("model"), network, parameters);
    FAIL() << "saved";
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("'mine1'"), std::string::npos) << message;
    EXPECT_NE(message.find("register_layer"), std::string::npos) << message;
  }
}

TEST(SavedNetwork, TakesATypeThatIsRegistered) {
  const test::TemporaryFolder folder;
  const auto backend = make_backend();
  if (!knows_layer("Mine2")) register_layer<Mine<2>, DropoutOptions>("Mine2");
  EXPECT_THROW((register_layer<Mine<2>, DropoutOptions>("Mine2")), ConfigError);
  EXPECT_THROW((register_layer<Mine<2>, DropoutOptions>("LSTM")), ConfigError);
  const Network network = with(Mine<2>({.rate = 0.25f}));
  save_network(folder.file("model"), network, network.initial_parameters(5, *backend));
  const SavedNetwork read = load_network(folder.file("model"), *backend);
  EXPECT_EQ(read.network.nodes()[1].type(), "Mine2");
}

/// Written by the version of the first model format; its files never change.
TEST(Version1, IsStillLoaded) {
  const auto model =
      LanguageModel::load(RNN_SOURCE_DIR "/tests/fixtures/language_model_1", {.name = "reference"});
  const std::string sentences[] = {"The fox sat."};
  EXPECT_NEAR(model.score(sentences)[0].log_prob, -45.97956585884094, 1e-9);
}

}  // namespace
}  // namespace rnn
