// Any bytes as a file of options (--config): read, or a ConfigError.
#include "apps/command_line.h"
#include "fuzz/memory_file.h"
#include "rnn/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace po = boost::program_options;
  const rnn::MemoryFile file(data, size);
  try {
    rnn::CommandLine line("test --model DIR", "A command with options of every kind.");
    rnn::add_model_option(line);
    line.add("Files")("train", po::value<std::vector<std::string>>()->multitoken(), "texts");
    line.add("Run")("epochs", po::value<std::int64_t>()->default_value(1), "passes")(
        "lr", po::value<double>()->default_value(0.1), "rate")("tie", po::bool_switch(), "weights");
    rnn::add_backend_options(line);
    rnn::require(line.parse({"--config", file.path()}));
    static_cast<void>(line.get<std::int64_t>("epochs") + line.get<int>("threads"));
    static_cast<void>(rnn::backend_options(line));
  } catch (const rnn::Error&) {
  }
  return 0;
}
