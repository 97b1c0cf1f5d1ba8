#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "rnn/text/tag_reader.h"

namespace rnn {

/// Sentences with their tags, read from files.
struct TaggedPart {
  std::vector<TaggedSentence> sentences{};
  std::vector<std::string> files{};  ///< names
  std::vector<std::size_t> first{};  ///< the first sentence of each file
  std::int64_t words = 0;

  const std::string& file_of(std::size_t sentence) const;
};

/// Throws TextError when there is no sentence at all.
TaggedPart read_tagged(std::span<const std::string> paths, const TagReaderOptions& options);

}  // namespace rnn
