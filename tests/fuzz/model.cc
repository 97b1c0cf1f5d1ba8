// Any bytes as the config.json of a model whose other files are sound, sealed by whoever made it:
// refused, or a model that scores and writes.
#include <filesystem>

#include "base/file.h"
#include "fuzz/memory_file.h"
#include "rnn/error.h"
#include "rnn/tasks/language_model.h"
#include "tasks/model_directory.h"

namespace {

/// A small trained model in the working directory.
const rnn::ModelDirectory& directory() {
  static const rnn::ModelDirectory made = [] {
    const std::string name = "model-" + std::to_string(getpid());
    std::filesystem::remove_all(name);
    std::string text;
    for (int i = 0; i < 40; ++i) text += "a b c\nb a\n";
    rnn::write_file(name + ".txt", text);
    rnn::train_language_model(
        {.hidden = 3, .layers = 1, .epochs = 1, .batch = 2, .bptt = 4},
        {.train = {name + ".txt"}, .directory = name, .backend = {.threads = {.threads = 1}}});
    return rnn::ModelDirectory(name);
  }();
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    rnn::write_file(directory().file("config.json"), {reinterpret_cast<const char*>(data), size});
    directory().seal();
    const auto model = rnn::LanguageModel::load(directory().path(), {.threads = {.threads = 1}});
    const std::string sentences[] = {"a c b", ""};
    rnn::require(model.score(sentences).size() == 2);
    static_cast<void>(model.generate({.prompt = "a", .length = 3}));
  } catch (const rnn::Error&) {
  }
  return 0;
}
