// The file of numbers: exact on the way out and in, and never trusted.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "support/compare.h"
#include "support/random_values.h"
#include "support/temporary_folder.h"

namespace rnn {
namespace {

using test::bits_equal;

class Safetensors : public ::testing::Test {
 protected:
  /// Writes a file as given, without the care of write_file: thousands of them need no flush.
  void write_raw(const std::string& contents) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << contents;
  }
  /// A file with this header and so many bytes of data.
  void write_header(const std::string& header, std::size_t data) {
    const std::uint64_t length = header.size();
    std::string contents(8, '\0');
    std::memcpy(contents.data(), &length, 8);
    write_raw(contents + header + std::string(data, '\0'));
  }
  void expect_format_error(const std::string& header, std::size_t data) {
    write_header(header, data);
    EXPECT_THROW(load_safetensors(path_), FormatError) << header;
  }

  test::TemporaryFolder folder_;
  const std::string path_ = folder_.file("model.safetensors");
};

TensorList samples() {
  TensorList tensors;
  tensors.add("b/kernel", test::random_values<float>({3, 4}, Random(1)));
  tensors.add("a/bias", test::random_values<float>({5}, Random(2)));
  tensors.add("\"quoted\" \xC3\xA9", test::random_values<float>({2, 1, 2, 3}, Random(3)));
  tensors.add("scalar", test::random_values<float>(Shape{}, Random(4)));
  tensors.add("empty", Tensor(Shape{0, 7}));
  tensors[0][0] = std::numeric_limits<float>::infinity();
  tensors[0][1] = std::nanf("");
  tensors[0][2] = -0.0f;
  tensors[0][3] = std::numeric_limits<float>::denorm_min();
  return tensors;
}

TEST_F(Safetensors, GivesBackTheSameBits) {
  const TensorList tensors = samples();
  const std::map<std::string, std::string> metadata{{"format", "rnn"}, {"note", "a\nb \"c\""}};
  save_safetensors(path_, tensors, metadata);
  const SafetensorsContents read = load_safetensors(path_);
  EXPECT_EQ(read.metadata, metadata);
  ASSERT_EQ(read.tensors.size(), tensors.size());
  for (const NamedTensor& entry : tensors) {
    EXPECT_TRUE(bits_equal(read.tensors.at(entry.name), entry.tensor)) << entry.name;
  }
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"model.safetensors"});
  save_safetensors(path_, TensorList());
  EXPECT_EQ(load_safetensors(path_).tensors.size(), 0u);
}

TEST_F(Safetensors, AlignsItsNumbers) {
  save_safetensors(path_, samples());
  const std::string contents = read_file(path_);
  std::uint64_t length = 0;
  std::memcpy(&length, contents.data(), 8);
  EXPECT_EQ(length % 8, 0u);
}

TEST_F(Safetensors, RefusesEveryTruncation) {
  TensorList tensors;
  tensors.add("w", test::random_values<float>({2, 3}, Random(1)));
  save_safetensors(path_, tensors, {{"k", "v"}});
  const std::string whole = read_file(path_);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write_raw(whole.substr(0, length));
    EXPECT_THROW(load_safetensors(path_), FormatError) << length;
  }
  write_raw(whole + '\0');
  EXPECT_THROW(load_safetensors(path_), FormatError);
}

TEST_F(Safetensors, SurvivesEveryFlippedBit) {
  TensorList tensors;
  tensors.add("w", test::random_values<float>({2, 3}, Random(1)));
  tensors.add("b", test::random_values<float>({2}, Random(2)));
  save_safetensors(path_, tensors);
  const std::string whole = read_file(path_);
  const std::size_t data = whole.size() - 8 * sizeof(float);
  int refused = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      write_raw(damaged);
      try {
        const TensorList read = load_safetensors(path_).tensors;
        // What is accepted is another sound file of the same size: all of its data is read.
        EXPECT_LE(read.elements(), 8) << i;
        if (i >= data) {
          EXPECT_EQ(read.size(), 2u);
          EXPECT_FALSE(bits_equal(read[0], tensors[0]) && bits_equal(read[1], tensors[1]));
        }
      } catch (const FormatError&) {
        ++refused;
        EXPECT_LT(i, data) << "a number was refused";
      }
    }
  }
  EXPECT_GT(refused, 500);
}

