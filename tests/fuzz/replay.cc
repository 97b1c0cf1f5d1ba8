// What drives a fuzz target where libFuzzer does not: no input at all, then each seed that is named
// or lies in a folder that is named, once.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "base/file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int count, char** arguments) {
  namespace fs = std::filesystem;
  LLVMFuzzerTestOneInput(nullptr, 0);
  int seeds = 0;
  for (const std::string& folder : std::vector<std::string>(arguments + 1, arguments + count)) {
    for (const fs::directory_entry& seed : fs::directory_iterator(folder)) {
      std::cout << seed.path().string() << std::endl;  // at once: a crash is the next one's
      const std::string bytes = rnn::read_file(seed.path().string());
      // Exactly as long, so that a sanitizer sees what reads past the end.
      const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
      LLVMFuzzerTestOneInput(input.data(), input.size());
      ++seeds;
    }
  }
  return count > 1 && seeds == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
