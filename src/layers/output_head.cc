#include "rnn/output_head.h"

#include <algorithm>
#include <cmath>

namespace rnn {

void OutputHead::log_predict(const Sequence& features, View<float> logs, Call& call) const {
  const View<const float> probabilities = predict(features, call);
  std::transform(probabilities.begin(), probabilities.end(), logs.begin(),
                 [](float probability) { return std::log(probability); });
}

}  // namespace rnn