TEST_F(Safetensors, RefusesHolesOverlapsAndDuplicates) {
  const std::string a = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  write_header("{" + a + "}", 8);
  EXPECT_EQ(load_safetensors(path_).tensors.size(), 1u);
  const auto b = [](const char* offsets) {
    return R"("b":{"dtype":"F32","shape":[2],"data_offsets":)" + std::string(offsets) + "}";
  };
  expect_format_error("{" + a + "}", 4);
  expect_format_error("{" + a + "}", 12);                       // bytes nobody owns
  expect_format_error("{" + a + "," + b("[12,20]") + "}", 20);  // a hole
  expect_format_error("{" + a + "," + b("[4,12]") + "}", 12);   // an overlap
  expect_format_error("{" + a + "," + b("[0,8]") + "}", 8);     // the same place
  expect_format_error("{" + a + "," + a + "}", 8);              // the same name
  expect_format_error("{" + b("[8,16]") + "}", 16);             // begins late
  expect_format_error("{" + a + "," + b("[16,8]") + "}", 16);   // ends before it begins
  expect_format_error("{" + a + "," + b("[8,16,24]") + "}", 16);
  expect_format_error("{" + a + "," + b("[-8,16]") + "}", 16);
}

TEST_F(Safetensors, RefusesImpossibleEntriesBeforeTakingMemory) {
  const auto entry = [](const char* dtype, const char* shape, const char* offsets) {
    return R"({"w":{"dtype":)" + std::string(dtype) + R"(,"shape":)" + shape +
           R"(,"data_offsets":)" + offsets + "}}";
  };
  const char* f32 = R"("F32")";
  expect_format_error(entry(f32, "[1000000,1000000]", "[0,4000000000000]"), 8);
  expect_format_error(entry(f32, "[4294967296,4294967296]", "[0,0]"), 0);
  expect_format_error(entry(f32, "[9223372036854775807,4]", "[0,8]"), 8);
  expect_format_error(entry(f32, "[-2]", "[0,8]"), 8);
  expect_format_error(entry(f32, "[3]", "[0,8]"), 8);
  expect_format_error(entry(f32, "[1,1,1,1,2]", "[0,8]"), 8);
  expect_format_error(entry(f32, "\"2\"", "[0,8]"), 8);
  expect_format_error(entry(f32, "[\"2\"]", "[0,8]"), 8);
  // What a conversion would make a shape that fits of.
  for (const char* shape : {"[1e300]", "[2.9]", "[true,2]", "[18446744073709551618]"}) {
    expect_format_error(entry(f32, shape, "[0,8]"), 8);
  }
  for (const char* offsets : {"[0,8.5]", "[-0.5,8]", "[0,1e300]", "[false,8]", "[0,-8]"}) {
    expect_format_error(entry(f32, "[2]", offsets), 8);
  }
  expect_format_error(entry(R"("F64")", "[1]", "[0,8]"), 8);
  expect_format_error(entry("7", "[2]", "[0,8]"), 8);
  expect_format_error(entry(f32, "[0,9223372036854775807,4]", "[0,0]"), 0);
  expect_format_error(R"({"w":{"dtype":"F32","shape":[2]}})", 8);
  expect_format_error(R"({"w":[]})", 0);
  expect_format_error(R"({"__metadata__":{"k":1}})", 0);
  expect_format_error(R"([1,2])", 0);
  expect_format_error(std::string("{}\0x", 4), 0);
  expect_format_error(R"({"w":)", 0);
  expect_format_error("", 0);
  expect_format_error(std::string(100000, '['), 0);
}

TEST_F(Safetensors, GivesBackThousandsOfTensorsInTheirOrder) {
  TensorList tensors;
  for (int i = 0; i < 9000; ++i) {
    // Those without numbers all lie at one place.
    tensors.add("t" + std::to_string(i * 7919 % 9000), Tensor(Shape{i % 3}));
    tensors[tensors.size() - 1].fill(static_cast<float>(i));
  }
  for (const Precision precision : {Precision::kFp32, Precision::kInt8}) {
    save_safetensors(path_, tensors, {{"note", "n"}}, precision);
    const TensorList read = load_safetensors(path_).tensors;
    ASSERT_EQ(read.size(), tensors.size());
    for (std::size_t i = 0; i < read.size(); ++i) {
      ASSERT_EQ(read.name(i), tensors.name(i));
      ASSERT_TRUE(bits_equal(read[i], tensors[i])) << i;
    }
    TensorList copy = tensors;
    copy[8999].fill(0);
    assign_tensors(copy, read, path_);
    EXPECT_TRUE(bits_equal(copy[8999], tensors[8999]));
  }
}

