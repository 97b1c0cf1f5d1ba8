// Made-up labelled texts for tests of classifiers.
#pragma once

#include <string>
#include <vector>

namespace rnn::test {

struct Note {
  std::string label, text;
};

/// The order of words decides, not which they are. Label "yes" where "north" comes before "south",
/// "no" where after, "none" without either. The same seed gives the same texts.
inline std::vector<Note> made_up_notes(int count, unsigned seed) {
  static const char* const kWords[] = {"the", "old", "ship", "sailed", "by", "day", "and", "Night"};
  const auto draw = [&](unsigned below) {
    seed = seed * 1664525 + 1013904223;
    return seed / 65536 % below;
  };
  std::vector<Note> notes;
  for (int i = 0; i < count; ++i) {
    const int kind = i % 3;
    std::string text;
    const auto words = [&] {
      for (unsigned n = 1 + draw(4); n-- > 0;) text += std::string(kWords[draw(8)]) + " ";
    };
    words();
    if (kind < 2) text += kind == 0 ? "north " : "south ";
    words();
    if (kind < 2) text += kind == 0 ? "south " : "north ";
    words();
    text.back() = '.';
    notes.push_back({kind == 0 ? "yes" : kind == 1 ? "no" : "none", text});
  }
  return notes;
}

/// 36 notes, "past" with "was" and "seen" with "saw": both labels' texts have the same characters,
/// so that words alone tell them apart.
inline std::vector<Note> was_and_saw() {
  std::vector<Note> notes;
  for (const char* place : {"here", "there", "in town", "at sea", "at home", "by the road"}) {
    for (const char* who : {"he", "she", "it"}) {
      notes.push_back({"past", std::string(who) + " was " + place});
      notes.push_back({"seen", std::string(who) + " saw " + place});
    }
  }
  return notes;
}

inline std::string as_lines(const std::vector<Note>& notes) {
  std::string lines;
  for (const Note& note : notes) lines += note.label + "\t" + note.text + "\n";
  return lines;
}

}  // namespace rnn::test
