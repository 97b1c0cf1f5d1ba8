#include <algorithm>
#include <iostream>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "base/json.h"
#include "base/number.h"
#include "rnn/tasks/text_classifier.h"
#include "text/escape.h"
#include "text/utf8.h"

namespace rnn {
namespace {

namespace po = boost::program_options;

/// Counted in code points: near enough to columns for labels.
std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (char c : text) columns += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return columns;
}

std::string padded(std::string text, std::size_t width) {
  const std::size_t columns = columns_of(text);
  if (columns < width) text.append(width - columns, ' ');
  return text;
}

/// A label with escapes, cut between characters where it would come too near to the next column.
std::string label_column(std::string_view label, std::size_t width) {
  std::string text = escape(label);
  if (columns_of(text) + 2 > width) {
    text.clear();
    for (std::size_t at = 0, length = 0; at < label.size(); at += length) {
      length = decode_utf8(label, at).length;
      const std::string next = escape(label.substr(at, length));
      if (columns_of(text) + columns_of(next) + 3 > width) break;
      text += next;
    }
    text += "…";
  }
  return padded(std::move(text), width);
}

/// The recipe as the model has it, with what the command says instead.
LabelledOptions reader_of(const CommandLine& line, TextClassifierRecipe recipe) {
  const auto take = [&](const char* option, auto& field) {
    if (line.has(option)) field = line.get<std::remove_cvref_t<decltype(field)>>(option);
  };
  take("format", recipe.format);
  take("label-column", recipe.label_column);
  take("text-columns", recipe.text_columns);
  take("label-field", recipe.label_field);
  take("text-field", recipe.text_field);
  take("label-prefix", recipe.label_prefix);
  take("header", recipe.header);
  recipe.replace_invalid |= line.get<bool>("replace-invalid");
  return recipe.reader();
}

Json to_json(const ClassificationReport& report) {
  Json labels = Json::object();
  // Labels are there once: no need to look for each among those before it.
  auto& of_label = labels.get_ref<Json::object_t&>();
  for (const LabelScore& label : report.labels) {
    of_label.emplace_back(label.label, Json{{"precision", label.precision()},
                                            {"recall", label.recall()},
                                            {"f1", label.f1()},
                                            {"support", label.support},
                                            {"predicted", label.predicted}});
  }
  Json json = {
      {"examples", report.examples},           {"accuracy", report.accuracy()},
      {"macro_f1", report.macro_f1()},         {"macro_precision", report.macro_precision()},
      {"macro_recall", report.macro_recall()}, {"micro_f1", report.micro_f1()},
      {"nats_per_target", report.loss.mean()}, {"labels", labels}};
  if (!report.confusion.empty()) {
    const std::size_t count = report.labels.size();
    Json rows = Json::array();
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = report.confusion.begin() + static_cast<std::ptrdiff_t>(i * count);
      rows.push_back(std::vector<std::int64_t>(row, row + static_cast<std::ptrdiff_t>(count)));
    }
    json["confusion"] = rows;
  }
  return json;
}

void print(const ClassificationReport& report) {
  const auto percent = [](double share) { return padded(to_fixed(100 * share, 2), 10); };
  std::size_t width = 12;
  for (const LabelScore& label : report.labels) {
    width = std::max(width, std::min<std::size_t>(columns_of(escape(label.label)) + 2, 30));
  }
  std::cout << "examples   " << report.examples << "\n"
            << "accuracy   " << to_fixed(100 * report.accuracy(), 2) << " %\n"
            << "macro F1   " << to_fixed(100 * report.macro_f1(), 2) << " %   precision "
            << to_fixed(100 * report.macro_precision(), 2) << " %   recall "
            << to_fixed(100 * report.macro_recall(), 2) << " %\n"
            << "micro F1   " << to_fixed(100 * report.micro_f1(), 2) << " %\n"
            << "loss       " << to_fixed(report.loss.mean(), 4) << " nats\n\n"
            << padded("label", width) << "precision recall    F1        texts\n";
  for (const LabelScore& label : report.labels) {
    std::cout << label_column(label.label, width) << percent(label.precision())
              << percent(label.recall()) << percent(label.f1()) << label.support << "\n";
  }
  constexpr std::size_t kMostColumns = 20;
  const std::size_t count = report.labels.size();
  if (report.confusion.empty()) return;
  if (count > kMostColumns) {
    std::cout << "\nwhich of " << count << " labels are taken for which: see --json\n";
    return;
  }
  std::cout << "\n" << padded("true \\ given", width);
  for (const LabelScore& label : report.labels) {
    std::cout << label_column(label.label, 10);
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::cout << "\n" << label_column(report.labels[i].label, width);
    for (std::size_t j = 0; j < count; ++j) {
      std::cout << padded(std::to_string(report.confusion[i * count + j]), 10);
    }
  }
  std::cout << "\n";
}

}  // namespace

void classify_eval(const Arguments& arguments) {
  CommandLine line("classify eval --model DIR --text F... [options]",
                   "Accuracy, precision, recall and F1 of each label and their means over labels\n"
                   "(macro), and which labels are taken for which. Files are read as those of the\n"
                   "training were, unless told otherwise.");
  add_model_option(line);
  line.add("Files")("text", po::value<Arguments>()->multitoken()->value_name("F..."),
                    "labelled texts; - is standard input");
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  line.add("Format")("format", text("NAME"), "tab, csv, tsv, tsv-plain, jsonl or fasttext")(
      "header", po::value<bool>()->implicit_value(true, "")->value_name(" "),
      "the first record is passed over; columns go by number")(
      "label-column", po::value<std::int64_t>()->value_name("N"), "csv, tsv: from 1")(
      "text-columns", text("N,..."), "csv, tsv: such as 2,3")("label-field", text("NAME"), "jsonl")(
      "text-field", text("NAME"), "jsonl")("label-prefix", text("TEXT"), "fasttext")(
      "replace-invalid", po::bool_switch(), "replace invalid UTF-8 by U+FFFD");
  line.add("Run")("json", po::bool_switch(), "print one JSON object");
  add_backend_options(line);
  if (!line.parse(arguments)) return;
  line.require("model");
  line.require("text");

  const TextClassifier model =
      TextClassifier::load(line.get<std::string>("model"), backend_options(line));
  const ClassificationReport report =
      model.evaluate(line.get<Arguments>("text"), reader_of(line, model.recipe()));
  if (line.get<bool>("json")) {
    std::cout << to_json(report).dump() << "\n";
  } else {
    print(report);
  }
}

}  // namespace rnn
