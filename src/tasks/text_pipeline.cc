#include "tasks/text_pipeline.h"

#include "base/file.h"
#include "rnn/error.h"

namespace rnn {
namespace {

constexpr const char* kVocabulary = "vocabulary.txt";

}  // namespace

CorpusOptions TextPipeline::corpus() const {
  return {.policy = policy(),
          .normalizer = normalizer->options().is_identity() ? nullptr : normalizer.get()};
}

std::string TextPipeline::prepare(std::string_view line) const {
  return normalizer->normalize(line);
}

void TextPipeline::describe(Json& config) const {
  Json units, steps;
  JsonWriter unit_writer(units), step_writer(steps);
  TokenizerOptions tokenizer_options = tokenizer->options();
  tokenizer_options.exchange(unit_writer);
  units["replace_invalid"] = replace_invalid;
  NormalizerOptions normalizer_options = normalizer->options();
  normalizer_options.exchange(step_writer);
  config["tokenizer"] = std::move(units);
  config["normalizer"] = std::move(steps);
}

void TextPipeline::save(ModelUpdate& update, const Vocabulary& vocabulary) const {
  if (tokenizer->vocabulary() == nullptr) {
    vocabulary.save(update.file(kVocabulary));
  } else {
    write_file(update.file(kTokenizerModel), tokenizer->model());
  }
}

TextPipeline TextPipeline::load(const ModelDirectory& directory, const Json& config) {
  const std::string where = directory.file("config.json");
  const Json units = member<Json>(config, "tokenizer", where);
  // The first models had none.
  const Json steps = config.contains("normalizer") ? member<Json>(config, "normalizer", where)
                                                   : Json(Json::object());
  TokenizerOptions tokenizer_options;
  NormalizerOptions normalizer_options;
  JsonReader unit_reader(units, where + ": tokenizer"), step_reader(steps, where + ": normalizer");
  tokenizer_options.exchange(unit_reader);
  unit_reader.finish({"replace_invalid"});
  normalizer_options.exchange(step_reader);
  step_reader.finish();
  if (tokenizer_options.unit == "sentencepiece") {
    tokenizer_options.model = directory.file(kTokenizerModel);
  }
  return reading(where, [&] {
    return TextPipeline{make_tokenizer(tokenizer_options),
                        std::make_shared<const Normalizer>(normalizer_options),
                        member<bool>(units, "replace_invalid", where)};
  });
}

const char* TextPipeline::vocabulary_file() const {
  return tokenizer->vocabulary() ? kTokenizerModel : kVocabulary;
}

Vocabulary TextPipeline::load_vocabulary(const ModelDirectory& directory) const {
  const auto own = tokenizer->vocabulary();
  return own ? *own : Vocabulary::load(directory.file(kVocabulary));
}

void TextPipeline::require_same(const TextPipeline& other, const std::string& what) const {
  Json ours, theirs;
  describe(ours);
  other.describe(theirs);
  for (const auto& part : theirs.items()) {
    for (const auto& item : part.value().items()) {
      const Json& now = ours[part.key()][item.key()];
      if (item.key() == "replace_invalid" || now == item.value()) continue;
      const std::string prefix = part.key() == "normalizer" ? "normalize-" : "";
      const auto option = [&](const Json& value) {
        return "--" + prefix + item.key() + " " +
               (value.is_string() ? value.get<std::string>() : value.dump());
      };
      throw ConfigError(what + " was trained with " + option(item.value()) + ", now it is " +
                        option(now) + "; give the same");
    }
  }
  if (tokenizer->model() != other.tokenizer->model()) {
    throw ConfigError(what + " has another tokenizer.model; give its own, or none");
  }
}

}  // namespace rnn
