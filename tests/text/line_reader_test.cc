#include "rnn/text/line_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "rnn/error.h"
#include "text/lines.h"
#include "text/packed.h"
#include "text/text_files.h"

namespace rnn {
namespace {

using std::string_literals::operator""s;
using Strings = std::vector<std::string>;

Strings lines_of(const std::string& path, const TextPolicy& policy = {}) {
  LineReader reader(path, policy);
  Strings lines;
  while (reader.next()) {
    lines.emplace_back(reader.line());
    EXPECT_EQ(reader.line_number(), static_cast<std::int64_t>(lines.size()));
  }
  EXPECT_EQ(reader.bytes_read(), reader.bytes_total());
  return lines;
}

TEST(LineReader, LastLineCountsWithAndWithoutLineFeed) {
  const TextFiles files;
  EXPECT_EQ(lines_of(files.write("a", "one\ntwo\n")), (Strings{"one", "two"}));
  EXPECT_EQ(lines_of(files.write("b", "one\ntwo")), (Strings{"one", "two"}));
  EXPECT_EQ(lines_of(files.write("c", "\n\n")), (Strings{"", ""}));
  EXPECT_EQ(lines_of(files.write("d", "")), Strings{});
  EXPECT_EQ(lines_of(files.write("e", "x")), Strings{"x"});
}

TEST(LineReader, WindowsLineEndsAndByteOrderMarkAreNoText) {
  const TextFiles files;
  const std::string path = files.write("a", "\xEF\xBB\xBFone\r\ntwo\rx\r\n\r\nlast\r");
  EXPECT_EQ(lines_of(path), (Strings{"one", "two\rx", "", "last\r"}));
  EXPECT_EQ(lines_of(path, {.keep_marks = true}),
            (Strings{"\xEF\xBB\xBFone\r", "two\rx\r", "\r", "last\r"}));
}

TEST(LineReader, NothingElseEndsALine) {
  const TextFiles files;
  EXPECT_EQ(lines_of(files.write("a", "a\vb\fc\u0085d\u2028e\0f\n"s)),
            Strings{"a\vb\fc\u0085d\u2028e\0f"s});
}

TEST(LineReader, LinesLongerThanTheBufferAreWhole) {
  const TextFiles files;
  const std::string a(3'000'000, 'a'), b(700'000, 'b');
  EXPECT_EQ(lines_of(files.write("a", a + "\n" + b + "\nc\n" + a)), (Strings{a, b, "c", a}));
}

TEST(LineReader, ManyLinesAcrossBuffers) {
  const TextFiles files;
  std::string text;
  Strings expected;
  for (int i = 0; i < 300'000; ++i) {
    expected.push_back(std::to_string(i % 7919));
    text += expected.back() + (i % 3 == 0 ? "\r\n" : "\n");
  }
  EXPECT_EQ(lines_of(files.write("a", text)), expected);
}

TEST(LineReader, InvalidUtf8IsRefusedWithItsPlaceAndTheRemedy) {
  const TextFiles files;
  const std::string path = files.write("latin1.txt", "fine\ncaf\xE9 au lait\n");
  expect_error<TextError>([&] { lines_of(path); }, "latin1.txt:2:4: ", "byte 4", "0xE9",
                          "--replace-invalid");
  // The column counts characters, and none for a mark.
  expect_error<TextError>(
      [&] { lines_of(files.write("wide.txt", "\xEF\xBB\xBF\u4E2D\u6587\x80\n")); },
      "wide.txt:1:3: ", "byte 7");
  EXPECT_EQ(lines_of(path, {.replace_invalid = true}), (Strings{"fine", "caf\uFFFD au lait"}));
  EXPECT_EQ(lines_of(path, {.any_bytes = true}), (Strings{"fine", "caf\xE9 au lait"}));
}

TEST(LineReader, GzipIsUnpacked) {
  const TextFiles files;
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "line " + std::to_string(i) + "\n";
  const Strings plain = lines_of(files.write("plain", text));
  EXPECT_EQ(lines_of(files.write("one.gz", packed(text))), plain);
  // Archives of several members, as `cat a.gz b.gz` makes them; the name does not matter.
  const std::string two = packed(text.substr(0, 1'000'003)) + packed(text.substr(1'000'003));
  EXPECT_EQ(lines_of(files.write("two", two)), plain);
  EXPECT_EQ(lines_of(files.write("empty.gz", packed(""))), Strings{});
}

TEST(LineReader, GzipIsAnErrorWhereItMayNotBe) {
  const TextFiles files;
  const TextPolicy policy{.any_bytes = true, .never_packed = true};
  EXPECT_EQ(lines_of(files.write("plain", "\x1f\nb\n"), policy), (Strings{"\x1f", "b"}));
  for (const std::string& bytes : {packed("one\n"), "\x1f\x8b"s}) {
    expect_error<FormatError>([&] { lines_of(files.write("a.txt", bytes), policy); }, "a.txt",
                              "gzip", "unpack");
  }
}

TEST(LineReader, DamagedGzipIsAnError) {
  const TextFiles files;
  std::string bytes = packed("some text that is packed\nand more of it\n");
  expect_error<IoError>(
      [&] { lines_of(files.write("short.gz", bytes.substr(0, bytes.size() - 9))); }, "short.gz",
      "too early");
  bytes[bytes.size() / 2] ^= 0x55;
  bytes[bytes.size() - 6] ^= 0x55;
  expect_error<IoError>([&] { lines_of(files.write("bad.gz", bytes)); }, "bad.gz", "damaged");
}

TEST(LineReader, DamagedGzipIsAnErrorInTheLineThatWasReached) {
  const TextFiles files;
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i * 7919 % 100'003) + "\n";
  const std::string whole = packed(text);
  for (const std::size_t place : {whole.size() / 3, whole.size() / 2, whole.size() - 1}) {
    std::string damaged = whole;
    for (std::size_t i = place; i < std::min(place + 200, whole.size()); ++i) damaged[i] ^= 0x55;
    for (const std::string& bytes : {damaged, whole.substr(0, place)}) {
      LineReader reader(files.write("bad.gz", bytes));
      std::int64_t lines = 0;
      try {
        while (reader.next()) ++lines;
        ADD_FAILURE() << "read to the end";
      } catch (const IoError& error) {
        EXPECT_TRUE(
            std::string_view(error.what())
                .starts_with(reader.name() + ":" + std::to_string(lines + 1) + ": cannot unpack: "))
            << error.what();
        // Also where all data are there and only the length that they should have is wrong.
        EXPECT_NE(std::string_view(error.what())
                      .find(bytes.size() == whole.size() ? "damaged gzip data" : "end too early"),
                  std::string_view::npos)
            << error.what();
        EXPECT_GT(lines, 20'000);  // what came before is read
      }
    }
  }
}

TEST(LineReader, ALineWithoutEndIsAnErrorInThatLine) {
  const TextFiles files;
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  const std::string path = files.write("x.txt", "one\ntwo\n" + std::string(3 * kMiB, 'x'));
  const auto read = [&] {
    BlockReader reader(ByteSource(path), 2 * kMiB);
    Block block;
    ASSERT_TRUE(reader.next(block));
    LineCursor cursor(block, path, 0, {});
    while (cursor.next()) {
    }
    try {
      reader.next(block);
    } catch (...) {
      rethrow_in_line(cursor.line_number() + 1);
    }
  };
  expect_error<TextError>(read, "x.txt:3:1: ", "longer than 2 MiB");
}

TEST(LineReader, MissingFileAndDirectoryAreErrors) {
  const TextFiles files;
  expect_error<IoError>([&] { LineReader(files.path("nowhere.txt")); }, "nowhere.txt",
                        "No such file");
  expect_error<IoError>([&] { lines_of(files.directory().string()); }, files.directory().string());
}

TEST(LineReader, ReadsStandardInputAsItArrives) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const int kept = dup(STDIN_FILENO);
  dup2(ends[0], STDIN_FILENO);
  close(ends[0]);
  {
    LineReader reader("-");
    const std::jthread writer([&] {
      EXPECT_EQ(write(ends[1], "one\ntw", 6), 6);
      EXPECT_EQ(write(ends[1], "o\nthree", 7), 7);
      close(ends[1]);
    });
    Strings lines;
    while (reader.next()) lines.emplace_back(reader.line());
    EXPECT_EQ(lines, (Strings{"one", "two", "three"}));
    EXPECT_EQ(reader.name(), "<stdin>");
    EXPECT_EQ(reader.bytes_total(), -1);
  }
  dup2(kept, STDIN_FILENO);
  close(kept);
}

}  // namespace
}  // namespace rnn
