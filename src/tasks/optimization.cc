#include "tasks/optimization.h"

#include "rnn/error.h"

namespace rnn {

Optimizer make_optimizer(const std::string& name, float lr, float momentum, float weight_decay) {
  if (name == "sgd") return SGD{.learning_rate = lr, .weight_decay = weight_decay};
  if (name == "momentum") {
    return SGD{.learning_rate = lr, .momentum = momentum, .weight_decay = weight_decay};
  }
  if (name == "rmsprop") return RMSprop{.learning_rate = lr, .weight_decay = weight_decay};
  if (name == "adam") return Adam{.learning_rate = lr, .weight_decay = weight_decay};
  if (name == "adamw") return AdamW{.learning_rate = lr, .weight_decay = weight_decay};
  throw ConfigError("optimizer: expected sgd, momentum, rmsprop, adam or adamw, got '" + name +
                    "'");
}

}  // namespace rnn
