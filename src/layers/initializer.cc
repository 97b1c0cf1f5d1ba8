#include "rnn/initializer.h"

#include <Eigen/QR>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

#include "rnn/error.h"

namespace rnn {
namespace {

/// Normal draws by Box and Muller (1958), one block of random words for two of them.
double normal_draw(const Random& random, Index i) {
  const auto words = random.block(static_cast<std::uint32_t>(i / 2), 0x6e6f726du);
  const double u = 1.0 - Random::to_uniform(words[0], words[1]);  // in (0, 1]
  const double angle = 2 * std::numbers::pi * Random::to_uniform(words[2], words[3]);
  return std::sqrt(-2 * std::log(u)) * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

/// A [rows, columns] block with orthonormal rows or columns, whichever are fewer: Q of a normal
/// matrix, with the signs that make it uniform among all such matrices (Mezzadri 2007).
Eigen::MatrixXd orthonormal(Index rows, Index columns, const Random& random) {
  const Index tall = std::max(rows, columns), slim = std::min(rows, columns);
  Eigen::MatrixXd normal(tall, slim);
  for (Index i = 0; i < tall; ++i) {
    for (Index j = 0; j < slim; ++j) normal(i, j) = normal_draw(random, i * slim + j);
  }
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(normal);
  Eigen::MatrixXd q = qr.householderQ() * Eigen::MatrixXd::Identity(tall, slim);
  for (Index j = 0; j < slim; ++j) {
    if (qr.matrixQR()(j, j) < 0) q.col(j) *= -1;
  }
  return rows >= columns ? q : Eigen::MatrixXd(q.transpose());
}

}  // namespace

std::string Initializer::to_string() const {
  char number[32];
  const std::string scale_text(number, std::to_chars(number, number + sizeof number, scale).ptr);
  switch (kind) {
    case Kind::kConstant:
      return scale == 0 ? "zeros" : "constant(" + scale_text + ")";
    case Kind::kUniform:
      return "uniform(" + scale_text + ")";
    case Kind::kNormal:
      return "normal(" + scale_text + ")";
    case Kind::kGlorotUniform:
      return "glorot_uniform";
    case Kind::kOrthogonal:
      return "orthogonal";
  }
  return {};
}

Initializer Initializer::parse(std::string_view text) {
  if (text == "zeros") return zeros();
  if (text == "glorot_uniform") return glorot_uniform();
  if (text == "orthogonal") return orthogonal();
  const auto open = text.find('(');
  if (open != text.npos && text.back() == ')') {
    const std::string_view name = text.substr(0, open);
    float value = 0;
    const char* end = text.data() + text.size() - 1;
    const auto parsed = std::from_chars(text.data() + open + 1, end, value);
    if (parsed.ec == std::errc() && parsed.ptr == end && std::isfinite(value)) {
      if (name == "constant") return constant(value);
      if (name == "uniform" && value >= 0) return uniform(value);
      if (name == "normal" && value >= 0) return normal(value);
    }
  }
  throw ConfigError(
      "initializer: expected zeros, constant(v), uniform(s), normal(s), glorot_uniform or "
      "orthogonal, got '" +
      std::string(text) + "'");
}

void Initializer::fill(View<float> values, int blocks, const Random& random) const {
  const bool matrix = values.shape().rank() == 2;
  const Index rows = matrix ? values.extent(0) : 1;
  const Index columns = values.size() / std::max<Index>(1, rows);
  const Index width = columns / blocks;
  switch (kind) {
    case Kind::kConstant:
      std::fill(values.begin(), values.end(), scale);
      break;
    case Kind::kUniform:
    case Kind::kGlorotUniform: {
      const double limit = kind == Kind::kUniform
                               ? static_cast<double>(scale)
                               : std::sqrt(6.0 / static_cast<double>(rows + width));
      for (Index i = 0; i < values.size(); ++i) {
        values[i] = static_cast<float>((2.0 * random.uniform(i) - 1.0) * limit);
      }
      break;
    }
    case Kind::kNormal:
      for (Index i = 0; i < values.size(); ++i) {
        values[i] = static_cast<float>(normal_draw(random, i) * scale);
      }
      break;
    case Kind::kOrthogonal:
      for (int block = 0; block < blocks; ++block) {
        const Eigen::MatrixXd q = orthonormal(rows, width, random.fold(block));
        for (Index i = 0; i < rows; ++i) {
          for (Index j = 0; j < width; ++j) {
            values[i * columns + block * width + j] = static_cast<float>(q(i, j));
          }
        }
      }
      break;
  }
}

}  // namespace rnn
