#include <iostream>

#include "apps/text_filter.h"
#include "base/number.h"
#include "rnn/error.h"
#include "rnn/thread_pool.h"
#include "text/escape.h"

namespace rnn {
namespace {

void print_report(const VocabularyBuilder& counts, const Vocabulary& known, std::int64_t list) {
  const Vocabulary seen = counts.build();
  std::int64_t tokens = 0, types = 0, unknown = 0, unknown_types = 0;
  std::string most;
  for (std::int32_t id = 0; id < seen.size(); ++id) {
    const std::string_view symbol = seen.symbol(id);
    tokens += seen.count(id);
    if (id == seen.unknown_id() || id == seen.end_id()) continue;
    ++types;
    if (known.find(symbol) >= 0) continue;
    unknown += seen.count(id);
    if (unknown_types++ < list) {
      append_escaped(symbol, most);
      most += '\t' + std::to_string(seen.count(id)) + '\n';
    }
  }
  const auto percent = [](std::int64_t part, std::int64_t whole) {
    const double share = whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
    return to_fixed(100 * share, 2) + " %";
  };
  std::cout << "tokens          " << tokens << "  (" << seen.count(seen.end_id())
            << " ends of line among them, " << seen.count(seen.unknown_id())
            << " that say <unk> or </s>)\n"
            << "unknown tokens  " << unknown << "  (" << percent(unknown, tokens) << ")\n"
            << "types           " << types << "\n"
            << "unknown types   " << unknown_types << "  (" << percent(unknown_types, types)
            << ")\n"
            << most;
}

}  // namespace

void text_vocabulary(const Arguments& arguments) {
  namespace po = boost::program_options;
  CommandLine line(
      "text vocabulary [F...] [options]",
      "Counts units and prints a vocabulary, one `symbol<TAB>count` a line; or tells how\n"
      "much of the text a vocabulary knows (--check).");
  add_inputs(line);
  add_tokenizer(line);
  line.add_fields(
      "Vocabulary", VocabularyOptions{},
      {{"minimum-count", {"leave out what is seen less often"}},
       {"maximum-size", {"at most so many symbols, <unk> and </s> among them; 0: no limit"}}});
  line.add("Vocabulary")(
      "output", po::value<std::string>()->default_value("-", "standard output")->value_name("FILE"),
      "write it there, whole or not at all")(
      "check", po::value<std::string>()->value_name("FILE"),
      "report what of the text this vocabulary does not know")(
      "list", po::value<std::int64_t>()->default_value(20)->value_name("N"),
      "unknown words that the report lists")("threads",
                                             po::value<int>()->default_value(1)->value_name("N"),
                                             "threads that count; 0: all cores");
  if (!line.parse(arguments)) return;
  for (const char* option : {"minimum-count", "maximum-size", "output"}) {
    if (line.has("check") && line.given(option)) {
      throw ConfigError(std::string("--check reports on a vocabulary that is there; --") + option +
                        " is for one that is counted");
    }
  }
  const auto tokenizer = tokenizer_of(line);
  ByteProgress progress;
  CorpusOptions corpus{.policy = text_policy(line),
                       .threads = ThreadPool({.threads = line.get<int>("threads")}).threads()};
  corpus.progress = [&](std::int64_t done, std::int64_t total) { progress.show(done, total); };
  if (line.has("check")) {
    const auto path = line.get<std::string>("check");
    if (path == "-") throw ConfigError("--check: expected a file, got standard input");
    const Vocabulary known = Vocabulary::load(path);
    print_report(count_symbols(inputs(line), *tokenizer, corpus), known,
                 line.get<std::int64_t>("list"));
    return;
  }
  VocabularyOptions options;
  line.read_fields(options);
  write_output(line.get<std::string>("output"), [&] {
    return count_symbols(inputs(line), *tokenizer, corpus).build(options).to_text();
  });
}

}  // namespace rnn
