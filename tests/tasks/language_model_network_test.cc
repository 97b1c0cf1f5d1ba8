// The network that a recipe makes: what each regularizer does to a window, and that none of them
// does anything in evaluation.
#include <cmath>
#include <map>

#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/session.h"
#include "rnn/tasks/language_model.h"
#include "support/toy_network.h"
#include "text/text_files.h"

namespace rnn {
namespace {

constexpr Index kUnits = 12, kTime = 9, kLanes = 6;

LanguageModelRecipe recipe_of() { return {.hidden = 16, .layers = 2}; }

/// What came out of each layer in one window.
using Outputs = std::map<std::string, Tensor>;

class Window {
 public:
  explicit Window(const LanguageModelRecipe& recipe)
      : network_(language_model_network(recipe, kUnits)),
        backend_(make_backend({})),
        parameters_(network_.initial_parameters(1, *backend_)),
        batch_(test::random_batch(kTime, kLanes, kUnits, 3)) {}

  /// All lanes read what the first does.
  void repeat_first_lane() {
    for (std::size_t i = 0; i < batch_.ids.size(); ++i)
      batch_.ids[i] = batch_.ids[i / kLanes * kLanes];
  }
  Outputs training(std::int64_t step = 0) {
    Session session(network_, parameters_, backend_);
    Outputs outputs;
    session.observe(into(outputs));
    State state = network_.zero_state(kLanes, *backend_);
    session.begin_step(step);
    session.forward(batch_, state);
    return outputs;
  }
  Outputs evaluation() {
    Inference inference(network_, parameters_, backend_);
    Outputs outputs;
    inference.observe(into(outputs));
    State state = network_.zero_state(kLanes, *backend_);
    inference.evaluate(batch_, state);
    return outputs;
  }
  std::int32_t id(Index t, Index b) const {
    return batch_.ids[static_cast<std::size_t>(t * kLanes + b)];
  }

 private:
  static Observer into(Outputs& outputs) {
    return [&](const LayerEvent& event) {
      Tensor copy(event.values.shape());
      std::copy(event.values.begin(), event.values.end(), copy.data());
      outputs[std::string(event.name)] = std::move(copy);
    };
  }

