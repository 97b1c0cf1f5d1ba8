// The cells as parameters of tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ostream>
#include <string>

#include "rnn/cells.h"

namespace rnn {

/// How GoogleTest writes a cell.
inline void PrintTo(Cell cell, std::ostream* out) { *out << name_of(cell); }

}  // namespace rnn

namespace rnn::test {

inline constexpr std::array kAllCells{Cell::kLstm, Cell::kGru, Cell::kGruResetBefore,
                                      Cell::kRnnTanh, Cell::kRnnRelu};

/// The cell in the name of a test, where only letters, digits and underscores may stand.
inline std::string cell_name(const ::testing::TestParamInfo<Cell>& info) {
  std::string name(name_of(info.param));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace rnn::test
