#include "base/json.h"

#include <exception>
#include <limits>

namespace rnn {
namespace {

/// Goes through a text before it is parsed. The parser itself would keep the last of two members
/// with one name; and one that is watched while it parses looks through all of an object at the end
/// of each of its members.
class Watch : public Json::json_sax_t {
 public:
  Watch(std::string_view where, std::size_t most_members)
      : where_(where), most_members_(most_members) {}

  /// Of the outermost object, in the order of the text.
  std::vector<std::string>& names() { return names_; }

  bool start_object(std::size_t) override {
    members_.emplace_back();
    return go_down();
  }
  bool end_object() override {
    members_.pop_back();
    return go_up();
  }
  bool start_array(std::size_t) override { return go_down(); }
  bool end_array() override { return go_up(); }
  bool key(std::string& name) override {
    if (!members_.back().insert(name).second) {
      throw FormatError(where_ + ": two members are named " + Json(name).dump());
    }
    if (members_.back().size() > most_members_) {
      throw FormatError(where_ + ": an object has more than " + std::to_string(most_members_) +
                        " members");
    }
    if (depth_ == 1) names_.push_back(name);
    return true;
  }

  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool number_integer(std::int64_t) override { return count(); }
  bool number_unsigned(std::uint64_t) override { return count(); }
  bool number_float(double, const std::string&) override { return count(); }
  bool string(std::string&) override { return count(); }
  bool binary(Json::binary_t&) override { return count(); }
  /// The parser will say it.
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override {
    return false;
  }

 private:
  bool count() {
    if (++values_ <= kJsonValues) return true;
    throw FormatError(where_ + ": more than " + std::to_string(kJsonValues) + " values");
  }
  bool go_down() {
    if (++depth_ <= kJsonDepth) return count();
    throw FormatError(where_ + ": nested deeper than " + std::to_string(kJsonDepth));
  }
  bool go_up() {
    --depth_;
    return true;
  }

  std::string where_;
  std::size_t most_members_;
  int depth_ = 0;
  std::size_t values_ = 0;
  std::vector<std::set<std::string>> members_{};  // of the objects that are open
  std::vector<std::string> names_{};
};

template <class Value>
Value parse(std::string_view text, Watch& watch, std::string_view where) {
  // The parser takes a zero byte for the end, and whatever comes after for nothing.
  if (const std::size_t zero = text.find('\0'); zero != text.npos) {
    throw FormatError(std::string(where) + ": not valid JSON: byte " + std::to_string(zero + 1) +
                      " is 0");
  }
  Json::sax_parse(text, &watch);
  try {
    return Value::parse(text);
  } catch (const nlohmann::json::exception& error) {
    std::throw_with_nested(FormatError(std::string(where) + ": not valid JSON: " + error.what()));
  }
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where, std::size_t most_members) {
  Watch watch(where, most_members);
  return parse<Json>(text, watch, where);
}

std::size_t count_values(const Json& json) {
  std::size_t values = 1;
  if (json.is_structured()) {
    for (const Json& value : json) values += count_values(value);
  }
  return values;
}

LargeObject parse_large_object(std::string_view text, std::string_view where,
                               std::size_t most_members) {
  Watch watch(where, most_members);
  LargeObject object{.members = parse<nlohmann::json>(text, watch, where),
                     .names = std::move(watch.names())};
  if (!object.members.is_object()) {
    throw FormatError(std::string(where) + ": expected an object");
  }
  return object;
}

void JsonWriter::group(std::string_view name, const std::function<void(Fields&)>& members) {
  Json object = Json::object();
  JsonWriter writer(object);
  members(writer);
  set(name, object);
}

const Json* JsonReader::find(std::string_view name) {
  asked_.emplace(name);
  const auto found = object_.find(std::string(name));
  return found == object_.end() ? nullptr : &*found;
}

void JsonReader::wrong_type(std::string_view name, std::string_view expected) const {
  throw FormatError(where_ + ": '" + std::string(name) + "' must be " + std::string(expected));
}

void JsonReader::operator()(std::string_view name, bool& value) {
  if (const Json* found = find(name)) {
    if (!found->is_boolean()) wrong_type(name, "true or false");
    value = found->get<bool>();
  }
}

void JsonReader::operator()(std::string_view name, std::int64_t& value) {
  if (const Json* found = find(name)) {
    const bool too_large = found->is_number_unsigned() &&
                           found->get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max();
    if (!found->is_number_integer() || too_large) wrong_type(name, "a whole number");
    value = found->get<std::int64_t>();
  }
}

void JsonReader::operator()(std::string_view name, double& value) {
  if (const Json* found = find(name)) {
    if (!found->is_number()) wrong_type(name, "a number");
    value = found->get<double>();
  }
}

void JsonReader::operator()(std::string_view name, std::string& value) {
  if (const Json* found = find(name)) {
    if (!found->is_string()) wrong_type(name, "a string");
    value = found->get<std::string>();
  }
}

void JsonReader::group(std::string_view name, const std::function<void(Fields&)>& members) {
  const Json* found = find(name);
  if (!found) return;
  if (!found->is_object()) wrong_type(name, "an object");
  JsonReader reader(*found, where_ + ": " + std::string(name));
  members(reader);
  reader.finish();
}

void JsonReader::finish(const std::set<std::string>& others) const {
  for (const auto& item : object_.items()) {
    if (!asked_.count(item.key()) && !others.count(item.key())) {
      throw FormatError(where_ + ": unknown member '" + item.key() + "'");
    }
  }
}

}  // namespace rnn