  Network network_;
  std::shared_ptr<const Backend> backend_;
  Parameters parameters_;
  Batch batch_;
};

void expect_same(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.shape(), b.shape()) << what;
  for (Index i = 0; i < a.size(); ++i) ASSERT_EQ(a[i], b[i]) << what << " " << i;
}

bool same(View<const float> a, View<const float> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

double share_of_zeros(View<const float> values) {
  return static_cast<double>(std::count(values.begin(), values.end(), 0.0f)) /
         static_cast<double>(values.size());
}

TEST(LanguageModelNetwork, DroppedUnitsAreDroppedWhereverTheyOccur) {
  LanguageModelRecipe recipe = recipe_of();
  const Outputs plain = Window(recipe).training();
  recipe.dropout_embedding = 0.4f;
  Window window(recipe);
  const Outputs outputs = window.training();
  const View<const float> given = plain.at("embedding"), found = outputs.at("embedding");
  std::map<std::int32_t, bool> dropped;
  for (Index t = 0; t < kTime; ++t) {
    for (Index b = 0; b < kLanes; ++b) {
      const bool zero = found(t, b, 0) == 0;
      EXPECT_EQ(dropped.try_emplace(window.id(t, b), zero).first->second, zero);
      for (Index u = 0; u < found.extent(2); ++u) {
        EXPECT_FLOAT_EQ(found(t, b, u), zero ? 0 : given(t, b, u) / 0.6f);
      }
    }
  }
  const auto gone =
      std::count_if(dropped.begin(), dropped.end(), [](auto& id) { return id.second; });
  EXPECT_GT(gone, 0);
  EXPECT_LT(gone, static_cast<std::ptrdiff_t>(dropped.size()));
  expect_same(window.evaluation().at("embedding"), plain.at("embedding"), "evaluation");
}

TEST(LanguageModelNetwork, EachPlaceHasItsOwnDropout) {
  LanguageModelRecipe recipe = recipe_of();
  recipe.layers = 3;
  recipe.dropout = 0.5f;
  recipe.dropout_hidden = 0.25f;
  recipe.dropout_output = 0;
  const Outputs outputs = Window(recipe).training();
  EXPECT_NEAR(share_of_zeros(outputs.at("dropout")), 0.5, 0.08) << "input: as --dropout";
  EXPECT_NEAR(share_of_zeros(outputs.at("dropout_1")), 0.25, 0.08);
  EXPECT_NEAR(share_of_zeros(outputs.at("dropout_2")), 0.25, 0.08);
  EXPECT_FALSE(outputs.contains("dropout_3")) << "none before the softmax";
  recipe.dropout_input = 0;
  recipe.dropout_output = 0.75f;
  const Outputs other = Window(recipe).training();
  EXPECT_NEAR(share_of_zeros(other.at("dropout")), 0.25, 0.08);
  EXPECT_NEAR(share_of_zeros(other.at("dropout_2")), 0.75, 0.08);
}

TEST(LanguageModelNetwork, VariationalDropoutHasOneMaskForAllStepsOfALane) {
  for (const bool shared : {true, false}) {
    LanguageModelRecipe recipe = recipe_of();
    recipe.dropout = 0.5f;
    recipe.dropout_shared = shared;
    const Outputs outputs = Window(recipe).training();
    for (const char* name : {"dropout", "dropout_1", "dropout_2"}) {
      const View<const float> y = outputs.at(name);
      int differ = 0, lanes_differ = 0;
      for (Index t = 1; t < kTime; ++t) {
        for (Index b = 0; b < kLanes; ++b) {
          for (Index u = 0; u < y.extent(2); ++u) {
            differ += (y(t, b, u) == 0) != (y(0, b, u) == 0);
            lanes_differ += (y(t, b, u) == 0) != (y(t, 0, u) == 0);
          }
        }
      }
      EXPECT_EQ(differ == 0, shared) << name;
      EXPECT_GT(lanes_differ, 0) << name;
    }
  }
}

/// Weight-drop has one mask for all lanes, recurrent dropout one for each; neither has anything to
/// act on in the first step of a text, and both are drawn anew for each window.
TEST(LanguageModelNetwork, RecurrentWeightsAndStatesAreDroppedOnceAWindow) {
  for (const std::string cell : {"lstm", "gru", "gru-reset-before", "rnn"}) {
    for (const bool weights : {true, false}) {
      SCOPED_TRACE(cell + (weights ? " weights" : " state"));
      LanguageModelRecipe recipe = recipe_of();
      recipe.cell = cell;
      Window plain(recipe);
      plain.repeat_first_lane();
      (weights ? recipe.weight_drop : recipe.dropout_recurrent) = 0.5f;
      Window window(recipe);
      window.repeat_first_lane();
      const std::string layer = cell == "lstm" ? "lstm" : cell == "rnn" ? "simplernn" : "gru";
      const Tensor without = plain.training().at(layer), with = window.training().at(layer);
      const View<const float> y = with;
      EXPECT_TRUE(same(y.slice(0), View<const float>(without).slice(0)));
      EXPECT_FALSE(same(y.slice(1), View<const float>(without).slice(1)));
      for (Index t = 1; t < kTime; ++t) {
        const View<const float> step = y.slice(t);
        EXPECT_EQ(same(step.slice(0), step.slice(1)), weights) << t;
      }
      expect_same(window.training().at(layer), with, "the same window");
      EXPECT_FALSE(same(window.training(1).at(layer), with)) << "another window";
      expect_same(window.evaluation().at(layer), plain.evaluation().at(layer), "evaluation");
    }
  }
}

TEST(LanguageModelNetwork, ATiedLastLayerIsAsWideAsTheEmbedding) {
  LanguageModelRecipe recipe = recipe_of();
  recipe.layers = 3;
  recipe.embedding = 5;
  recipe.tie = true;
  const Network network = language_model_network(recipe, kUnits);
  const Parameters parameters = network.zero_parameters(*make_backend({}));
  EXPECT_EQ(parameters.at("embedding/embeddings").shape(), (Shape{kUnits, 5}));
  EXPECT_EQ(parameters.at("lstm/kernel").shape(), (Shape{5, 4 * 16}));
  EXPECT_EQ(parameters.at("lstm_1/kernel").shape(), (Shape{16, 4 * 16}));
  EXPECT_EQ(parameters.at("lstm_2/kernel").shape(), (Shape{16, 4 * 5}));
  EXPECT_EQ(parameters.find("softmax/kernel"), parameters.size());
}

TEST(LanguageModelNetwork, EverySoftmaxIsADistributionOverAllUnits) {
  for (const SoftmaxKind kind :
       {SoftmaxKind::kFull, SoftmaxKind::kAdaptive, SoftmaxKind::kSampled}) {
    LanguageModelRecipe recipe = recipe_of();
    recipe.softmax = kind;
    recipe.softmax_cutoffs = kind == SoftmaxKind::kAdaptive ? "4 8" : "";
    recipe.softmax_samples = 3;
    const Network network = language_model_network(recipe, kUnits);
    const auto backend = make_backend({});
    const Parameters parameters = network.initial_parameters(1, *backend);
    Inference inference(network, parameters, backend);
    State state = network.zero_state(kLanes, *backend);
    const View<const float> p =
        inference.predict(test::random_batch(kTime, kLanes, kUnits, 3), state);
    for (Index b = 0; b < kLanes; ++b) {
      double sum = 0;
      for (Index v = 0; v < kUnits; ++v) sum += double{p(0, b, v)};
      EXPECT_NEAR(sum, 1, 1e-5);
    }
  }
  LanguageModelRecipe recipe = recipe_of();
  recipe.softmax = SoftmaxKind::kSampled;
  recipe.softmax_samples = 7;
  expect_error<ConfigError>([&] { language_model_network(recipe, kUnits); }, "softmax-samples",
                            "12 units", "7");
}

}  // namespace
}  // namespace rnn
