// Any bytes as the checkpoint of a training: refused without a change, or gone on from.
#include "fuzz/memory_file.h"
#include "rnn/embedding.h"
#include "rnn/error.h"
#include "rnn/model.h"
#include "rnn/recurrent.h"
#include "rnn/sequential.h"
#include "rnn/softmax.h"

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
  return 0;
}
