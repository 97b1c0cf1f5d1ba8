#include "apps/command_line.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

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

}  // namespace

std::string option_name(std::string_view field) {
  std::string name(field);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

void OptionDeclarer::operator()(std::string_view name, bool& value) {
  add(name, po::value<bool>()
                ->default_value(value, value ? "true" : "false")
                ->implicit_value(true)
                ->value_name("BOOL"));
}
void OptionDeclarer::operator()(std::string_view name, std::int64_t& value) {
  add(name, po::value<std::int64_t>()->default_value(value)->value_name("N"));
}
void OptionDeclarer::operator()(std::string_view name, double& value) {
  add(name, po::value<double>()->default_value(value, to_text(value))->value_name("X"));
}
void OptionDeclarer::operator()(std::string_view name, std::string& value) {
  add(name, po::value<std::string>()->default_value(value)->value_name("TEXT"));
}

void OptionDeclarer::add(std::string_view name, const po::value_semantic* semantic) {
  const std::string option = option_name(name);
  group_.add_options()(option.c_str(), semantic, help_.at(option).c_str());
}

CommandLine::CommandLine(std::string usage, std::string summary)
    : usage_(std::move(usage)), summary_(std::move(summary)) {
  add("Other")("config", po::value<std::string>()->value_name("FILE"),
               "read options from a file, one `name = value` a line; flags win")("help,h",
                                                                                 "show this text");
}

po::options_description& CommandLine::group(const std::string& name) {
  for (auto& [existing, description] : groups_) {
    if (existing == name) return description;
  }
  // "Other" was made first and stays last.
  const auto place = groups_.empty() ? groups_.end() : std::prev(groups_.end());
  return groups_.emplace(place, name, po::options_description(name, 100, 50))->second;
}

po::options_description_easy_init CommandLine::add(const std::string& name) {
  return group(name).add_options();
}

po::options_description CommandLine::all() const {
  po::options_description all(100, 50);
  for (const auto& [name, description] : groups_) all.add(description);
  return all;
}

bool CommandLine::parse(const std::vector<std::string>& arguments) {
  const po::options_description options = all();
  try {
    // Abbreviations are not guessed: a script must not change its meaning when an option is added.
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(arguments)
                  .options(options)
                  .positional(positional_)
                  .style(style)
                  .run(),
              values_);
  } catch (const po::error& error) {
    throw ConfigError(std::string(error.what()) + "; see rnn " +
                      usage_.substr(0, usage_.find(" -")) + " --help");
  }
  if (has("help")) {
    std::cout << "Usage: rnn " << usage_ << "\n\n" << summary_ << "\n\n" << options;
    return false;
  }
  if (has("config")) read_config(get<std::string>("config"));
  return true;
}

void CommandLine::read_config(const std::string& path) {
  const po::options_description options = all();
  std::ifstream file(path);
  if (!file) throw IoError(path + ": cannot open the --config file");
  po::parsed_options parsed(&options);
  std::string line;
  for (std::int64_t number = 1; std::getline(file, line); ++number) {
    line = trimmed(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const auto equals = line.find('=');
    if (equals == line.npos) throw ConfigError(at(path, number, "expected `name = value`"));
    po::option option;
    option.string_key = trimmed(line.substr(0, equals));
    option.value = {trimmed(line.substr(equals + 1))};
    if (!options.find_nothrow(option.string_key, false)) {
      throw ConfigError(at(path, number, "unknown option '" + option.string_key + "'"));
    }
    parsed.options.push_back(option);
    try {  // alone first, so that a bad value is reported with its line
      po::parsed_options alone(&options);
      alone.options = {option};
      po::variables_map ignored;
      po::store(alone, ignored);
    } catch (const po::error& error) {
      throw ConfigError(at(path, number, error.what()));
    }
  }
  po::store(parsed, values_);
}

void CommandLine::require(const std::string& option) const {
  if (!has(option)) {
    throw ConfigError("--" + option + " is missing; see rnn " +
                      usage_.substr(0, usage_.find(" -")) + " --help");
  }
}

void add_backend_options(CommandLine& line) {
  line.add("Machine")("threads", po::value<int>()->default_value(0, "all cores")->value_name("N"),
                      "threads that compute; the result does not depend on it")(
      "backend", po::value<std::string>()->default_value("")->value_name("NAME"),
      "reference or native; default: the fastest this build has, or $RNN_BACKEND");
}

BackendOptions backend_options(const CommandLine& line) {
  const int threads = line.get<int>("threads");
  if (threads < 0 || threads > 1024) {
    throw ConfigError("--threads: expected 0 to 1024, got " + std::to_string(threads));
  }
  return {.name = line.get<std::string>("backend"), .threads = {.threads = threads}};
}

}  // namespace rnn
