#include "rnn/tensor.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace rnn {
namespace {

TEST(Shape, SizeTailAndText) {
  const Shape shape{35, 20, 200};
  EXPECT_EQ(shape.size(), 140000);
  EXPECT_EQ(shape.tail(), (Shape{20, 200}));
  EXPECT_EQ(shape.to_string(), "[35,20,200]");
  EXPECT_EQ(Shape{}.size(), 1);
  EXPECT_EQ((Shape{3, 0}).size(), 0);
}

TEST(View, DefaultIsNullAndEmpty) {
  const View<float> view;
  EXPECT_FALSE(view);
  EXPECT_EQ(view.size(), 0);
}

TEST(View, IndexesRowMajor) {
  Tensor tensor(Shape{2, 3, 4});
  for (Index i = 0; i < tensor.size(); ++i) tensor[i] = static_cast<float>(i);
  const View<const float> view = tensor;
  EXPECT_EQ(view(1, 2, 3), 23.0f);
  EXPECT_EQ(view.slice(1).slice(0)[2], 14.0f);
  EXPECT_EQ(view.reshaped({6, 4})(5, 3), 23.0f);
}

TEST(Tensor, CopiesNumbersAndMovesMemory) {
  Tensor first(Shape{2, 2});
  first[3] = 5;
  Tensor second = first;
  second[3] = 6;
  EXPECT_EQ(first[3], 5.0f);
  const float* data = second.data();
  const Tensor third = std::move(second);
  EXPECT_EQ(third.data(), data);
}

TEST(Tensor, KeepsItsMemoryWhileItSuffices) {
  Tensor tensor(Shape{4, 8});
  const float* data = tensor.data();
  tensor.resize({2, 8});
  tensor.resize({8, 4});
  EXPECT_EQ(tensor.data(), data);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % Tensor::kAlignment, 0u);
}

}  // namespace
}  // namespace rnn
