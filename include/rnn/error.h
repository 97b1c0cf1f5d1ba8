// The exceptions of the library.
//
// A message says what is wrong, what was expected and what arrived, where (file and line of the
// data, or the path of a layer or option), and what to do about it. The library never prints, exits
// or aborts; the command turns ConfigError into exit code 2 and every other Error into 1.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "rnn/export.h"

namespace rnn {

/// Base of everything the library throws on purpose.
class RNN_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Tensors or batches whose shapes do not fit together.
class RNN_API ShapeError : public Error {
 public:
  using Error::Error;
};

/// An option out of range, an unknown name, an impossible combination.
class RNN_API ConfigError : public Error {
 public:
  using Error::Error;
};

/// The operating system refused: missing file, no permission, full disk.
class RNN_API IoError : public Error {
 public:
  using Error::Error;
};

/// A file of ours that is damaged, truncated or made by somebody else.
class RNN_API FormatError : public Error {
 public:
  using Error::Error;
};

/// Text that is not what a corpus must be: invalid UTF-8, an empty file, too few tokens.
class RNN_API TextError : public Error {
 public:
  using Error::Error;
};

/// Training met a loss or gradient that is not a finite number.
class RNN_API DivergenceError : public Error {
 public:
  using Error::Error;
};

/// "file:line: what", the form editors and people know. `line` counts from 1.
inline std::string at(std::string_view file, std::int64_t line, std::string_view what) {
  return std::string(file) + ":" + std::to_string(line) + ": " + std::string(what);
}

}  // namespace rnn
