// SentenceReader: scores of sentences that come one after another.
//
//   rnn::SentenceReader reader(model);
//   for (std::string line; std::getline(in, line);) use(reader.score(line).log_prob);
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/export.h"
#include "rnn/tasks/language_model.h"
#include "rnn/tasks/language_model_mixture.h"

namespace rnn {

/// Gives, bit for bit, the scores of LanguageModel::score and LanguageModelMixture::score, and
/// keeps from call to call what these make anew each time: memory, and weights in the order of the
/// kernels. One is for one thread at a time, the model may serve many.
class RNN_API SentenceReader {
 public:
  /// The model must live as long.
  explicit SentenceReader(const LanguageModel& model);
  explicit SentenceReader(const LanguageModelMixture& mixture);
  ~SentenceReader();
  SentenceReader(SentenceReader&&) noexcept;

  /// Each from the beginning of a text.
  std::vector<SentenceScore> score(std::span<const std::string> sentences);
  SentenceScore score(std::string_view sentence);
  /// A sentence that goes on from `state`, which is moved along; LanguageModel::initial_state is
  /// the first. Throws ConfigError for a mixture, whose sentences each begin anew.
  SentenceScore score(std::string_view sentence, State& state);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
