#include "rnn/tasks/quantize.h"

#include <iostream>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "base/json.h"
#include "base/number.h"

namespace rnn {

void quantize(const Arguments& arguments) {
  namespace po = boost::program_options;
  CommandLine line("quantize DIR --output DIR2 [--json]",
                   "A smaller copy of a model: weight matrices as whole numbers of 8 bits with a\n"
                   "scale for each column. It is used like any model and computes in int8: the\n"
                   "same as the original with --precision int8.");
  line.add("Files")("model", po::value<std::string>()->value_name("DIR"), "model directory")(
      "output", po::value<std::string>()->value_name("DIR2"), "new or empty directory");
  line.positional("model", 1);
  line.add("Run")("json", po::bool_switch(), "print one JSON object");
  if (!line.parse(arguments)) return;
  line.require("model");
  line.require("output");

  const QuantizedModel result =
      quantize_model(line.get<std::string>("model"), line.get<std::string>("output"));
  if (line.get<bool>("json")) {
    std::cout
        << Json{{"bytes_before", result.bytes_before}, {"bytes_after", result.bytes_after}}.dump()
        << "\n";
    return;
  }
  std::cout << "weights " << result.bytes_before << " bytes before, " << result.bytes_after
            << " after ("
            << to_fixed(static_cast<double>(result.bytes_before) /
                            static_cast<double>(result.bytes_after),
                        2)
            << " times smaller)\n";
}

}  // namespace rnn
