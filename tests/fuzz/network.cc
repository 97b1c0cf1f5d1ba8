// Any bytes as the description of a network: refused, or read and written back to the same one.
#include "fuzz/memory_file.h"
#include "rnn/error.h"
#include "rnn/model_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto network =
        rnn::network_from_json({reinterpret_cast<const char*>(data), size}, "network");
    const std::string text = rnn::network_to_json(network);
    rnn::require(rnn::network_to_json(rnn::network_from_json(text)) == text);
  } catch (const rnn::Error&) {
  }
  return 0;
}
