// The labelled corpus that the project brings must stay worth learning from.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "rnn/text/labelled_reader.h"

namespace rnn {
namespace {

TEST(SampleCorpora, NotesOfAnInnAreManyAndVaried) {
  std::set<std::string> texts;
  std::map<std::string, int> labels, runs;
  for (const std::string part : {"train", "test"}) {
    LabelledReader reader(RNN_SOURCE_DIR "/corpora/inn_notes/" + part + ".tsv");
    for (LabelledText note; reader.next(note);) {
      EXPECT_TRUE(texts.insert(note.text).second) << "twice: " << note.text;
      ++labels[part + " " + note.labels.at(0)];
      std::vector<std::string> words;
      std::istringstream stream(note.text);
      for (std::string word; stream >> word;) words.push_back(word);
      for (std::size_t i = 0; i + 8 <= words.size(); ++i) {
        std::string run;
        for (std::size_t k = 0; k < 8; ++k) run += words[i + k] + " ";
        EXPECT_LE(++runs[run], 3) << run;
      }
    }
  }
  EXPECT_GE(texts.size(), 600u);
  EXPECT_GE(labels.size(), 6u);  // at least three, in both parts
  for (const auto& [label, count] : labels) EXPECT_GE(count, 30) << label;
}

}  // namespace
}  // namespace rnn
