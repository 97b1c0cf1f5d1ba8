// The one door to the JSON library.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rnn/fields.h"

namespace rnn {

/// Keeps the order in which members were added, so that a person reads a file top to bottom.
using Json = nlohmann::ordered_json;

/// Values that stand inside one another; more would exhaust the stack of who walks through them.
inline constexpr int kJsonDepth = 100;

/// Members of one object. Each new one is compared with those before it, so without a limit a file
/// of some megabytes would take minutes.
inline constexpr std::size_t kJsonMembers = 4096;

/// Values of one text, however they nest. Parsed, one of three bytes takes up to 50, so that
/// without a limit a text would take many times its size.
inline constexpr std::size_t kJsonValues = std::size_t{1} << 22;

/// Throws FormatError "where: ..." with the position of the fault, or the name given twice. What
/// the JSON library threw is nested in it.
Json parse_json(std::string_view text, std::string_view where,
                std::size_t most_members = kJsonMembers);

/// As parse_json counts them: lists and objects are values, too.
std::size_t count_values(const Json& json);

/// An object with very many members, such as the header of a file of tensors.
struct LargeObject {
  nlohmann::json members;          ///< found by name, at a cost that hardly grows with their number
  std::vector<std::string> names;  ///< in the order of the text
};

/// As parse_json does; FormatError too when the text is no object.
LargeObject parse_large_object(std::string_view text, std::string_view where,
                               std::size_t most_members);

/// Whether a value is what T can hold. The JSON library converts any number to any other: it cuts
/// fractions off, and what is out of range is undefined.
template <class T>
struct Holds {
  template <class Value>
  static bool value(const Value&) {
    return true;  // checked by the conversion
  }
};
template <std::integral T>
requires(!std::same_as<T, bool>) struct Holds<T> {
  template <class Value>
  static bool value(const Value& number) {
    if (number.is_number_unsigned()) {
      return std::in_range<T>(number.template get<std::uint64_t>());
    }
    return number.is_number_integer() && std::in_range<T>(number.template get<std::int64_t>());
  }
};
template <class T>
struct Holds<std::vector<T>> {
  template <class Value>
  static bool value(const Value& list) {
    return list.is_array() && std::all_of(list.begin(), list.end(), [](const Value& element) {
             return Holds<T>::value(element);
           });
  }
};

/// A member that must be there and be a T, where that is a whole number one in its range; else
/// FormatError naming it.
template <class T, class Object>
T member(const Object& object, const char* name, std::string_view where) {
  try {
    const auto& found = object.at(name);
    if (Holds<T>::value(found)) return found.template get<T>();
  } catch (const nlohmann::json::exception&) {
    // Said below.
  }
  throw FormatError(std::string(where) + ": member '" + name +
                    "' is missing, of another type or out of range");
}

/// Writes the fields it is shown as members of an object.
class JsonWriter : public Fields {
 public:
  explicit JsonWriter(Json& object) : object_(object) {}
  using Fields::operator();
  void operator()(std::string_view name, bool& value) override { set(name, value); }
  void operator()(std::string_view name, std::int64_t& value) override { set(name, value); }
  void operator()(std::string_view name, double& value) override { set(name, value); }
  void operator()(std::string_view name, std::string& value) override { set(name, value); }
  void group(std::string_view name, const std::function<void(Fields&)>& members) override;

 private:
  template <class T>
  void set(std::string_view name, const T& value) {
    object_[std::string(name)] = value;
  }
  Json& object_;
};

/// Reads the fields it is shown from an object. A missing member leaves the field as it is; one of
/// another type is a FormatError.
class JsonReader : public Fields {
 public:
  JsonReader(const Json& object, std::string where) : object_(object), where_(std::move(where)) {}
  using Fields::operator();
  void operator()(std::string_view name, bool& value) override;
  void operator()(std::string_view name, std::int64_t& value) override;
  void operator()(std::string_view name, double& value) override;
  void operator()(std::string_view name, std::string& value) override;
  void group(std::string_view name, const std::function<void(Fields&)>& members) override;

  /// Throws FormatError when the object has a member that was never asked for, except `others`.
  void finish(const std::set<std::string>& others = {}) const;

 private:
  const Json* find(std::string_view name);
  [[noreturn]] void wrong_type(std::string_view name, std::string_view expected) const;

  const Json& object_;
  std::string where_;
  std::set<std::string> asked_;
};

}  // namespace rnn
