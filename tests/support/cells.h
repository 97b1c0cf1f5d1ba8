// The cells as parameters of tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ostream>
#include <string>
#include <vector>

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

/// What a cell is asked to do beside its equations: which of the options are used.
struct Extras {
  bool recurrent_dropout = false;
  bool zoneout = false;           ///< of h, and of c where there is one
  bool constant_zoneout = false;  ///< one z for all, as in evaluation
  bool peepholes = false;
  bool layer_norm = false;
  bool projection = false;  ///< to a width near half of H
};

/// A cell with options, as a parameter of tests.
struct Variant {
  Cell cell = Cell::kLstm;
  Extras extras{};
  std::string name{};
};
inline void PrintTo(const Variant& variant, std::ostream* out) { *out << variant.name; }
inline std::string variant_name(const ::testing::TestParamInfo<Variant>& info) {
  std::string name = info.param.name;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == ' ' || c == ','; }, '_');
  return name;
}

/// The cells with each option by itself, and with those that meet in one place together.
inline std::vector<Variant> option_variants() {
  std::vector<Variant> all;
  const auto add = [&all](Cell cell, const std::string& name, const Extras& extras) {
    all.push_back({cell, extras, std::string(name_of(cell)) + " " + name});
  };
  for (Cell cell : kAllCells) {
    add(cell, "recurrent dropout", {.recurrent_dropout = true});
    add(cell, "zoneout", {.zoneout = true});
    if (cell != Cell::kGruResetBefore) add(cell, "layer norm", {.layer_norm = true});
  }
  add(Cell::kLstm, "peepholes", {.peepholes = true});
  add(Cell::kLstm, "projection", {.projection = true});
  add(Cell::kLstmCoupled, "peepholes", {.peepholes = true});
  add(Cell::kLstm, "constant zoneout", {.constant_zoneout = true});
  add(Cell::kGru, "constant zoneout", {.constant_zoneout = true});
  add(Cell::kGru, "mask, zoneout, layer norm",
      {.recurrent_dropout = true, .zoneout = true, .layer_norm = true});
  add(Cell::kGruResetBefore, "mask, zoneout", {.recurrent_dropout = true, .zoneout = true});
  for (Cell cell : {Cell::kLstm, Cell::kLstmCoupled}) {
    add(cell, "all but layer norm",
        {.recurrent_dropout = true, .zoneout = true, .peepholes = true, .projection = true});
    add(cell, "all",
        {.recurrent_dropout = true,
         .zoneout = true,
         .peepholes = true,
         .layer_norm = true,
         .projection = true});
  }
  return all;
}

/// The plain cells, and these.
inline std::vector<Variant> all_variants() {
  std::vector<Variant> all;
  for (Cell cell : kAllCells) all.push_back({cell, {}, std::string(name_of(cell))});
  all.push_back({Cell::kLstmCoupled, {}, std::string(name_of(Cell::kLstmCoupled))});
  for (const Variant& variant : option_variants()) all.push_back(variant);
  return all;
}

}  // namespace rnn::test
