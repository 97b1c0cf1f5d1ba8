// Files are read for as long as they are, and nothing that has no end is waited for.
#include "base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <future>

#include "rnn/error.h"
#include "support/temporary_folder.h"

namespace rnn {
namespace {

template <class Expected, class Function>
void expect_refused(Function function, const std::string& part) {
  try {
    function();
    ADD_FAILURE() << "accepted";
  } catch (const Expected& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(ReadFile, GivesAllBytesUpToItsLimit) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("f"), bytes(200'000, '\xff');
  write_file(path, bytes);
  EXPECT_EQ(read_file(path), bytes);
  EXPECT_EQ(read_file(path, bytes.size()), bytes);
  EXPECT_EQ(read_stream(path, bytes.size()), bytes);
  expect_refused<FormatError>([&] { read_file(path, bytes.size() - 1); }, path);
  expect_refused<FormatError>([&] { read_stream(path, bytes.size() - 1); }, path);
  write_file(path, "");
  EXPECT_EQ(read_file(path, 0), "");
  EXPECT_EQ(sha256_of_file(path),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(ReadFile, HasNoLimitOfItsOwn) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("f");
  write_file(path, "");
  constexpr std::uint64_t kSize = (std::uint64_t{1} << 32) + 10;  // without blocks on the disk
  std::filesystem::resize_file(path, kSize);
  const RegularFile file(path);
  EXPECT_EQ(file.size(), kSize);
  std::string bytes(3, 'x');
  file.read(kSize - 3, bytes);
  EXPECT_EQ(bytes, std::string(3, '\0'));
  expect_refused<FormatError>([&] { file.read(kSize - 2, bytes); }, path);
}

TEST(ReadFile, TakesNothingWithoutAnEnd) {
  const test::TemporaryFolder folder;
  const std::string pipe = folder.file("pipe"), round = folder.file("round"),
                    link = folder.file("link");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  ASSERT_EQ(symlink("round", round.c_str()), 0);
  ASSERT_EQ(symlink("/dev/zero", link.c_str()), 0);
  for (const std::string& path : {pipe, round, link, folder.file("")}) {
    EXPECT_TRUE(is_there(path)) << path;
    expect_refused<IoError>([&] { read_file(path, 1000); }, path);
    expect_refused<IoError>([&] { sha256_of_file(path); }, path);
  }
  EXPECT_FALSE(is_there(folder.file("nothing")));
  EXPECT_FALSE(is_there(folder.file("pipe/nothing")));
  expect_refused<FormatError>([&] { read_stream(link, 100'000); }, link);
}

TEST(ReadStream, ReadsAPipeToItsEnd) {
  const test::TemporaryFolder folder;
  const std::string pipe = folder.file("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  auto read = std::async(std::launch::async, [&] { return read_stream(pipe, 5); });
  const int end = open(pipe.c_str(), O_WRONLY);
  EXPECT_EQ(write(end, "he", 2), 2);
  EXPECT_EQ(write(end, "llo", 3), 3);
  close(end);
  EXPECT_EQ(read.get(), "hello");
}

}  // namespace
}  // namespace rnn
