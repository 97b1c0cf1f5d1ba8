// Reads the golden files: tensors as text, "name extent extent ..." on one line, numbers after it.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>

#include "rnn/tensor.h"

namespace rnn::test {

using Golden = std::map<std::string, BasicTensor<double>>;

/// The tensors of tests/golden/`name`. Throws when the file is missing or short.
inline Golden read_golden(const std::string& name) {
  const std::filesystem::path path =
      std::filesystem::path(RNN_SOURCE_DIR) / "tests" / "golden" / name;
  std::ifstream file(path);
  Golden golden;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream header(line);
    std::string tensor;
    Index d[Shape::kMaxRank] = {};
    int rank = 0;
    header >> tensor;
    while (rank < Shape::kMaxRank && header >> d[rank]) ++rank;
    const Shape shape = rank == 1   ? Shape{d[0]}
                        : rank == 2 ? Shape{d[0], d[1]}
                        : rank == 3 ? Shape{d[0], d[1], d[2]}
                                    : Shape{0};
    BasicTensor<double> values(shape);
    for (Index i = 0; i < values.size(); ++i) file >> values[i];
    if (!file || values.empty()) {
      throw std::runtime_error(path.string() + ": tensor '" + tensor + "' is damaged");
    }
    std::getline(file, line);  // the rest of the last row
    golden.emplace(tensor, std::move(values));
  }
  if (golden.empty()) throw std::runtime_error(path.string() + ": missing or empty");
  return golden;
}

}  // namespace rnn::test
