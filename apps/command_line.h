// Options of a command: flags, a --config file beneath them, and help.
#pragma once

#include <boost/program_options.hpp>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "rnn/backend.h"
#include "rnn/fields.h"
#include "rnn/session.h"

namespace rnn {

/// How the help text explains an option.
struct OptionHelp {
  const char* text = "";
  const char* value = nullptr;  ///< what stands for its value; by the field's type if null
};
using OptionHelps = std::map<std::string, OptionHelp>;

/// Parses one command's arguments. Flags win over the lines of the file that --config names:
///
///   # a recipe
///   hidden = 200
///   train = corpora/fables/train.txt
///
/// A `#` at the start of a line or after white space begins a comment. An option that takes several
/// values has a line for each. A flag puts all lines of its option aside.
///
/// Wrong use is a ConfigError; for a --config file it names file and line.
class CommandLine {
 public:
  /// `usage` is what follows "rnn ": "lm train --train F... --model DIR [options]".
  CommandLine(std::string usage, std::string summary);

  /// Adds options to a group of the help text.
  boost::program_options::options_description_easy_init add(const std::string& group);
  /// Adds one option for each field, named with dashes, and takes its present value as the default.
  /// `help` explains fields by that name; all must be explained.
  template <class Options>
  void add_fields(const std::string& group_name, Options options, const OptionHelps& help);
  /// Arguments without a flag go to this option.
  void positional(const std::string& option, int count) { positional_.add(option.c_str(), count); }

  /// False when help was asked for and printed: the command has nothing more to do.
  bool parse(const std::vector<std::string>& arguments);

  bool has(const std::string& option) const { return values_.count(option) > 0; }
  /// Whether it was said, and is not there by default alone.
  bool given(const std::string& option) const {
    return has(option) && !values_[option].defaulted();
  }
  template <class T>
  T get(const std::string& option) const {
    return values_[option].as<T>();
  }
  template <class Options>
  void read_fields(Options& options) const;
  /// Throws ConfigError when an option that the command cannot do without is missing.
  void require(const std::string& option) const;

 private:
  std::string see_help() const;
  boost::program_options::options_description& group(const std::string& name);
  boost::program_options::options_description all() const;
  void read_config(const std::string& path);

  std::string usage_, summary_;
  std::list<std::pair<std::string, boost::program_options::options_description>> groups_;
  boost::program_options::positional_options_description positional_;
  boost::program_options::variables_map values_;
};

/// "clip_value" -> "clip-value"
std::string option_name(std::string_view field);

/// A Fields that declares an option for each field it is shown.
class OptionDeclarer : public Fields {
 public:
  OptionDeclarer(boost::program_options::options_description& group, const OptionHelps& help)
      : group_(group), help_(help) {}
  using Fields::operator();
  void operator()(std::string_view name, bool& value) override;
  void operator()(std::string_view name, std::int64_t& value) override;
  void operator()(std::string_view name, double& value) override;
  void operator()(std::string_view name, std::string& value) override;

 private:
  template <class T>
  void add(std::string_view name, const T& value, const std::string& shown, const char* stands_for);

  boost::program_options::options_description& group_;
  const OptionHelps& help_;
};

/// A Fields that sets each field it is shown to the option's value.
class OptionReader : public Fields {
 public:
  explicit OptionReader(const boost::program_options::variables_map& values) : values_(values) {}
  using Fields::operator();
  void operator()(std::string_view name, bool& value) override { set(name, value); }
  void operator()(std::string_view name, std::int64_t& value) override { set(name, value); }
  void operator()(std::string_view name, double& value) override { set(name, value); }
  void operator()(std::string_view name, std::string& value) override { set(name, value); }
  std::string name_for_messages(std::string_view name) const override { return option_name(name); }

 private:
  template <class T>
  void set(std::string_view name, T& value);

  const boost::program_options::variables_map& values_;
};

template <class T>
void OptionReader::set(std::string_view name, T& value) {
  const auto found = values_.find(option_name(name));
  if (found != values_.end()) value = found->second.as<T>();
}

template <class Options>
void CommandLine::add_fields(const std::string& group_name, Options options,
                             const OptionHelps& help) {
  OptionDeclarer declarer(group(group_name), help);
  options.exchange(declarer);
}

template <class Options>
void CommandLine::read_fields(Options& options) const {
  OptionReader reader(values_);
  options.exchange(reader);
}

/// --model, which every command has that uses one.
void add_model_option(CommandLine& line);
/// --threads and --backend, which every command has that computes.
void add_machine_options(CommandLine& line);
/// These and --precision: for commands that use a model. In training it is part of the recipe.
void add_backend_options(CommandLine& line);
BackendOptions backend_options(const CommandLine& line);
/// What --state says. Throws ConfigError.
StatePolicy state_policy(const CommandLine& line);

}  // namespace rnn
