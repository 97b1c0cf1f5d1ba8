#include "rnn/tasks/text_classifier.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <mutex>
#include <numeric>
#include <sstream>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/version.h"
#include "tasks/model_directory.h"
#include "tasks/optimization.h"
#include "tasks/side_by_side.h"
#include "tasks/text_classifier_impl.h"
#include "tasks/training_run.h"
#include "text/escape.h"
#include "text/utf8.h"

namespace rnn {
namespace {

std::vector<std::string> read_labels(const std::string& path) {
  std::istringstream lines(read_file(path));
  std::vector<std::string> labels;
  std::string line, label;
  for (std::int64_t number = 1; std::getline(lines, line); ++number) {
    std::size_t error_at = 0;
    if (!unescape(line, label, error_at) || find_invalid_utf8(label) != std::string::npos ||
        (!labels.empty() && !(labels.back() < label))) {
      throw FormatError(
          at(path, number,
             "expected a label in UTF-8 after the one before in the order of their bytes, "
             "with the escapes of vocabulary.txt"));
    }
    labels.push_back(label);
  }
  return labels;
}

}  // namespace

Json classifier_config(const TextClassifierRecipe& recipe, const Network& network,
                       const Vocabulary& vocabulary, std::span<const std::string> labels) {
  return {
      {"format", kModelFormat},       {"task", "text-classifier"},
      {"rnn_version", kVersion},      {"vocabulary_size", vocabulary.size()},
      {"labels", labels.size()},      {"network", parse_json(network_to_json(network), "network")},
      {"recipe", recipe_json(recipe)}};
}

void write_classifier_texts(ModelUpdate& update, const TextEncoder& encoder,
                            const Vocabulary& vocabulary, std::span<const std::string> labels) {
  vocabulary.save(update.file("vocabulary.txt"));
  std::string lines;
  for (const std::string& label : labels) lines += escape(label) + "\n";
  write_file(update.file("labels.txt"), lines);
  if (const std::string_view pieces = encoder.tokenizer().model(); !pieces.empty()) {
    write_file(update.file("tokenizer.model"), pieces);
  }
}

std::vector<std::int32_t> chosen_labels(std::span<const float> probabilities, bool multi_label) {
  std::vector<std::int32_t> chosen;
  if (!multi_label) {
    const auto likeliest = std::max_element(probabilities.begin(), probabilities.end());
    chosen.push_back(static_cast<std::int32_t>(likeliest - probabilities.begin()));
  }
  for (std::size_t i = 0; multi_label && i < probabilities.size(); ++i) {
    if (probabilities[i] >= 0.5f) chosen.push_back(static_cast<std::int32_t>(i));
  }
  return chosen;
}

ClassificationReport report_on(InferencePool& inferences, ClassifierBatches& batches,
                               const EncodedTexts& texts, std::span<const std::string> labels,
                               bool multi_label) {
  ClassificationReport report(labels, multi_label);
  std::vector<LossSum> losses(static_cast<std::size_t>(*batches.batches_per_epoch()));
  std::mutex counting;
  inferences.run(batches, [&](Inference& inference, const Batch& batch, std::int64_t number) {
    State state = inferences.zero_state(batch);
    losses[static_cast<std::size_t>(number)] = inference.evaluate(batch, state);
    const View<const float> probabilities = inference.predictions();
    const auto count = static_cast<Index>(labels.size());
    const std::lock_guard lock(counting);  // their order does not matter
    for (Index b = 0; b < batch.batch; ++b) {
      const std::vector<std::int32_t> chosen =
          chosen_labels({probabilities.data() + b * count, labels.size()}, multi_label);
      const std::span<const std::int32_t> truth =
          texts.labels[static_cast<std::int64_t>(batch.examples[static_cast<std::size_t>(b)])];
      if (multi_label) {
        report.add(truth, chosen);
      } else {
        report.add(truth[0], chosen[0]);
      }
    }
  });
  for (const LossSum& loss : losses) report.loss += loss;
  return report;
}

TextClassifier::TextClassifier(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TextClassifier::~TextClassifier() = default;
TextClassifier::TextClassifier(TextClassifier&&) noexcept = default;
TextClassifier& TextClassifier::operator=(TextClassifier&&) noexcept = default;

TextClassifier TextClassifier::load(const std::string& path, const BackendOptions& options) {
  return read_whole_model(path, [&](const ModelDirectory& directory) {
    const Json config = directory.read_config("text-classifier");
    const std::string where = directory.file("config.json");
    const Json fields = member<Json>(config, "recipe", where);
    TextClassifierRecipe recipe = reading(where, [&] {
      TextClassifierRecipe read;
      JsonReader reader(fields, where + ": recipe");
      read.exchange(reader);
      reader.finish();
      return read;
    });
    auto backend = backend_for(directory, config, options);
    Network network =
        network_from_json(member<Json>(config, "network", where).dump(), where + ": network");
    Vocabulary vocabulary = Vocabulary::load(directory.file("vocabulary.txt"));
    std::vector<std::string> labels = read_labels(directory.file("labels.txt"));
    if (const std::string wrong = classifier_misfit(
            network, vocabulary.size(), static_cast<Index>(labels.size()), recipe.multi_label);
        !wrong.empty()) {
      throw FormatError(where + ": network: " + wrong +
                        "; it does not belong to vocabulary.txt and labels.txt");
    }
    const std::string weights = directory.file("model.safetensors");
    Parameters parameters =
        parameters_from(network, load_safetensors(weights).tensors, *backend, weights);
    const bool pieces = recipe.unit == "sentencepiece";
    TextEncoder encoder = reading(where, [&] {
      return TextEncoder(recipe, pieces ? directory.file("tokenizer.model") : "");
    });
    return TextClassifier(std::unique_ptr<Impl>(
        new Impl{std::move(recipe), std::move(encoder), std::move(vocabulary), std::move(labels),
                 std::move(network), std::move(parameters), std::move(backend)}));
  });
}

TextClassifier TextClassifier::fit(std::span<const LabelledText> train,
                                   const TextClassifierRecipe& recipe,
                                   const BackendOptions& backend) {
  validate(recipe);
  const auto needs = [](bool asked, const char* what, const char* why) {
    if (!asked) return;
    throw ConfigError(std::string(what) + ": TextClassifier::fit has no " + why +
                      "; leave it out, or train with train_text_classifier");
  };
  needs(recipe.choose != "loss", "choose", "texts to measure on");
  needs(recipe.early_stopping >= 0, "early-stopping", "texts to measure on");
  needs(recipe.unfreeze_epochs > 0, "unfreeze-epochs", "language model to start from");
  const Storage storage = Storage::memory_alone();  // as the texts are
  SourceTexts sources(storage);
  for (const LabelledText& text : train) sources.add(text, "texts");
  if (sources.size() == 0) throw TextError("texts: expected at least two with different labels");
  ClassifierTexts texts =
      encode_for_training(recipe, "", SelectedTexts(sources), nullptr, nullptr, storage);
  Model model = classifier_model(recipe, texts, backend);
  const std::unique_ptr<BatchSource> batches = training_batches(recipe, texts, model);
  const std::vector<float> class_weights =
      class_weights_of(recipe.class_weights, texts.labels, texts.train);
  model.fit(*batches, {.epochs = recipe.epochs, .class_weights = class_weights});
  Parameters parameters = model.parameters();
  return TextClassifier(std::unique_ptr<Impl>(
      new Impl{recipe, std::move(texts.encoder), std::move(texts.vocabulary),
               std::move(texts.labels), model.network(), std::move(parameters), model.backend()}));
}

void TextClassifier::save(const std::string& directory) const {
  const Impl& m = *impl_;
  write_new_model(directory, "the model's directory", [&](ModelUpdate& update) {
    save_safetensors(update.file("model.safetensors"), m.parameters);
    write_classifier_texts(update, m.encoder, m.vocabulary, m.labels);
    write_config(update, classifier_config(m.recipe, m.network, m.vocabulary, m.labels));
  });
}

Classification TextClassifier::predict(std::string_view text) const {
  const std::string one[] = {std::string(text)};
  return std::move(predict(one).front());
}

std::vector<Classification> TextClassifier::predict(std::span<const std::string> texts) const {
  const Impl& m = *impl_;
  std::vector<Classification> answers(texts.size());
  if (texts.empty()) return answers;
  std::vector<std::vector<std::int32_t>> encoded(texts.size());
  side_by_side(*m.backend, static_cast<std::int64_t>(texts.size()), [&](int, std::int64_t item) {
    const auto i = static_cast<std::size_t>(item);
    m.encoder.encode(texts[i], m.vocabulary, encoded[i]);
  });
  // The longest first, so that texts of a batch have nearly one length.
  std::vector<std::size_t> order(texts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return encoded[a].size() > encoded[b].size();
  });
  Sequences sequences(Storage::memory_alone());  // as the texts are
  for (std::size_t i : order) sequences.add(encoded[i], 0);

  BucketDataset batches(sequences, kEvaluationBatches);
  InferencePool& inferences = impl_->inferences;
  const auto count = static_cast<Index>(m.labels.size());
  inferences.run(batches, [&](Inference& inference, Batch& batch, std::int64_t) {
    batch.targets.clear();  // there is nothing to compare with
    State state = inferences.zero_state(batch);
    const View<const float> probabilities = inference.predict(batch, state);
    if (const Shape expected{1, batch.batch, count}; probabilities.shape() != expected) {
      throw ShapeError("predict: a classifier gives " + expected.to_string() +
                       " probabilities, got " + probabilities.shape().to_string() +
                       "; a layer that pools over time must come before its head");
    }
    for (Index b = 0; b < batch.batch; ++b) {
      const float* const row = probabilities.data() + b * count;
      if (!std::all_of(row, row + count, [](float p) { return std::isfinite(p); })) {
        throw DivergenceError(
            "predict: the model's probabilities are not finite; its training must have diverged");
      }
      Classification& answer = answers[order[batch.examples[static_cast<std::size_t>(b)]]];
      answer.probabilities.assign(row, row + count);
      answer.label = static_cast<std::int32_t>(std::max_element(row, row + count) - row);
    }
  });
  return answers;
}

std::vector<std::int32_t> TextClassifier::chosen(const Classification& answer) const {
  return chosen_labels(answer.probabilities, multi_label());
}

ClassificationReport TextClassifier::evaluate(std::span<const std::string> paths) const {
  return evaluate(paths, impl_->recipe.reader());
}

ClassificationReport TextClassifier::evaluate(std::span<const std::string> paths,
                                              const LabelledOptions& reader) const {
  const Impl& m = *impl_;
  const auto encoded = [&] {
    const SourceTexts sources = read_labelled(paths, reader, {});
    return encode_texts(SelectedTexts(sources), m.encoder, m.vocabulary, m.labels, multi_label(),
                        {});
  };
  const EncodedTexts texts = encoded();
  ClassifierBatches batches(texts, m.labels.size(), multi_label(), kEvaluationBatches);
  return report_on(impl_->inferences, batches, texts, m.labels, multi_label());
}

const std::vector<std::string>& TextClassifier::labels() const { return impl_->labels; }
bool TextClassifier::multi_label() const { return impl_->recipe.multi_label; }
const TextClassifierRecipe& TextClassifier::recipe() const { return impl_->recipe; }
const Network& TextClassifier::network() const { return impl_->network; }
const Parameters& TextClassifier::parameters() const { return impl_->parameters; }
const Vocabulary& TextClassifier::vocabulary() const { return impl_->vocabulary; }
TextPolicy TextClassifier::text_policy() const { return impl_->recipe.reader().policy; }

}  // namespace rnn
