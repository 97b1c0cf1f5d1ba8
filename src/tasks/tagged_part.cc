#include "tasks/tagged_part.h"

#include <algorithm>

#include "rnn/error.h"

namespace rnn {

const std::string& TaggedPart::file_of(std::size_t sentence) const {
  const auto after = std::upper_bound(first.begin(), first.end(), sentence);
  return files[static_cast<std::size_t>(after - first.begin()) - 1];
}

TaggedPart read_tagged(std::span<const std::string> paths, const TagReaderOptions& options) {
  TaggedPart part;
  for (const std::string& path : paths) {
    TagReader reader(path, options);
    part.files.push_back(reader.name());
    part.first.push_back(part.sentences.size());
    TaggedSentence sentence;
    while (reader.next(sentence)) {
      part.words += static_cast<std::int64_t>(sentence.words.size());
      part.sentences.push_back(std::move(sentence));
    }
  }
  if (part.sentences.empty()) {
    throw TextError((part.files.empty() ? "no file" : part.files.front()) +
                    ": there is no sentence; expected words, one a line, with an empty line after "
                    "each sentence");
  }
  return part;
}

}  // namespace rnn
