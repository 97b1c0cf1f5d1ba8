#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "base/number.h"
#include "rnn/callback.h"
#include "rnn/model.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

std::string shown(const ProgressBarOptions& options, bool with_validation) {
  std::ostringstream out;
  Model model(test::toy_network());
  model.compile({.optimizer = SGD{.learning_rate = 0.125f}});
  test::ToySource data = test::random_source(6, 1, 8, 4), valid = test::random_source(6, 2, 8, 4);
  ProgressBar bar(out, options);
  model.fit(data,
            {.epochs = 2, .validation = with_validation ? &valid : nullptr, .callbacks = {&bar}});
  return out.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(ProgressBar, PrintsPlainLinesToWhatIsNoTerminal) {
  const std::string text = shown({.unit = "words", .every_seconds = 0}, true);
  for (char control : {'\r', '\x1b', '\b', '\t'}) EXPECT_EQ(text.find(control), text.npos);
  const auto lines = lines_of(text);
  ASSERT_EQ(lines.size(), 6u) << text;  // two steps and an end, twice
  EXPECT_EQ(lines[0].substr(0, 14), "epoch 1/2 50% ");
  EXPECT_EQ(lines[1].substr(0, 15), "epoch 1/2 100% ");
  EXPECT_EQ(lines[2].substr(0, 9), "epoch 1  ");
  EXPECT_EQ(lines[3].substr(0, 14), "epoch 2/2 50% ");
  for (const char* part : {"ETA ", "loss 1.", "ppl ", " words/s", "lr 0.125"}) {
    EXPECT_NE(lines[0].find(part), std::string::npos) << part << " in " << lines[0];
  }
  for (const char* part : {"train loss 1.", "valid loss 1.", "ppl ", " words/s", "lr 0.125"}) {
    EXPECT_NE(lines[2].find(part), std::string::npos) << part << " in " << lines[2];
  }
}

TEST(ProgressBar, TellsBitsPerCharacterWhereTheyAreKnown) {
  EXPECT_EQ(shown({}, true).find("bits"), std::string::npos);
  std::ostringstream out;
  Model model(test::toy_network());
  model.compile({.optimizer = SGD{.learning_rate = 0.125f}});
  test::ToySource data = test::random_source(6, 1, 8, 4), valid = test::random_source(6, 2, 8, 4);
  ProgressBar bar(out);
  const History& history = model.fit(
      data,
      {.epochs = 1, .validation = &valid, .validation_characters = 1000, .callbacks = {&bar}});
  const double bits = history.epochs[0].validation->nats / std::log(2.0) / 1000;
  EXPECT_NE(out.str().find("  bits/char " + to_fixed(bits, 4) + "  "), std::string::npos)
      << out.str();
}

TEST(ProgressBar, IsQuietBetweenTheLines) {
  const auto lines = lines_of(shown({.every_seconds = 1000}, false));
  ASSERT_EQ(lines.size(), 2u);  // the ends of the epochs
  EXPECT_EQ(lines[0].find("valid"), std::string::npos);
}

TEST(ProgressBar, RedrawsOneLineOnATerminal) {
  const std::string text = shown({.terminal = true}, true);
  EXPECT_NE(text.find('\r'), std::string::npos);
  EXPECT_NE(text.find("==] 100%"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
}

}  // namespace
}  // namespace rnn
