// What tells a whole checkpoint from a damaged one.
#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>

#include "rnn/model_file.h"

namespace rnn {

/// The member of a checkpoint's metadata that has it.
inline constexpr const char* kCheckpointChecksum = "rnn_checkpoint_sha256";

/// Over names, shapes and values of the tensors and over all other metadata.
std::string checkpoint_checksum(std::span<const TensorGroup> groups,
                                std::map<std::string, std::string> metadata);
inline std::string checkpoint_checksum(const TensorList& tensors,
                                       std::map<std::string, std::string> metadata) {
  const TensorGroup all[] = {{"", tensors}};
  return checkpoint_checksum(all, std::move(metadata));
}

}  // namespace rnn
