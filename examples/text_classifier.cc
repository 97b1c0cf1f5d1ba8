// Texts with labels in memory, a classifier in one call, what it says of another text and why.
//   example_text_classifier train.tsv test.tsv
#include <rnn/error.h>
#include <rnn/tasks/text_classifier.h>
#include <rnn/text/labelled_reader.h>

#include <cstdio>

namespace {

std::vector<rnn::LabelledText> read(const char* path) {
  std::vector<rnn::LabelledText> texts;
  rnn::LabelledReader reader(path);  // label TAB text
  for (rnn::LabelledText text; reader.next(text);) texts.push_back(text);
  return texts;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3)
    return std::fputs("usage: example_text_classifier train.tsv test.tsv\n", stderr), 2;
  rnn::TextClassifierRecipe recipe;
  recipe.arch = "bag";
  recipe.epochs = 10;
  const auto model = rnn::TextClassifier::fit(read(argv[1]), recipe);

  int right = 0;
  const auto test = read(argv[2]);
  for (const auto& text : test) {
    const auto answer = model.predict(text.text);
    right += model.labels()[static_cast<std::size_t>(answer.label)] == text.labels[0];
  }
  std::printf("accuracy %.3f\n", right / static_cast<double>(test.size()));

  const std::string text = "Could we have another blanket?";
  const auto why = model.explain(text);
  std::printf("%s, because of:\n", model.labels()[static_cast<std::size_t>(why.label)].c_str());
  for (const auto& unit : why.units) {
    std::printf("%+.3f %s\n", unit.contribution,
                text.substr(unit.begin, unit.end - unit.begin).c_str());
  }
} catch (const rnn::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
