#include "base/json.h"

#include <exception>
#include <limits>

namespace rnn {

Json parse_json(std::string_view text, std::string_view where, std::size_t most_members) {
  // Of two members with one name the parser would silently keep the last.
  std::vector<std::set<std::string>> seen;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kJsonDepth) {
      throw FormatError(std::string(where) + ": nested deeper than " + std::to_string(kJsonDepth));
    }
    if (event == Json::parse_event_t::object_start) seen.emplace_back();
    if (event == Json::parse_event_t::object_end) seen.pop_back();
    if (event == Json::parse_event_t::key) {
      if (!seen.back().insert(parsed.get<std::string>()).second) {
        throw FormatError(std::string(where) + ": two members are named " + parsed.dump());
      }
      if (seen.back().size() > most_members) {
        throw FormatError(std::string(where) + ": an object has more than " +
                          std::to_string(most_members) + " members");
      }
    }
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const nlohmann::json::exception& error) {
    std::throw_with_nested(FormatError(std::string(where) + ": not valid JSON: " + error.what()));
  }
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
