// The commands, one file each.
#pragma once

#include <string>
#include <vector>

namespace rnn {

using Arguments = std::vector<std::string>;

void classify_train(const Arguments& arguments);
void classify_eval(const Arguments& arguments);
void classify_predict(const Arguments& arguments);
void classify_explain(const Arguments& arguments);
void classify_serve(const Arguments& arguments);
void lm_train(const Arguments& arguments);
void lm_eval(const Arguments& arguments);
void lm_score(const Arguments& arguments);
void lm_generate(const Arguments& arguments);
void tag_train(const Arguments& arguments);
void tag_eval(const Arguments& arguments);
void tag_predict(const Arguments& arguments);
void text_normalize(const Arguments& arguments);
void text_segment(const Arguments& arguments);
void text_tokenize(const Arguments& arguments);
void text_detokenize(const Arguments& arguments);
void text_vocabulary(const Arguments& arguments);
void text_train_sentencepiece(const Arguments& arguments);
void inspect(const Arguments& arguments);
void quantize(const Arguments& arguments);

}  // namespace rnn
