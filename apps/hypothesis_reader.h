// HypothesisReader: lists of the n best hypotheses of a recogniser or translator.
#pragma once

#include <string>
#include <string_view>

#include "rnn/text/line_reader.h"

namespace rnn {

inline constexpr std::string_view kHypothesisGap = " ||| ";  ///< between fields

struct Hypothesis {
  std::string id{};
  std::string line{};
  std::string text{};
  double before = 0;  ///< its score so far
};

/// Reads lines of the form `ID ||| hypothesis [||| ... ||| score]`. Errors: those of LineReader;
/// TextError "file:line: ..." for a line without a hypothesis or, where `scored`, without a finite
/// score.
class HypothesisReader {
 public:
  HypothesisReader(const std::string& path, const TextPolicy& policy, bool scored)
      : reader_(path, policy), scored_(scored) {}

  /// False at the end.
  bool next(Hypothesis& hypothesis);

 private:
  [[noreturn]] void fail(const char* what) const;

  LineReader reader_;
  bool scored_;
};

}  // namespace rnn
