#include "rnn/batch.h"

#include "rnn/error.h"

namespace rnn {

std::unique_ptr<BatchSource> BatchSource::hold_out(double) {
  throw ConfigError(
      "validation_split: this source of batches cannot be divided; give a source of its own as "
      "validation");
}

}  // namespace rnn
