#include "rnn/text/vectors_reader.h"

#include <gtest/gtest.h>

#include "rnn/error.h"
#include "rnn/tensor.h"
#include "text/text_files.h"

namespace rnn {
namespace {

class Vectors : public ::testing::Test {
 protected:
  VectorsReport load(std::string_view text, Index width = 2) {
    table = Tensor(Shape{vocabulary.size(), width});
    table.fill(7);
    return load_vectors(files.write("vectors.txt", text), vocabulary, table);
  }
  void refuses(std::string_view text, const char* part, const char* more = "") {
    expect_error<TextError>([&] { load(text); }, "vectors.txt", part, more);
  }

  const std::vector<VocabularyEntry> entries{{"<unk>"}, {"</s>"}, {"the"}, {"fox"}, {". ."}};
  const Vocabulary vocabulary{entries};
  const TextFiles files;
  Tensor table;
};

TEST_F(Vectors, AreReadWithAndWithoutTheHeaderOfWord2vec) {
  for (const char* header : {"", "4 2\n"}) {
    const VectorsReport report =
        load(std::string(header) + "the 0.5 -1\nhen 3 3\n. . 1e-3 +2\nthe 9 9\n");
    EXPECT_EQ(report.vectors, 4);
    EXPECT_EQ(report.used, 2);
    EXPECT_EQ(report.missing, 3);
    EXPECT_EQ(report.repeated, 1);
    const std::vector<float> expected{7, 7, 7, 7, 0.5f, -1, 7, 7, 1e-3f, 2};
    EXPECT_EQ(std::vector<float>(table.data(), table.data() + 10), expected);
    EXPECT_EQ(vectors_width(files.path("vectors.txt")), 2);
  }
}

TEST_F(Vectors, MayHaveTabsLineEndsOfWindowsAndWordsThatAreNumbers) {
  const std::vector<VocabularyEntry> numbers{{"<unk>"}, {"</s>"}, {"12"}};
  table = Tensor(Shape{3, 3});
  const VectorsReport report =
      load_vectors(files.write("v", "12\t1\t2\t3\r\nx 4 5 6 \r\n"), Vocabulary(numbers), table);
  EXPECT_EQ(report.used, 1);
  EXPECT_EQ(report.vectors, 2);
  EXPECT_EQ(table.view()(2, 2), 3);
}

TEST_F(Vectors, AreRefusedByFileLineAndColumn) {
  refuses("", "empty");
  refuses("the\n", ":1:1: ", "1 fields");
  refuses("the 1 2\nfox 1\n", ":2:1: ", "'fox' where a number should be");
  refuses("the 1 2\nfox 1 x\n", ":2:7: ", "'x'");
  refuses("the 1 2\n\u00E9 1 nan\n", ":2:5: ", "'nan'");
  refuses("the 1 2\nfox 1 1e99\n", ":2:", "'1e99'");
  refuses("the 1 2\n1 2\n", ":2:1: ", "no word");
  refuses("the 1 2\n2\n", ":2:2: ", "fewer than 2 numbers");
  refuses("the 1 2\n\xFF 1 2\n", ":2:", "invalid UTF-8");
  refuses("2 2\nthe 1 2\n", "header claims 2 vectors, it has 1");
  refuses("1 2\nthe 1 2\nfox 1 2\n", "header claims 1 vectors, it has 2");
  refuses("5 0\n", ":1:1: ", "header");
  refuses("5 99999999999\nthe 1 2\n", ":1:", "header");
  EXPECT_THROW(vectors_width(files.path("none")), IoError);
}

TEST_F(Vectors, MustFitTheEmbedding) {
  expect_error<ConfigError>([&] { load("the 1 2\n", 3); }, "2 numbers wide", "3");
  Tensor small(Shape{4, 2});
  const std::string path = files.write("v", "the 1 2\n");
  expect_error<ConfigError>([&] { load_vectors(path, vocabulary, small); }, "5 symbols", "[4,2]");
}

}  // namespace
}  // namespace rnn
