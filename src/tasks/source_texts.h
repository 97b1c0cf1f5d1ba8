// Labelled texts as they were read, before they are numbers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/text/disk_vector.h"
#include "rnn/text/labelled_reader.h"
#include "rnn/text/symbol_table.h"
#include "tasks/source_files.h"

namespace rnn {

/// Labelled texts in the order in which they were added. They are needed several times, to hold
/// some out, to count words and to make numbers of them, but may come from a pipe: DiskVectors keep
/// them, and memory does not grow with them unless the storage is memory alone.
class SourceTexts {
 public:
  explicit SourceTexts(const Storage& storage = {})
      : texts_(storage), labels_(storage), lines_(storage) {}

  /// `file` is for messages.
  void add(const LabelledText& text, const std::string& file);

  std::int64_t size() const { return texts_.size(); }
  std::string_view text(std::int64_t i) const;
  /// Numbers of its labels, in the order of the file.
  std::span<const std::int32_t> labels(std::int64_t i) const { return labels_[i]; }
  /// All labels that there are.
  std::int32_t label_count() const { return names_.size(); }
  std::string_view label(std::int32_t number) const { return names_[number]; }
  /// The name of its file.
  const std::string& file(std::int64_t i) const { return files_.of(i); }
  /// The number of its line in the file.
  std::int64_t line(std::int64_t i) const { return lines_[i]; }

 private:
  DiskLists<char> texts_;
  DiskLists<std::int32_t> labels_;
  DiskVector<std::int64_t> lines_;
  SymbolTable names_{};
  SourceFiles files_{};
};

/// Throws TextError when there is no text in the files.
SourceTexts read_labelled(std::span<const std::string> paths, const LabelledOptions& options,
                          const Storage& storage);

/// Some of the texts, in their order; they must live as long.
class SelectedTexts {
 public:
  explicit SelectedTexts(const SourceTexts& texts) : texts_(texts) {}
  /// Those whose number is `marked`, or all others.
  SelectedTexts(const SourceTexts& texts, const std::vector<bool>& marked, bool others)
      : texts_(texts), marked_(&marked), others_(others) {}

  const SourceTexts& source() const { return texts_; }
  /// Calls `function` with the number of each.
  template <class Function>
  void each(Function function) const {
    for (std::int64_t i = 0; i < texts_.size(); ++i) {
      if (!marked_ || (*marked_)[static_cast<std::size_t>(i)] != others_) function(i);
    }
  }

 private:
  const SourceTexts& texts_;
  const std::vector<bool>* marked_ = nullptr;
  bool others_ = false;
};

/// Marks the last `share` of the texts of each label (of its first label, where it has several), at
/// least one of each that has two; but none whose labels do not all stand in texts that are not
/// marked, too.
std::vector<bool> hold_out(const SourceTexts& texts, float share);

/// All labels of the texts, in the order of their bytes. Throws TextError when there are fewer than
/// two, or, for several labels a text, none.
std::vector<std::string> labels_of(const SelectedTexts& texts, bool multi_label);

}  // namespace rnn
