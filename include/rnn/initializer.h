// How a parameter gets its first values.
#pragma once

#include <string>
#include <string_view>

#include "rnn/export.h"
#include "rnn/random.h"
#include "rnn/tensor.h"

namespace rnn {

/// A rule for first values. Recurrent kernels [I,G*H] are `blocks` = G matrices side by side, each
/// initialised as a matrix of its own.
///   zeros, constant(v)
///   uniform(s)        in [-s, s)
///   normal(s)         standard deviation s
///   glorot_uniform    uniform with s = sqrt(6 / (rows + columns))   (Glorot and Bengio 2010)
///   orthogonal        rows or columns orthonormal                   (Saxe et al. 2014)
struct RNN_API Initializer {
  enum class Kind { kConstant, kUniform, kNormal, kGlorotUniform, kOrthogonal };
  Kind kind = Kind::kConstant;
  float scale = 0;

  static Initializer zeros() { return {}; }
  static Initializer constant(float value) { return {Kind::kConstant, value}; }
  static Initializer uniform(float scale) { return {Kind::kUniform, scale}; }
  static Initializer normal(float deviation) { return {Kind::kNormal, deviation}; }
  static Initializer glorot_uniform() { return {Kind::kGlorotUniform, 0}; }
  static Initializer orthogonal() { return {Kind::kOrthogonal, 1}; }

  /// "glorot_uniform", "uniform(0.1)"; parse reads what to_string writes, or throws ConfigError.
  std::string to_string() const;
  static Initializer parse(std::string_view text);

  /// Fills `values`, a [rows, columns] matrix of `blocks` blocks of columns, or a vector.
  void fill(View<float> values, int blocks, const Random& random) const;

  friend bool operator==(const Initializer&, const Initializer&) = default;
};

}  // namespace rnn