TEST_F(Safetensors, WriterAndReaderHaveTheSameLimits) {
  TensorList most;
  for (std::size_t i = 0; i < kMostTensors; ++i) {
    most.add(std::to_string(i), Tensor(Shape{0}));
  }
  save_safetensors(path_, most);
  EXPECT_EQ(load_safetensors(path_).tensors.size(), kMostTensors);
  const std::string before = read_file(path_);
  const auto expect_refused = [&](const TensorList& tensors,
                                  const std::map<std::string, std::string>& metadata,
                                  const std::string& part) {
    try {
      save_safetensors(path_, tensors, metadata);
      ADD_FAILURE() << "written";
    } catch (const ConfigError& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find(path_), std::string::npos) << message;
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
    EXPECT_TRUE(read_file(path_) == before);
    EXPECT_EQ(folder_.names().size(), 1u);
  };
  expect_refused(most, {{"a", "note"}}, "at most 131072");  // which makes one too many
  expect_refused({}, {{"note", std::string(kLargestHeader, 'x')}}, "100000000");
  expect_refused({}, {{"note", "\xff"}}, "UTF-8");
  TensorList wrong;
  wrong.add("__metadata__", Tensor(Shape{1}));
  expect_refused(wrong, {}, "__metadata__");

  std::string header = R"({"__metadata__":{})";
  for (std::size_t i = 0; i < kMostTensors; ++i) header += ",\"" + std::to_string(i) + "\":0";
  expect_format_error(header + "}", 0);
}

TEST_F(Safetensors, FilesMayHaveMoreThanFourGigabytes) {
  constexpr std::uint64_t kRows = (std::uint64_t{1} << 32) / 8 + 1;
  // A byte is missing at the end of a file of which nothing is on the disk. It is the only fault
  // that is found, and that before memory is taken.
  const std::string size = std::to_string(kRows * 8);
  write_header(R"({"w":{"dtype":"F32","shape":[)" + std::to_string(kRows) +
                   R"(,2],"data_offsets":[0,)" + size + "]}}",
               0);
  const std::uint64_t header = std::filesystem::file_size(path_);
  std::filesystem::resize_file(path_, header + kRows * 8 - 1);
  try {
    load_safetensors(path_);
    ADD_FAILURE() << "accepted";
  } catch (const FormatError& error) {
    EXPECT_NE(std::string(error.what()).find("need " + size + " bytes of data"), std::string::npos)
        << error.what();
  }
}

TEST_F(Safetensors, SaysWhatIsMissing) {
  EXPECT_THROW(load_safetensors(folder_.file("nothing")), IoError);
  EXPECT_THROW(load_safetensors(folder_.file("")), IoError);  // the folder itself
  EXPECT_THROW(save_safetensors(folder_.file("no/such/folder/w"), samples()), IoError);
}

TEST_F(Safetensors, WritesNoFileThatItWouldNotRead) {
  TensorList twice;
  twice.add("w", Tensor(Shape{2}));
  twice.add("w", Tensor(Shape{2}));
  EXPECT_THROW(save_safetensors(path_, twice), ConfigError);
  EXPECT_TRUE(folder_.names().empty());
}

// Each is looked up: compared with each other, so many would take many minutes.
TEST(AssignTensors, TakesAsManyAsAFileHolds) {
  TensorList to, from;
  for (std::size_t i = 0; i < kMostTensors; ++i) {
    to.add(std::to_string(i), Tensor(Shape{0}));
    from.add(std::to_string(kMostTensors - 1 - i), Tensor(Shape{0}));
  }
  EXPECT_NO_THROW(assign_tensors(to, from, "here"));
}

TEST(AssignTensors, TakesAllOrNothing) {
  TensorList to, from;
  to.add("a", Tensor(Shape{2}));
  to.add("b", Tensor(Shape{3}));
  from.add("b", test::random_values<float>({3}, Random(1)));  // any order
  from.add("a", test::random_values<float>({2}, Random(2)));
  assign_tensors(to, from, "here");
  EXPECT_TRUE(bits_equal(to.at("a"), from.at("a")));
  EXPECT_TRUE(bits_equal(to.at("b"), from.at("b")));

  const TensorList before = to;
  const auto expect_refused = [&](const TensorList& values, const char* part) {
    try {
      assign_tensors(to, values, "weights.file");
      ADD_FAILURE() << "accepted";
    } catch (const FormatError& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("weights.file"), std::string::npos) << message;
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
    EXPECT_TRUE(bits_equal(to.at("a"), before.at("a")));
    EXPECT_TRUE(bits_equal(to.at("b"), before.at("b")));
  };
  TensorList missing, more = from, reshaped;
  missing.add("a", Tensor(Shape{2}));
  more.add("c", Tensor(Shape{1}));
  reshaped.add("a", Tensor(Shape{2}));
  reshaped.add("b", Tensor(Shape{1, 3}));
  expect_refused(missing, "'b'");
  expect_refused(more, "'c'");
  expect_refused(reshaped, "[1,3]");
}

}  // namespace
}  // namespace rnn
