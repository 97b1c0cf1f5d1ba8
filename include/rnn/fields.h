// Fields: the named members of an options struct, one after another.
//
// An options struct lists its members once, in `exchange`; that list serves to write a model file,
// to read it back and to print a summary, so the three cannot disagree:
//
//   void DropoutOptions::exchange(Fields& fields) {
//     fields("rate", rate);
//     fields("shared_over_time", shared_over_time);
//   }
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/error.h"
#include "rnn/export.h"

namespace rnn {

/// Reads into the members it is shown, or writes them out. A reader leaves a member alone when the
/// file does not have it, and refuses names that nobody asked for.
class RNN_API Fields {
 public:
  virtual ~Fields() = default;
  virtual void operator()(std::string_view name, bool& value) = 0;
  virtual void operator()(std::string_view name, std::int64_t& value) = 0;
  virtual void operator()(std::string_view name, double& value) = 0;
  virtual void operator()(std::string_view name, std::string& value) = 0;
  /// How messages call a field: with its prefix, or as the option that a user gives.
  virtual std::string name_for_messages(std::string_view name) const { return std::string(name); }

  /// Members that belong together under one name, such as a layer inside another: `members` is
  /// called with the fields of that group, or not at all when a reader finds none. A file has them
  /// as an object of their own; this default shows them as "name_member".
  virtual void group(std::string_view name, const std::function<void(Fields&)>& members);

  void operator()(std::string_view name, int& value) { through<std::int64_t>(name, value); }
  void operator()(std::string_view name, float& value);

  /// An enum by the names of its values; their order is the order of the enumerators from 0.
  template <class Enum>
  void choice(std::string_view name, Enum& value, std::initializer_list<std::string_view> names) {
    std::string text(names.begin()[static_cast<std::size_t>(value)]);
    (*this)(name, text);
    value = static_cast<Enum>(chosen(name, text, names));
  }

  /// Several of them, at least one, as text with commas between.
  template <class Enum>
  void choices(std::string_view name, std::vector<Enum>& values,
               std::initializer_list<std::string_view> names) {
    std::string text;
    for (Enum value : values) {
      text += (text.empty() ? "" : ",");
      text += names.begin()[static_cast<std::size_t>(value)];
    }
    (*this)(name, text);
    values.clear();
    for (std::size_t from = 0; from <= text.size();) {
      const std::size_t to = std::min(text.find(',', from), text.size());
      values.push_back(
          static_cast<Enum>(chosen(name, std::string_view(text).substr(from, to - from), names)));
      from = to + 1;
    }
  }

 private:
  template <class Wide, class Narrow>
  void through(std::string_view name, Narrow& value) {
    Wide wide = static_cast<Wide>(value);
    (*this)(name, wide);
    value = static_cast<Narrow>(wide);
    if (static_cast<Wide>(value) != wide) out_of_range(name);
  }
  /// The place of `given` among the names. Throws ConfigError.
  std::size_t chosen(std::string_view name, std::string_view given,
                     std::initializer_list<std::string_view> names) const;
  [[noreturn]] void out_of_range(std::string_view name) const;
};

}  // namespace rnn
