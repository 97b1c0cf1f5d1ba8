// The commands, one file each.
#pragma once

#include <string>
#include <vector>

namespace rnn {

using Arguments = std::vector<std::string>;

void lm_train(const Arguments& arguments);
void lm_eval(const Arguments& arguments);
void lm_score(const Arguments& arguments);
void lm_generate(const Arguments& arguments);
void inspect(const Arguments& arguments);

}  // namespace rnn
