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

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

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
    int index = 0;
    for (std::string_view candidate : names) {
      if (candidate == text) {
        value = static_cast<Enum>(index);
        return;
      }
      ++index;
    }
    unknown_choice(name, text, names);
  }

 private:
  template <class Wide, class Narrow>
  void through(std::string_view name, Narrow& value) {
    Wide wide = static_cast<Wide>(value);
    (*this)(name, wide);
    value = static_cast<Narrow>(wide);
    if (static_cast<Wide>(value) != wide) out_of_range(name);
  }
  [[noreturn]] void unknown_choice(std::string_view name, std::string_view given,
                                   std::initializer_list<std::string_view> names) const;
  [[noreturn]] void out_of_range(std::string_view name) const;
};

}  // namespace rnn
