// Any network as a model directory: what a program built from layers, written so that another
// program can load and run it without that code.
#pragma once

#include <memory>
#include <string>

#include "rnn/backend.h"
#include "rnn/network.h"

namespace rnn {

/// A network and its parameters.
struct SavedNetwork {
  Network network;
  Parameters parameters;
};

/// Writes config.json (every layer with every option), model.safetensors and SHA256SUMS; whole or
/// not at all. Throws ConfigError when a model is there and `overwrite` is not set, when the
/// directory is somebody else's, or when a layer's type is not the library's and not registered
/// (rnn/registry.h); IoError when it cannot be written.
RNN_API void save_network(const std::string& directory, const Network& network,
                          const Parameters& parameters, bool overwrite = false);

/// Throws IoError or FormatError, naming the file, when one is missing, damaged or altered, and
/// ConfigError for a type of layer that this program did not register.
RNN_API SavedNetwork load_network(const std::string& directory, const Backend& backend);

}  // namespace rnn
