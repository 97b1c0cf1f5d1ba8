#include <iostream>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "base/json.h"
#include "rnn/error.h"
#include "rnn/tasks/tagger.h"
#include "rnn/text/entity_tags.h"

namespace rnn {
namespace {

/// Sentences worked on together; from standard input one at a time, because whoever writes to a
/// pipe may wait for the answer to a sentence before the next.
constexpr std::size_t kTogether = 4096;

struct Wanted {
  bool json = false, marginals = false;
  std::int64_t n_best = 0;
};

/// What a model says about sentences, as text or as members of one JSON object.
class Output {
 public:
  Output(const Tagger& tagger, const Wanted& wanted) : tagger_(tagger), wanted_(wanted) {
    if (!wanted_.json) return;
    Json labels = tagger.labels();
    std::cout << "{\"labels\":" << labels.dump() << ",\"sentences\":[";
  }
  /// What ends early by an error stays an object without its end: nobody takes it for whole.
  void finish() const {
    if (wanted_.json) std::cout << "\n]}\n";
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void sentence(const Tagger::Words& words, const Tagger::Words& tags,
                const Json& more = Json::object()) {
    Json json = {{"words", words}, {"tags", tags}};
    if (tagger_.entities()) {
      json["spans"] = Json::array();
      for (const Entity& entity : entities_of_any(tags)) {
        json["spans"].push_back(
            {{"type", entity.type}, {"first_word", entity.begin}, {"end_word", entity.end}});
      }
    }
    if (wanted_.marginals) json["marginals"] = tagger_.marginals(words);
    if (wanted_.n_best > 0) {
      json["nbest"] = Json::array();
      for (const TagSequence& sequence : tagger_.n_best(words, wanted_.n_best)) {
        json["nbest"].push_back({{"tags", sequence.tags}, {"log_prob", sequence.log_prob}});
      }
    }
    for (const auto& item : more.items()) json[item.key()] = item.value();
    std::cout << (first_ ? "\n" : ",\n") << json.dump();
    first_ = false;
  }

 private:
  const Tagger& tagger_;
  Wanted wanted_;
  bool first_ = true;
};

void predict_file(const Tagger& tagger, const std::string& path, const Wanted& wanted) {
  TagReaderOptions options = tagger.reader_options();
  options.needs_tags = false;
  TagReader reader(path, options);
  Output output(tagger, wanted);
  const std::size_t together = path == "-" ? 1 : kTogether;
  std::vector<Tagger::Words> sentences;
  std::vector<TagReader::Lines> lines;
  const auto flush = [&] {
    const std::vector<Tagger::Words> tags = tagger.tag(sentences);
    for (std::size_t i = 0; i < tags.size(); ++i) {
      if (wanted.json) {
        output.sentence(sentences[i], tags[i]);
      } else {
        std::cout << lines[i].with_tags(tags[i]);
      }
    }
    if (path == "-") std::cout.flush();
    sentences.clear();
    lines.clear();
  };
  TaggedSentence sentence;
  while (reader.next(sentence)) {
    sentences.push_back(std::move(sentence.words));
    if (!wanted.json) lines.push_back(reader.lines());
    if (sentences.size() == together) flush();
  }
  flush();
  output.finish();
  if (!wanted.json) std::cout << reader.lines().with_tags({});
}

/// Where the words and spans of a sentence, words [first, end), stand in its line.
Json places(const TaggedText& tagged, std::size_t first, std::size_t end, const std::string& text,
            bool entities) {
  Json json = {{"offsets", Json::array()}};
  for (std::size_t i = first; i < end; ++i) {
    json["offsets"].push_back({tagged.words[i].begin, tagged.words[i].end});
  }
  if (!entities) return json;
  json["spans"] = Json::array();
  for (const TaggedSpan& span : tagged.spans) {
    if (span.first_word < first || span.first_word >= end) continue;
    json["spans"].push_back({{"type", span.type},
                             {"first_word", span.first_word - first},
                             {"end_word", span.end_word - first},
                             {"begin", span.begin},
                             {"end", span.end},
                             {"text", text.substr(span.begin, span.end - span.begin)}});
  }
  return json;
}

/// Text that nobody has cut into words: every line is a text.
void predict_plain(const Tagger& tagger, const std::string& path, const Wanted& wanted) {
  LineReader reader(path);
  Output output(tagger, wanted);
  while (reader.next()) {
    const std::string text(reader.line());
    const TaggedText tagged = tagger.tag(text);
    std::size_t first = 0;
    for (const std::size_t end : tagged.sentence_ends) {
      Tagger::Words words, tags;
      for (std::size_t i = first; i < end; ++i) {
        const TaggedWord& word = tagged.words[i];
        words.push_back(text.substr(word.begin, word.end - word.begin));
        tags.push_back(word.tag);
        if (!wanted.json) std::cout << words.back() << '\t' << word.tag << '\n';
      }
      if (wanted.json) {
        Json more = places(tagged, first, end, text, tagger.entities());
        more["line"] = reader.line_number();
        output.sentence(words, tags, more);
      } else {
        std::cout << '\n';
      }
      first = end;
    }
    if (path == "-") std::cout.flush();
  }
  output.finish();
}

}  // namespace

void tag_predict(const Arguments& arguments) {
  namespace po = boost::program_options;
  CommandLine line(
      "tag predict --model DIR [--text F|-] [options]",
      "Writes the file again with the model's tags in their column or field; every\n"
      "other column, comment and empty line stays as it is. A file of columns may end\n"
      "before the tag, which is then added.");
  add_model_option(line);
  line.add("Files")("text", po::value<std::string>()->default_value("-")->value_name("F"),
                    "a file of the kind that the model was trained on; - is standard input, "
                    "answered sentence by sentence");
  line.add("Run")("plain", po::bool_switch(),
                  "the input is text, not yet cut into words: every line is cut into sentences and "
                  "words by Unicode's rules; out come lines `word TAB tag`")(
      "nbest", po::value<std::int64_t>()->default_value(0)->value_name("N"),
      "with --json: also the N most probable sequences of tags")(
      "marginals", po::bool_switch(),
      "with --json: also the probability of every label at every word")(
      "json", po::bool_switch(), "print one JSON object: words, tags, spans");
  add_backend_options(line);
  if (!line.parse(arguments)) return;
  line.require("model");
  const Wanted wanted{.json = line.get<bool>("json"),
                      .marginals = line.get<bool>("marginals"),
                      .n_best = line.get<std::int64_t>("nbest")};
  if (wanted.n_best < 0) {
    throw ConfigError("--nbest: expected 0 or more, got " + std::to_string(wanted.n_best));
  }
  if (!wanted.json && (wanted.marginals || wanted.n_best > 0)) {
    throw ConfigError("--marginals and --nbest need --json: a column has room for one tag");
  }
  const Tagger tagger = Tagger::load(line.get<std::string>("model"), backend_options(line));
  const auto path = line.get<std::string>("text");
  if (line.get<bool>("plain")) {
    predict_plain(tagger, path, wanted);
  } else {
    predict_file(tagger, path, wanted);
  }
}

}  // namespace rnn
