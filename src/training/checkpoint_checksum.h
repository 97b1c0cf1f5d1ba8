// What tells a whole checkpoint from a damaged one.
#pragma once

#include <map>
#include <string>

#include "rnn/parameters.h"

namespace rnn {

/// The member of a checkpoint's metadata that has it.
inline constexpr const char* kCheckpointChecksum = "rnn_checkpoint_sha256";

/// Over names, shapes and values of the tensors and over all other metadata.
std::string checkpoint_checksum(const TensorList& tensors,
                                std::map<std::string, std::string> metadata);

}  // namespace rnn
