// The `rnn` command: finds the command that was meant and turns exceptions into exit codes.
//   0 done, 1 failed at run time, 2 wrong use
#include <algorithm>
#include <array>
#include <csignal>
#include <iostream>
#include <new>
#include <string_view>

#include "apps/commands.h"
#include "rnn/error.h"
#include "rnn/version.h"

namespace rnn {
namespace {

struct Command {
  std::string_view task, verb, summary;
  void (*run)(const Arguments&);
};

constexpr std::array kCommands{
    Command{"lm", "train", "train a language model from text files", lm_train},
    Command{"lm", "eval", "perplexity and bits per character of a text", lm_eval},
    Command{"lm", "score", "log-probability of every sentence, or every word", lm_score},
    Command{"lm", "generate", "write text", lm_generate},
    Command{"classify", "train", "train a text classifier from labelled texts", classify_train},
    Command{"classify", "eval", "accuracy, F1 and confusions on labelled texts", classify_eval},
    Command{"classify", "predict", "label and probability of every line", classify_predict},
    Command{"classify", "explain", "what each word contributes to a label", classify_explain},
    Command{"classify", "serve", "a page and an HTTP interface to a model", classify_serve},
    Command{"tag", "train", "train a tagger: parts of speech, entities", tag_train},
    Command{"tag", "eval", "accuracy of tags, F1 of entities", tag_eval},
    Command{"tag", "predict", "tag files or plain text", tag_predict},
    Command{"text", "normalize", "rewrite text: forms, case, accents, spaces", text_normalize},
    Command{"text", "segment", "cut text into sentences, words or characters", text_segment},
    Command{"text", "tokenize", "the units of every line", text_tokenize},
    Command{"text", "detokenize", "the text of units", text_detokenize},
    Command{"text", "vocabulary", "count units, or report unknown ones", text_vocabulary},
    Command{"text", "train-sentencepiece", "learn the pieces of the unit sentencepiece",
            text_train_sentencepiece},
    Command{"inspect", "", "what a model directory contains", inspect},
    Command{"quantize", "", "a smaller copy of a model, for int8", quantize},
};

/// The commands of one task, or all.
void print_usage(std::ostream& out, std::string_view task) {
  out << "rnn " << kVersion << ", the recurrent-network toolkit for language\n\n"
      << "Usage: rnn <task> <verb> [options]     rnn <task> <verb> --help\n\n";
  for (const Command& command : kCommands) {
    if (!task.empty() && command.task != task) continue;
    std::string name = "  rnn " + std::string(command.task) +
                       (command.verb.empty() ? "" : " " + std::string(command.verb));
    name.resize(32, ' ');
    out << name << command.summary << "\n";
  }
}

int dispatch(const Arguments& arguments) {
  const std::string task = arguments.empty() ? "" : arguments[0];
  const std::string verb = arguments.size() < 2 ? "" : arguments[1];
  if (task == "--version") {
    std::cout << "rnn " << kVersion << "\n";
    return 0;
  }
  const auto asks_for_help = [](const std::string& word) {
    return word == "--help" || word == "-h" || word == "help";
  };
  if (asks_for_help(task)) {
    print_usage(std::cout, "");
    return 0;
  }
  for (const Command& command : kCommands) {
    if (command.task != task || !(command.verb.empty() || command.verb == verb)) continue;
    command.run(Arguments(arguments.begin() + (command.verb.empty() ? 1 : 2), arguments.end()));
    return 0;
  }
  const bool known = std::any_of(kCommands.begin(), kCommands.end(),
                                 [&](const Command& command) { return command.task == task; });
  if (known && asks_for_help(verb)) {
    print_usage(std::cout, task);
    return 0;
  }
  if (known && verb.empty()) {
    std::cerr << "rnn: '" << task << "' needs a verb\n\n";
  } else if (!task.empty()) {
    std::cerr << "rnn: there is no command '" << task << (verb.empty() ? "" : " " + verb)
              << "'\n\n";
  }
  print_usage(std::cerr, known ? task : "");
  return 2;
}

}  // namespace
}  // namespace rnn

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error like a full disk, not the end
  try {
    const int code = rnn::dispatch(rnn::Arguments(argv + 1, argv + argc));
    std::cout.flush();
    if (!std::cout) throw rnn::IoError("standard output: cannot write");
    return code;
  } catch (const rnn::ConfigError& error) {
    std::cerr << "rnn: " << error.what() << "\n";
    return 2;
  } catch (const rnn::Error& error) {
    std::cerr << "rnn: " << error.what() << "\n";
    return 1;
  } catch (const std::bad_alloc&) {
    std::cerr << "rnn: out of memory; a smaller --batch, --bptt or --hidden takes less, and so do "
                 "shorter lines\n";
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "rnn: unexpected failure: " << error.what() << "\n";
    return 1;
  }
}
