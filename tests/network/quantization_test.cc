// Weight matrices as whole numbers, and files of them.
#include "network/quantization.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "support/compare.h"
#include "support/random_values.h"
#include "support/temporary_folder.h"

namespace rnn::test {
namespace {

Tensor random_matrix(const Shape& shape, std::uint64_t seed) {
  return random_values<float>(shape, Random(seed));
}

TensorList some_tensors() {
  TensorList tensors;
  tensors.add("embedding/embeddings", random_matrix({7, 4}, 1));
  tensors.add("lstm/kernel", random_matrix({4, 12}, 2));
  tensors.add("lstm/recurrent_kernel", random_matrix({3, 12}, 3));
  tensors.add("lstm/bias", random_matrix({12}, 4));
  tensors.add("crf/transitions", random_matrix({3, 3}, 5));
  tensors.add("conv1d/kernel", random_matrix({2, 3, 4}, 6));
  return tensors;
}

TEST(Quantization, HasOneScaleForEachColumnAndForEachRowOfATable) {
  const TensorList tensors = some_tensors();
  EXPECT_EQ(quantize(*tensors.begin())->scales.shape(), Shape({7, 1}));
  EXPECT_EQ(quantize(*(tensors.begin() + 1))->scales.shape(), Shape({1, 12}));
  EXPECT_EQ(quantize(*(tensors.begin() + 2))->scales.shape(), Shape({1, 12}));
  // A convolution's kernel is the matrix of its product.
  EXPECT_EQ(quantize(*(tensors.begin() + 5))->scales.shape(), Shape({1, 4}));
  for (int i = 3; i < 5; ++i) EXPECT_FALSE(quantize(*(tensors.begin() + i)).has_value()) << i;
  for (const char* name : {"bilstm/forward_kernel", "bilstm/backward_recurrent_kernel",
                           "highway/gate_kernel", "softmax/tail_0_projection"}) {
    EXPECT_EQ(quantize({name, random_matrix({4, 12}, 8)})->scales.shape(), Shape({1, 12})) << name;
  }
  EXPECT_EQ(quantize({"words/ngrams", random_matrix({7, 4}, 8)})->scales.shape(), Shape({7, 1}));
}

TEST(Quantization, RoundsToTheNearestOf255StepsAndOnlyOnce) {
  Parameters once;
  for (const NamedTensor& entry : some_tensors()) once.add(entry.name, entry.tensor);
  const Parameters before = once;
  round_to_int8(once);
  EXPECT_NE(once.version(), before.version());
  for (std::size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(bits_equal(once[i], before[i]), i == 3 || i == 4) << once.name(i);
    for (Index k = 0; k < once[i].size(); ++k) EXPECT_NEAR(once[i][k], before[i][k], 0.5001 / 127);
  }
  Parameters twice = once;
  round_to_int8(twice);
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_TRUE(bits_equal(once[i], twice[i]));
}

TEST(Quantization, AFileOfItGivesTheRoundedParametersAndIsSmaller) {
  TemporaryFolder folder;
  TensorList tensors = some_tensors();
  tensors.add("softmax/kernel", random_matrix({40, 50}, 7));
  const std::string whole = folder.file("whole"), small = folder.file("small");
  save_safetensors(whole, tensors);
  save_safetensors(small, tensors, {{"a", "b"}}, Precision::kInt8);
  EXPECT_LT(std::filesystem::file_size(small), std::filesystem::file_size(whole) / 2);
  const SafetensorsContents read = load_safetensors(small);
  EXPECT_EQ(read.metadata.at("a"), "b");
  ASSERT_EQ(read.tensors.size(), tensors.size());
  Parameters rounded;
  for (const NamedTensor& entry : tensors) rounded.add(entry.name, entry.tensor);
  round_to_int8(rounded);
  for (const NamedTensor& entry : rounded) {
    EXPECT_TRUE(bits_equal(read.tensors.at(entry.name), entry.tensor)) << entry.name;
  }
  const std::string text = read_file(small);
  EXPECT_NE(text.find("\"lstm/kernel\":{\"dtype\":\"I8\""), std::string::npos);
  EXPECT_NE(text.find("\"lstm/kernel.scale\""), std::string::npos);
}

TEST(Quantization, AMatrixWithoutItsScalesIsRefused) {
  TemporaryFolder folder;
  TensorList tensors;
  tensors.add("lstm/kernel", random_matrix({4, 12}, 2));
  save_safetensors(folder.file("f"), tensors, {}, Precision::kInt8);
  std::string text = read_file(folder.file("f"));
  const auto place = text.find("lstm/kernel.scale");
  text[place] = 'L';
  write_file(folder.file("f"), text);
  EXPECT_THROW(load_safetensors(folder.file("f")), FormatError);
}

TEST(Quantization, WhatIsNotFiniteStaysAsItIs) {
  NamedTensor entry{"lstm/kernel", random_matrix({4, 12}, 2)};
  entry.tensor[3] = NAN;
  EXPECT_FALSE(quantize(entry).has_value());
}

}  // namespace
}  // namespace rnn::test
