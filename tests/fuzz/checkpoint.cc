// Any bytes as the checkpoint of a training, and any tensors and numbers with the checksum that is
// theirs: refused without a change, or gone on from.
#include <filesystem>

#include "fuzz/memory_file.h"
#include "rnn/embedding.h"
#include "rnn/error.h"
#include "rnn/model.h"
#include "rnn/model_file.h"
#include "rnn/recurrent.h"
#include "rnn/sequential.h"
#include "rnn/softmax.h"
#include "training/checkpoint_checksum.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rnn::MemoryFile file(data, size);
  static rnn::Model model = [] {
    rnn::Model made(rnn::Sequential({rnn::Embedding({.input_dim = 5, .output_dim = 3}),
                                     rnn::LSTM({.units = 3}), rnn::Softmax({.units = 5})}));
    made.compile({.optimizer = rnn::Adam{}, .backend = {.threads = {.threads = 1}}});
    return made;
  }();
  try {
    model.load_checkpoint(file.path());
  } catch (const rnn::Error&) {
  }
  try {
    rnn::SafetensorsContents contents = rnn::load_safetensors(file.path());
    contents.metadata[rnn::kCheckpointChecksum] =
        rnn::checkpoint_checksum(contents.tensors, contents.metadata);
    static const std::string path = rnn::in_memory("checkpoint");
    rnn::save_safetensors(path, contents.tensors, contents.metadata);
    model.load_checkpoint(path);
    model.save_checkpoint(path);
    model.load_checkpoint(path);
  } catch (const rnn::Error&) {
  }
  return 0;
}
