// Any bytes as a file of tensors: refused, or read and written back to the same tensors.
#include <cstring>

#include "fuzz/memory_file.h"
#include "rnn/error.h"
#include "rnn/model_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rnn::MemoryFile file(data, size);
  try {
    const rnn::SafetensorsContents contents = rnn::load_safetensors(file.path());
    rnn::require(static_cast<std::size_t>(contents.tensors.elements()) * sizeof(float) <= size);
    static const std::string path = rnn::in_memory("safetensors");
    rnn::save_safetensors(path, contents.tensors, contents.metadata);
    const rnn::SafetensorsContents again = rnn::load_safetensors(path);
    rnn::require(again.metadata == contents.metadata);
    rnn::require(again.tensors.size() == contents.tensors.size());
    for (const rnn::NamedTensor& entry : contents.tensors) {
      const rnn::Tensor& copy = again.tensors.at(entry.name);
      rnn::require(copy.shape() == entry.tensor.shape());
      rnn::require(copy.empty() ||
                   std::memcmp(copy.data(), entry.tensor.data(),
                               static_cast<std::size_t>(copy.size()) * sizeof(float)) == 0);
    }
  } catch (const rnn::Error&) {
  }
  return 0;
}
