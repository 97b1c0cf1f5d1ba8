#include "apps/command_line.h"

#include <algorithm>
#include <iostream>
#include <iterator>
#include <sstream>

#include "base/file.h"
#include "base/number.h"
#include "rnn/error.h"

namespace rnn {
namespace {

namespace po = boost::program_options;

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string without_comment(const std::string& line) {
  for (std::size_t i = line.find('#'); i != line.npos; i = line.find('#', i + 1)) {
    if (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t') return line.substr(0, i);
  }
  return line;
}

constexpr unsigned kHelpWidth = 80;

/// What is wrong with one of the words. The library puts words into its messages where "%value%"
/// and the like stand, and looks through the result again: with a word that has such a place in it,
/// it never ends.
std::string message_of(const po::error& error, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (const auto first = word.find('%');
        first != word.npos && word.find('%', first + 1) != word.npos) {
      return "an option or its value is wrong, perhaps '" + word + "'";
    }
  }
  return error.what();
}

}  // namespace

std::string option_name(std::string_view field) {
  std::string name(field);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

template <class T>
void OptionDeclarer::add(std::string_view name, const T& value, const std::string& shown,
                         const char* stands_for) {
  const std::string option = option_name(name);
  const OptionHelp& help = help_.at(option);
  auto* semantic = po::value<T>()->default_value(value, shown);
  if constexpr (std::is_same_v<T, bool>) semantic->implicit_value(true, "");
  semantic->value_name(help.value ? help.value : stands_for);
  group_.add_options()(option.c_str(), semantic, help.text);
}

void OptionDeclarer::operator()(std::string_view name, bool& value) {
  add(name, value, value ? "true" : "", " ");
}
void OptionDeclarer::operator()(std::string_view name, std::int64_t& value) {
  add(name, value, to_text(value), "N");
}
void OptionDeclarer::operator()(std::string_view name, double& value) {
  add(name, value, to_text(value), "X");
}
void OptionDeclarer::operator()(std::string_view name, std::string& value) {
  add(name, value, value, "TEXT");
}

CommandLine::CommandLine(std::string usage, std::string summary)
    : usage_(std::move(usage)), summary_(std::move(summary)) {
  add("Other")("config", po::value<std::string>()->value_name("FILE"),
               "options from a file, one `name = value` a line; flags win")("help,h",
                                                                            "show this text");
}

po::options_description& CommandLine::group(const std::string& name) {
  for (auto& [existing, description] : groups_) {
    if (existing == name) return description;
  }
  // "Other" was made first and stays last.
  const auto place = groups_.empty() ? groups_.end() : std::prev(groups_.end());
  return groups_.emplace(place, name, po::options_description(name, kHelpWidth, kHelpWidth / 2))
      ->second;
}

po::options_description_easy_init CommandLine::add(const std::string& name) {
  return group(name).add_options();
}

po::options_description CommandLine::all() const {
  po::options_description all(kHelpWidth, kHelpWidth / 2);
  for (const auto& [name, description] : groups_) all.add(description);
  return all;
}

bool CommandLine::parse(const std::vector<std::string>& given) {
  const po::options_description options = all();
  // "--tie FILE": a flag that may have a value takes it with "=" alone, not the next word.
  std::vector<std::string> arguments = given;
  for (std::string& argument : arguments) {
    if (argument == "--") break;
    if (argument.rfind("--", 0) != 0) continue;
    const auto* option = options.find_nothrow(argument.substr(2), false);
    if (option && option->semantic()->min_tokens() == 0 && option->semantic()->max_tokens() == 1) {
      argument += "=true";
    }
  }
  try {
    // Abbreviations are not guessed: a script must not change its meaning when an option is added.
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(arguments)
                  .options(options)
                  .positional(positional_)
                  .style(style)
                  .run(),
              values_);
  } catch (const po::too_many_positional_options_error&) {
    throw ConfigError("there is a word too many, which no option takes; see " + see_help());
  } catch (const po::error& error) {
    throw ConfigError(message_of(error, arguments) + "; see " + see_help());
  }
  if (has("help")) {
    std::cout << "Usage: rnn " << usage_ << "\n\n" << summary_ << "\n" << options;
    return false;
  }
  if (has("config")) read_config(get<std::string>("config"));
  return true;
}

std::string CommandLine::see_help() const {
  // The command is the words before the first option or argument in capitals.
  std::istringstream words(usage_);
  std::string command = "rnn", word;
  while (words >> word && word[0] >= 'a' && word[0] <= 'z') command += ' ' + word;
  return command + " --help";
}

void CommandLine::read_config(const std::string& path) {
  const po::options_description options = all();
  std::istringstream lines(read_stream(path, std::size_t{1} << 20));
  po::parsed_options parsed(&options);
  std::map<std::string, std::int64_t> seen;  // and in which line
  std::string line;
  for (std::int64_t number = 1; std::getline(lines, line); ++number) {
    line = trimmed(without_comment(line));
    if (line.empty()) continue;
    const auto equals = line.find('=');
    if (equals == line.npos) throw ConfigError(at(path, number, "expected `name = value`"));
    po::option option;
    option.string_key = trimmed(line.substr(0, equals));
    option.value = {trimmed(line.substr(equals + 1))};
    const std::string& name = option.string_key;
    const po::option_description* known = nullptr;
    try {  // the library takes some names, the empty one among them, for several at once
      known = options.find_nothrow(name, false);
    } catch (const po::error&) {
    }
    if (!known || name == "config" || name == "help") {
      throw ConfigError(at(path, number, "unknown option '" + name + "'; see " + see_help()));
    }
    const bool several = known->semantic()->max_tokens() > 1;
    if (const auto before = seen.find(name); before != seen.end() && !several) {
      throw ConfigError(
          at(path, number,
             "'" + name + "' was given in line " + std::to_string(before->second) + " already"));
    }
    seen[name] = number;
    parsed.options.push_back(option);
    try {  // alone first, so that a bad value is reported with its line
      po::parsed_options alone(&options);
      alone.options = {option};
      po::variables_map ignored;
      po::store(alone, ignored);
    } catch (const po::error& error) {
      throw ConfigError(at(path, number, message_of(error, option.value)));
    }
  }
  po::store(parsed, values_);
}

void CommandLine::require(const std::string& option) const {
  if (!has(option)) throw ConfigError("--" + option + " is missing; see " + see_help());
}

void add_model_option(CommandLine& line) {
  line.add("Files")("model", po::value<std::string>()->value_name("DIR"), "model directory");
}

void add_machine_options(CommandLine& line) {
  line.add("Machine")("threads", po::value<int>()->default_value(0, "all cores")->value_name("N"),
                      "threads that compute; the result does not depend on it")(
      "backend", po::value<std::string>()->default_value("")->value_name("NAME"),
      "reference or native; without it $RNN_BACKEND, or the fastest that there is");
}

void add_backend_options(CommandLine& line) {
  add_machine_options(line);
  line.add("Machine")("precision",
                      po::value<std::string>()->default_value("fp32")->value_name("NAME"),
                      "of products: fp32, bf16 or int8");
}

BackendOptions backend_options(const CommandLine& line) {
  const int threads = line.get<int>("threads");
  if (threads < 0 || threads > 1024) {
    throw ConfigError("--threads: expected 0 to 1024, got " + std::to_string(threads));
  }
  return {.name = line.get<std::string>("backend"),
          .threads = {.threads = threads},
          .precision = parse_precision(line.get<std::string>("precision"))};
}

StatePolicy state_policy(const CommandLine& line) {
  const std::string name = line.get<std::string>("state");
  if (name == "carry") return StatePolicy::kCarry;
  if (name == "reset") return StatePolicy::kReset;
  throw ConfigError("--state: expected carry or reset, got '" + name + "'");
}

}  // namespace rnn
