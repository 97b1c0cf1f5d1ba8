// Networks and tensors as files: JSON for the network, safetensors for the numbers.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "rnn/network.h"
#include "rnn/parameters.h"
#include "rnn/precision.h"

namespace rnn {

/// The network with every option of every layer, for a person and for `network_from_json`:
///   {"input_features": 0, "layers": [{"type": "Embedding", ...}, ...], "head": {...}}
/// A chain needs no more. What branches names its inputs, layers and edges; a layer without `from`
/// takes from the one before it, and one with `shares` uses the parameters of another:
///   {"inputs": [{"name": "words", "symbols": 100}, {"name": "letters", "symbols": 30,
///               "aligned": false}, {"name": "spelling", "rows": true}],
///    "layers": [{"name": "embedding", "from": ["words"], "type": "Embedding", ...}, ...],
///    "outputs": [{"name": "crf", "from": "bidirectional", "weight": 1, "type": "CRF", ...}]}
/// An output without `type` gives features as they are. Throws ConfigError, naming the layer, for a
/// type that is neither the library's nor registered, for more than 4096 layers, and for states of
/// more than 2^24 numbers a sequence.
RNN_API std::string network_to_json(const Network& network);
/// Throws FormatError or ConfigError, naming `where` and the layer.
RNN_API Network network_from_json(std::string_view json, std::string_view where = "network");

/// Limits of a file of tensors, which whoever writes and whoever reads one keeps to. The numbers
/// may take as much as memory holds.
inline constexpr std::size_t kMostTensors = std::size_t{1}
                                            << 17;          ///< scales count, metadata as one
inline constexpr std::size_t kLargestHeader = 100'000'000;  ///< bytes, the format's own limit

/// Writes tensors in the safetensors format (huggingface/safetensors), under a temporary name that
/// is flushed and renamed. As float32; or as kInt8: "lstm/kernel" then has dtype I8, [R,C], and
/// beside it stands "lstm/kernel.scale", float32, [1,C] or for tables of embeddings [R,1], so that
/// the weight is the product of the two; biases and whatever else is no matrix of products stay
/// float32. A file that is there is first renamed to `keep_old_as`, unless that is empty. Throws
/// IoError; or ConfigError, before anything is written, when two have the same name, one is named
/// "__metadata__", a limit is exceeded or a name is not UTF-8, and for kBf16.
RNN_API void save_safetensors(const std::string& path, const TensorList& tensors,
                              const std::map<std::string, std::string>& metadata = {},
                              Precision precision = Precision::kFp32,
                              const std::string& keep_old_as = "");

/// Tensors whose names have `prefix` before them in a file. Borrowed.
struct TensorGroup {
  std::string prefix;
  const TensorList& tensors;
};
/// The same for several lists in one file, as float32; none is copied.
RNN_API void save_safetensors(const std::string& path, std::span<const TensorGroup> groups,
                              const std::map<std::string, std::string>& metadata = {},
                              const std::string& keep_old_as = "");

struct SafetensorsContents {
  TensorList tensors;
  std::map<std::string, std::string> metadata;
};
/// Reads what save_safetensors writes: of whole numbers and their scales the products. Throws
/// IoError, also for what is no regular file, or FormatError for anything that is not a whole,
/// well-formed file of such tensors within the limits. Sizes are checked against the file before
/// memory is taken, which is that of the tensors and of the header.
RNN_API SafetensorsContents load_safetensors(const std::string& path);

/// The parameters of a network out of a file's tensors, which must be these and no others. For a
/// backend in int8 they are rounded as a file of kInt8 rounds them, so that both compute the same
/// bits. Throws
/// FormatError, naming `where` and the tensor, before memory is taken that the file does not fill.
RNN_API Parameters parameters_from(const Network& network, const TensorList& tensors,
                                   const Backend& backend, std::string_view where);

/// Copies loaded tensors into those of the same name. Throws FormatError, naming `where` and the
/// tensor, unless names and shapes are the same on both sides; `to` is then as it was.
RNN_API void assign_tensors(TensorList& to, const TensorList& from, std::string_view where);

}  // namespace rnn
