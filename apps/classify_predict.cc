#include <algorithm>
#include <iostream>
#include <numeric>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "base/json.h"
#include "base/number.h"
#include "base/require.h"
#include "rnn/tasks/text_classifier.h"
#include "rnn/text/line_reader.h"
#include "text/escape.h"

namespace rnn {
namespace {

namespace po = boost::program_options;

/// The labels to be shown: the k likeliest, or those that the model gives.
std::vector<std::int32_t> shown_labels(const TextClassifier& model, const Classification& answer,
                                       std::int64_t top_k) {
  if (top_k == 0) return model.chosen(answer);
  std::vector<std::int32_t> order(answer.probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return answer.probabilities[static_cast<std::size_t>(a)] >
           answer.probabilities[static_cast<std::size_t>(b)];
  });
  order.resize(std::min(order.size(), static_cast<std::size_t>(top_k)));
  return order;
}

void print_json(const TextClassifier& model, const std::string& text, const Classification& answer,
                const std::vector<std::int32_t>& shown) {
  Json probabilities = Json::object(), labels = Json::array();
  // Labels are there once: no need to look for each among those before it.
  auto& of_label = probabilities.get_ref<Json::object_t&>();
  for (std::size_t i = 0; i < answer.probabilities.size(); ++i) {
    of_label.emplace_back(model.labels()[i], answer.probabilities[i]);
  }
  for (std::int32_t label : shown)
    labels.push_back(model.labels()[static_cast<std::size_t>(label)]);
  const auto best = static_cast<std::size_t>(answer.label);
  const Json json = {{"text", text},
                     {"label", model.labels()[best]},
                     {"probability", answer.probabilities[best]},
                     {"labels", labels},
                     {"probabilities", probabilities}};
  std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
}

void print_fields(const TextClassifier& model, const Classification& answer,
                  const std::vector<std::int32_t>& shown) {
  std::string line;
  for (std::int32_t label : shown) {
    const auto i = static_cast<std::size_t>(label);
    line += (line.empty() ? "" : "\t") + escape(model.labels()[i]) + "\t" +
            to_fixed(static_cast<double>(answer.probabilities[i]), 6);
  }
  std::cout << line << "\n";
}

}  // namespace

void classify_predict(const Arguments& arguments) {
  CommandLine line("classify predict --model DIR [--text F|-] [options]",
                   "One line for each line of text: label and probability with a tab between; of\n"
                   "a multi-label model all labels it gives, which may be none.");
  add_model_option(line);
  line.add("Files")("text", po::value<std::string>()->default_value("-")->value_name("F"),
                    "texts, one a line; - is standard input, answered line by line");
  line.add("Run")("top-k", po::value<std::int64_t>()->default_value(0)->value_name("N"),
                  "the N likeliest labels; 0: those that the model gives")(
      "replace-invalid", po::bool_switch(), "replace invalid UTF-8 by U+FFFD")(
      "json", po::bool_switch(), "one JSON object a line, with all probabilities");
  add_backend_options(line);
  if (!line.parse(arguments)) return;
  line.require("model");
  const auto top_k = line.get<std::int64_t>("top-k");
  require(top_k >= 0, "--top-k", "at least 0", top_k);

  const TextClassifier model =
      TextClassifier::load(line.get<std::string>("model"), backend_options(line));
  const std::string path = line.get<std::string>("text");
  TextPolicy policy = model.text_policy();
  policy.replace_invalid |= line.get<bool>("replace-invalid");
  LineReader reader(path, policy);
  // Whoever writes to a pipe may wait for the answer to a line before the next.
  const std::size_t together = path == "-" ? 1 : 4096;
  std::vector<std::string> texts;
  const auto flush = [&] {
    const std::vector<Classification> answers = model.predict(texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto shown = shown_labels(model, answers[i], top_k);
      if (line.get<bool>("json")) {
        print_json(model, texts[i], answers[i], shown);
      } else {
        print_fields(model, answers[i], shown);
      }
    }
    if (path == "-") std::cout.flush();
    texts.clear();
  };
  while (reader.next()) {
    texts.emplace_back(reader.line());
    if (texts.size() == together) flush();
  }
  flush();
}

}  // namespace rnn
