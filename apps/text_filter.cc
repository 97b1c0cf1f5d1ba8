#include "apps/text_filter.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "base/file.h"
#include "base/number.h"
#include "rnn/error.h"

namespace rnn {

namespace po = boost::program_options;

ByteProgress::ByteProgress()
    // Where results come to the same screen they are progress enough, and this would be among them.
    : terminal_(isatty(STDERR_FILENO) == 1 && isatty(STDOUT_FILENO) == 0),
      start_(std::chrono::steady_clock::now()) {
  last_ = start_;
}

ByteProgress::~ByteProgress() {
  if (shown_) std::cerr << "\r\033[K";
}

void ByteProgress::show(std::int64_t done, std::int64_t total) {
  if (!terminal_ || total <= 0) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < std::chrono::milliseconds(200)) return;
  last_ = now;
  shown_ = true;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double rate = static_cast<double>(done) / seconds;
  const double left = rate > 0 ? static_cast<double>(total - done) / rate : 0;
  std::cerr << "\r\033[K"
            << to_fixed(100.0 * static_cast<double>(done) / static_cast<double>(total), 1) << " %  "
            << to_fixed(rate / 1e6, 1) << " MB/s  " << to_fixed(left, 0) << " s left" << std::flush;
}

void add_inputs(CommandLine& line) {
  line.add("Input")("text", po::value<Arguments>()->multitoken()->composing()->value_name("F..."),
                    "text files, also packed with gzip; default: -, standard input")(
      "replace-invalid", po::bool_switch(), "put U+FFFD in place of what is not UTF-8")(
      "keep-marks", po::bool_switch(),
      "keep a byte-order mark and the carriage returns of CR LF, which are left out otherwise");
  line.positional("text", -1);
}

std::vector<std::string> inputs(const CommandLine& line) {
  Arguments paths = line.has("text") ? line.get<Arguments>("text") : Arguments{"-"};
  if (std::count(paths.begin(), paths.end(), "-") > 1) {
    throw ConfigError("standard input (-) can be read once, and was given twice");
  }
  return paths;
}

TextPolicy text_policy(const CommandLine& line) {
  return {.replace_invalid = line.get<bool>("replace-invalid"),
          .keep_marks = line.get<bool>("keep-marks")};
}

void add_tokenizer(CommandLine& line) {
  std::string names;
  for (const std::string_view name : tokenizer_units()) {
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  const auto text = [](const char* name) {
    return po::value<std::string>()->default_value("")->value_name(name);
  };
  line.add("Units")("unit", po::value<std::string>()->default_value("word"), names.c_str())(
      "locale", text("NAME"), "of icu-word, such as ja")("pattern", text("REGEX"), "of regex")(
      "tokenizer-model", text("FILE"), "of sentencepiece");
}

std::shared_ptr<const Tokenizer> tokenizer_of(const CommandLine& line) {
  return make_tokenizer({.unit = line.get<std::string>("unit"),
                         .locale = line.get<std::string>("locale"),
                         .model = line.get<std::string>("tokenizer-model"),
                         .pattern = line.get<std::string>("pattern")});
}

void write_output(const std::string& path, const std::function<std::string()>& make) {
  if (path != "-") {
    AtomicFile file(path);
    file.write(make());
    file.commit();
  } else if (!(std::cout << make()).flush()) {
    throw IoError("standard output: cannot write");
  }
}

void filter_lines(const std::vector<std::string>& paths, const TextPolicy& policy,
                  const std::function<void(const LineReader&, std::string&)>& write) {
  constexpr std::size_t kFull = 1 << 16;
  ByteProgress progress;
  std::string output;
  const auto flush = [&] {
    if (!std::cout.write(output.data(), static_cast<std::streamsize>(output.size())).flush()) {
      throw IoError("standard output: cannot write");
    }
    output.clear();
  };
  try {
    for (const std::string& path : paths) {
      LineReader reader(path, policy);
      while (reader.next()) {
        write(reader, output);
        // Whoever sends line after line sees each answer before the next line is waited for.
        if (output.size() < kFull && reader.buffered()) continue;
        flush();
        progress.show(reader.bytes_read(), reader.bytes_total());
      }
    }
  } catch (...) {
    flush();  // what came before the fault
    throw;
  }
  flush();
}

}  // namespace rnn
