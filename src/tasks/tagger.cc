#include "rnn/tasks/tagger.h"

#include <sstream>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "tasks/model_directory.h"
#include "tasks/tagger_evaluation.h"
#include "tasks/tagger_impl.h"
#include "tasks/tagger_recipe.h"
#include "text/utf8.h"

namespace rnn {
namespace {

std::vector<std::string> read_labels(const std::string& path) {
  std::istringstream lines(read_file(path));
  std::vector<std::string> labels;
  for (std::string line; std::getline(lines, line); labels.push_back(line)) {
    if (find_invalid_utf8(line) == std::string::npos) continue;
    throw FormatError(at(path, static_cast<std::int64_t>(labels.size()) + 1,
                         "expected a label in UTF-8; restore the file from a copy"));
  }
  return labels;
}

/// A sentence alone, as a batch that the decoder has worked on.
void run_alone(TagDecoder& decoder, const TaggerVocabulary& vocabulary,
               const std::vector<std::string>& sentence) {
  const SortedSentences one(vocabulary, std::span(&sentence, 1));
  TaggerDataset batches = one.batches(decoder.inputs());
  Batch batch;
  batches.next(batch);
  decoder.run(batch);
}

}  // namespace

Tagger::Tagger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tagger::~Tagger() = default;
Tagger::Tagger(Tagger&&) noexcept = default;

Tagger Tagger::load(const std::string& path, const BackendOptions& backend_options) {
  return read_whole_model(path, [&](const ModelDirectory& directory) {
    const Json config = directory.read_config("tagger");
    const std::string where = directory.file("config.json");
    const Json tags = member<Json>(config, "tags", where);
    const Json words = member<Json>(config, "words", where);
    auto backend = backend_for(directory, config, backend_options);
    Network network =
        network_from_json(member<Json>(config, "network", where).dump(), where + ": network");
    TaggerVocabulary vocabulary{Vocabulary::load(directory.file("vocabulary.txt")),
                                Vocabulary::load(directory.file("characters.txt")),
                                tagger_normalizer(member<bool>(words, "lowercase", where),
                                                  member<bool>(words, "fold_digits", where))};
    TaggerLabels labels = reading(where, [&] {
      const auto scheme = member<std::string>(tags, "scheme", where),
                 training_scheme = member<std::string>(tags, "training_scheme", where);
      const std::string names = directory.file("labels.txt");
      try {
        return TaggerLabels(read_labels(names), scheme, training_scheme);
      } catch (const FormatError& error) {  // it names a label
        throw FormatError(names + ": " + error.what());
      }
    });
    if (const std::string wrong = misfit(network, vocabulary, labels); !wrong.empty()) {
      throw FormatError(where + ": network: " + wrong +
                        "; it does not belong to vocabulary.txt, characters.txt and labels.txt");
    }
    const std::string weights = directory.file("model.safetensors");
    Parameters parameters =
        parameters_from(network, load_safetensors(weights).tensors, *backend, weights);
    const TagReaderOptions reader{.field = member<std::string>(tags, "field", where),
                                  .column = member<std::int64_t>(tags, "column", where),
                                  .word_column = member<std::int64_t>(tags, "word_column", where)};
    return Tagger(std::unique_ptr<Impl>(new Impl{std::move(network), std::move(parameters),
                                                 std::move(vocabulary), std::move(labels), reader,
                                                 std::move(backend)}));
  });
}

std::vector<Tagger::Words> Tagger::tag(std::span<const Words> sentences) const {
  const SortedSentences sorted(impl_->vocabulary, sentences);
  TagWorkers workers = impl_->workers();
  std::vector<Words> tags(sentences.size());
  sorted.decode(workers, [&](std::uint32_t example, std::span<const std::int32_t> labels) {
    tags[sorted.place(example)] = impl_->labels.tags_of(labels);
  });
  return tags;
}

TaggedText Tagger::tag(std::string_view text) const {
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) {
    throw TextError("invalid UTF-8 at byte " + std::to_string(bad + 1) +
                    " of the text; give text encoded in UTF-8");
  }
  TaggedText result;
  std::vector<Segment> segments;
  impl_->sentences.segment(text, segments);
  std::vector<Words> sentences;
  std::vector<Token> tokens;
  for (const Segment& segment : segments) {
    impl_->words->tokenize(text.substr(segment.begin, segment.end - segment.begin), tokens);
    sentences.emplace_back();
    for (const Token& token : tokens) {
      sentences.back().emplace_back(token.text);
      result.words.push_back({segment.begin + token.begin, segment.begin + token.end, {}});
    }
  }
  std::size_t first = 0;  // word of a sentence
  for (const Words& tags : tag(sentences)) {
    for (std::size_t i = 0; i < tags.size(); ++i) result.words[first + i].tag = tags[i];
    if (entities()) {
      for (Entity& entity : entities_of_any(tags)) {
        const std::size_t begin = first + entity.begin, end = first + entity.end;
        result.spans.push_back({result.words[begin].begin, result.words[end - 1].end, begin, end,
                                std::move(entity.type)});
      }
    }
    first += tags.size();
    if (!tags.empty()) result.sentence_ends.push_back(first);
  }
  return result;
}

std::vector<TagSequence> Tagger::n_best(const Words& sentence, std::int64_t n) const {
  if (n < 1) throw ConfigError("nbest: expected 1 or more, got " + std::to_string(n));
  if (sentence.empty()) return {TagSequence{}};
  TagWorkers workers = impl_->workers();
  TagDecoder& decoder = workers.one();
  run_alone(decoder, impl_->vocabulary, sentence);
  std::vector<TagSequence> sequences;
  for (const CrfPath& path : decoder.n_best(0, n)) {
    sequences.push_back({impl_->labels.tags_of(path.labels), path.log_prob});
  }
  return sequences;
}

std::vector<std::vector<float>> Tagger::marginals(const Words& sentence) const {
  if (sentence.empty()) return {};
  TagWorkers workers = impl_->workers();
  TagDecoder& decoder = workers.one();
  run_alone(decoder, impl_->vocabulary, sentence);
  const View<const float> marginals = decoder.marginals();
  std::vector<std::vector<float>> rows;
  for (Index t = 0; t < marginals.extent(0); ++t) {
    const float* row = &marginals(t, 0, 0);
    rows.emplace_back(row, row + marginals.extent(2));
  }
  return rows;
}

TaggerEvaluation Tagger::evaluate(std::span<const std::string> paths) const {
  const TaggedPart part = read_tagged(paths, impl_->reader, {});
  const TaggerValidation validation(part, impl_->vocabulary, impl_->labels, {});
  TagWorkers workers = impl_->workers();
  return validation.evaluate(workers);
}

TagReaderOptions Tagger::reader_options() const { return impl_->reader; }
const std::vector<std::string>& Tagger::labels() const { return impl_->labels.names(); }
bool Tagger::entities() const { return impl_->labels.entities(); }
const Vocabulary& Tagger::vocabulary() const { return impl_->vocabulary.words; }
const Network& Tagger::network() const { return impl_->network; }
const Parameters& Tagger::parameters() const { return impl_->parameters; }

}  // namespace rnn
