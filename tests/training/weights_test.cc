// Weights of targets: a loss is sum(w * nats) / sum(w), in training as in evaluation.
#include <gtest/gtest.h>

#include <cmath>

#include "rnn/crf.h"
#include "rnn/error.h"
#include "rnn/model.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

/// Gradients of one batch, without an update.
TensorList gradients_of(const Batch& batch, const std::string& name, LossSum& loss) {
  const auto backend = make_backend({.name = name});
  const Sequential network = test::toy_network();
  const Parameters parameters = network.initial_parameters(1, *backend);
  Session session(network, parameters, backend);
  State state = network.zero_state(batch.batch, *backend);
  loss = session.forward(batch, state);
  session.backward();
  return session.gradients();
}

TEST(Weights, OfWholeNumbersAreRepetitions) {
  // A sequence of weight 3 is the sequence three times; one of weight 0 is not there.
  for (const std::string& name : test::float_backends()) {
    Batch weighted = test::random_batch(5, 3, 6, 1), repeated;
    weighted.lengths = {5, 4, 3};
    weighted.weights = {1, 0, 3};
    repeated.time = 5;
    repeated.batch = 4;
    repeated.lengths = {5, 3, 3, 3};
    for (std::size_t t = 0; t < 5; ++t) {
      for (std::size_t b : {0, 2, 2, 2}) {
        repeated.ids.push_back(weighted.ids[t * 3 + b]);
        repeated.targets.push_back(weighted.targets[t * 3 + b]);
      }
    }
    LossSum once, often;
    const TensorList a = gradients_of(weighted, name, once),
                     b = gradients_of(repeated, name, often);
    EXPECT_EQ(once.targets, 12);
    EXPECT_EQ(once.weight(), 14);
    EXPECT_EQ(often.weight(), 14);
    EXPECT_NEAR(once.mean(), often.mean(), 1e-6);
    for (std::size_t p = 0; p < a.size(); ++p) {
      EXPECT_TRUE(test::close_to(a[p], b[p], {1e-4, 1e-6})) << a.name(p);
    }
  }
}

TEST(Weights, OfOneChangeNothing) {
  for (const std::string& name : test::float_backends()) {
    Batch plain = test::random_batch(5, 3, 6, 1), ones = plain;
    ones.weights.assign(15, 1.0f);
    LossSum a, b;
    const TensorList p = gradients_of(plain, name, a), q = gradients_of(ones, name, b);
    EXPECT_EQ(a.nats, b.nats);
    EXPECT_EQ(a.mean(), b.mean());
    for (std::size_t i = 0; i < p.size(); ++i) EXPECT_TRUE(test::bits_equal(p[i], q[i]));
  }
}

TEST(Weights, OfTargetsCountForEachOfThem) {
  Batch batch = test::random_batch(2, 2, 6, 1);
  batch.weights = {0.5f, 2, 0, 1};
  batch.targets[3] = -1;
  Model model(test::toy_network());
  model.compile({});
  Inference inference(model.network(), model.parameters(), model.backend());
  State state = model.network().zero_state(2, *model.backend());
  const LossSum sum = inference.evaluate(batch, state);
  const View<const float> nats = inference.nats();
  EXPECT_EQ(sum.targets, 3);
  EXPECT_DOUBLE_EQ(sum.weight(), 2.5);
  EXPECT_DOUBLE_EQ(sum.nats, 0.5 * double{nats[0]} + 2 * double{nats[1]});
  EXPECT_DOUBLE_EQ(sum.mean(), sum.nats / 2.5);
}

TEST(Weights, ThatAreWrongAreRefused) {
  Model model(test::toy_network());
  model.compile({});
  for (const std::vector<float>& bad : std::vector<std::vector<float>>{
           {1}, {1, 1, 1, 1}, {1, -1, 1}, {1, NAN, 1}, {1, INFINITY, 1}}) {
    Batch batch = test::random_batch(5, 3, 6, 1);
    batch.weights = bad;
    EXPECT_THROW(model.train_on_batch(batch), ShapeError) << bad.size();
  }
  Model tagger(Sequential(
      {Embedding({.input_dim = 6, .output_dim = 4}), LSTM({.units = 4}), CRF({.units = 6})}));
  tagger.compile({});
  Batch batch = test::random_batch(5, 3, 6, 1);
  batch.weights.assign(15, 1.0f);
  EXPECT_NO_THROW(tagger.train_on_batch(batch));
  batch.weights[7] = 2;  // within a sequence
  EXPECT_THROW(tagger.train_on_batch(batch), ShapeError);
}

TEST(ClassWeights, MultiplyTheWeightsOfTheirTargets) {
  const std::vector<float> classes{1, 2, 0, 0.5f, 1, 3};
  const auto trained = [](BatchSource& data, const std::vector<float>& class_weights) {
    Model model(test::toy_network());
    model.compile({.optimizer = SGD{.learning_rate = 0.5f}});
    model.fit(data, {.epochs = 2, .class_weights = class_weights});
    return model;
  };
  for (const bool own : {false, true}) {
    // The same, the weights written into the batches.
    class Weighted : public BatchSource {
     public:
      Weighted(std::vector<float> classes, bool own, bool multiply)
          : classes_(std::move(classes)), own_(own), multiply_(multiply) {}
      bool next(Batch& batch) override {
        if (!data_.next(batch)) return false;
        if (own_) batch.weights = {1, 4, 0.25f};
        if (!multiply_) return true;
        const std::vector<float> sequence = own_ ? batch.weights : std::vector<float>{1, 1, 1};
        batch.weights.clear();
        for (std::size_t i = 0; i < batch.targets.size(); ++i) {
          batch.weights.push_back(sequence[i % 3] *
                                  classes_[static_cast<std::size_t>(batch.targets[i])]);
        }
        return true;
      }
      void seek(const Position& position) override { data_.seek(position); }
      Position position() const override { return data_.position(); }

     private:
      std::vector<float> classes_;
      bool own_, multiply_;
      test::ToySource data_ = test::random_source(6, 1);
    };
    Weighted by_batch(classes, own, true), by_class(classes, own, false);
    const Model a = trained(by_batch, {}), b = trained(by_class, classes);
    EXPECT_EQ(a.history().epochs.back().train.mean(), b.history().epochs.back().train.mean());
    EXPECT_NE(a.history().epochs.back().train.excess, 0);
    for (std::size_t p = 0; p < a.parameters().size(); ++p) {
      EXPECT_TRUE(test::bits_equal(a.parameters()[p], b.parameters()[p]));
    }
  }
}

TEST(ClassWeights, ThatAreWrongAreRefused) {
  Model model(test::toy_network());
  model.compile({});
  test::ToySource data = test::random_source(6, 1);
  for (const std::vector<float>& bad :
       std::vector<std::vector<float>>{{1, 1}, {1, 1, 1, 1, 1, -1}, {1, 1, 1, 1, 1, NAN}}) {
    EXPECT_THROW(model.fit(data, {.class_weights = bad}), ConfigError);
  }
}

}  // namespace
}  // namespace rnn
