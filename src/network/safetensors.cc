// The safetensors format: eight bytes with the header's length, little-endian; a JSON header with
// dtype, shape and data_offsets of every tensor; the numbers, without holes or overlaps. Whole
// numbers: see model_file.h.
#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <new>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "network/quantization.h"
#include "rnn/error.h"
#include "rnn/model_file.h"

namespace rnn {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

constexpr std::size_t kLengthBytes = 8;
constexpr const char* kMetadata = "__metadata__";
constexpr const char* kFloats = "F32";
constexpr const char* kBytes = "I8";
constexpr const char* kScale = ".scale";

/// A tensor to be written.
struct Stored {
  std::string name;
  const char* dtype;
  Shape shape;
  std::string_view bytes;
};

Stored stored(const std::string& name, const Tensor& tensor) {
  return {name,
          kFloats,
          tensor.shape(),
          {reinterpret_cast<const char*>(tensor.data()),
           static_cast<std::size_t>(tensor.size()) * sizeof(float)}};
}

struct Entry {
  std::string name;
  bool whole = false;  // whole numbers
  Shape shape;
  std::uint64_t begin = 0, end = 0;
};

Entry parse_entry(const std::string& name, const nlohmann::json& info, const std::string& path) {
  const std::string where = path + ": tensor '" + name + "'";
  if (!info.is_object()) throw FormatError(where + ": expected an object");
  const auto dtype = member<std::string>(info, "dtype", where);
  if (dtype != kFloats && dtype != kBytes) {
    throw FormatError(where + ": only dtypes F32 and I8 are read, got " + info["dtype"].dump());
  }
  const std::uint64_t size = dtype == kFloats ? sizeof(float) : 1;
  const auto extents = member<std::vector<std::int64_t>>(info, "shape", where);
  const auto offsets = member<std::vector<std::uint64_t>>(info, "data_offsets", where);
  if (offsets.size() != 2) throw FormatError(where + ": data_offsets must be two numbers");
  // Each extent has the limit too: beside one that is 0, no other is limited by the file's size.
  constexpr std::uint64_t kMost = std::uint64_t{1} << 40;
  std::uint64_t elements = 1;
  for (std::int64_t signed_extent : extents) {
    const auto extent = static_cast<std::uint64_t>(signed_extent);  // below 0: beyond the limit
    if (extent > kMost || (extent > 0 && elements > kMost / extent)) {
      throw FormatError(where + ": impossible shape");
    }
    elements *= extent;
  }
  Shape shape;
  switch (extents.size()) {
    case 0:
      break;
    case 1:
      shape = {extents[0]};
      break;
    case 2:
      shape = {extents[0], extents[1]};
      break;
    case 3:
      shape = {extents[0], extents[1], extents[2]};
      break;
    case 4:
      shape = {extents[0], extents[1], extents[2], extents[3]};
      break;
    default:
      throw FormatError(where + ": at most 4 axes are read, got " + std::to_string(extents.size()));
  }
  if (offsets[1] < offsets[0] || offsets[1] - offsets[0] != elements * size) {
    throw FormatError(where + ": data_offsets do not fit its shape " + shape.to_string());
  }
  return {name, dtype == kBytes, shape, offsets[0], offsets[1]};
}

/// The file behind its header.
struct Data {
  const RegularFile& file;
  std::uint64_t begin;

  void read(const Entry& entry, void* to) const {
    file.read(begin + entry.begin, {static_cast<char*>(to), entry.end - entry.begin});
  }
};

Tensor floats_of(const Entry& entry, const Data& data) {
  Tensor tensor(entry.shape);
  data.read(entry, tensor.data());
  return tensor;
}

/// `scales`: the entry with the scales of the whole numbers, or null.
Tensor product_of(const Entry& entry, const Entry* scales, const Data& data) {
  const Shape& shape = entry.shape;
  const Index columns = shape.rank() < 2 ? 0 : shape[shape.rank() - 1];
  const Index rows = columns == 0 ? 0 : shape.size() / columns;
  if (!scales || columns == 0 ||
      (scales->shape != Shape{1, columns} && scales->shape != Shape{rows, 1})) {
    throw FormatError(data.file.path() + ": tensor '" + entry.name + "' has whole numbers " +
                      shape.to_string() + ", so '" + entry.name + kScale +
                      "' must be there with one scale for each column or row");
  }
  std::vector<std::int8_t> values(entry.end - entry.begin);
  data.read(entry, values.data());
  return dequantize(shape, values.data(), floats_of(*scales, data));
}

/// Throws ConfigError for what load_safetensors would not read.
std::string header_text(const std::string& path, const std::vector<Stored>& list,
                        const std::map<std::string, std::string>& metadata) {
  const auto most = [&](std::size_t count, const char* what) {
    if (count <= kMostTensors) return;
    throw ConfigError(path + ": a file holds at most " + std::to_string(kMostTensors) + " " + what +
                      ", given " + std::to_string(count) + "; divide them among several");
  };
  most(metadata.size(), "notes");
  most(list.size() + !metadata.empty(), "tensors, scales and notes");
  std::string text = "{";
  std::set<std::string_view> names{kMetadata};
  try {
    if (!metadata.empty()) text += Json(kMetadata).dump() + ":" + Json(metadata).dump() + ",";
    std::uint64_t offset = 0;
    for (const Stored& entry : list) {
      if (!names.insert(entry.name).second) {
        throw ConfigError(path + ": two tensors are named '" + entry.name + "'");
      }
      Json shape = Json::array();
      for (int axis = 0; axis < entry.shape.rank(); ++axis) shape.push_back(entry.shape[axis]);
      const std::uint64_t end = offset + entry.bytes.size();
      const Json info{{"dtype", entry.dtype}, {"shape", shape}, {"data_offsets", {offset, end}}};
      text += Json(entry.name).dump() + ":" + info.dump() + ",";
      offset = end;
    }
  } catch (const nlohmann::json::exception& error) {  // no UTF-8
    throw ConfigError(path + ": a name or note cannot be written: " + error.what());
  }
  if (text.back() == ',') text.pop_back();
  text += '}';
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');  // align the data
  if (text.size() > kLargestHeader) {
    throw ConfigError(path + ": names, shapes and notes take " + std::to_string(text.size()) +
                      " bytes, a file of tensors has room for " + std::to_string(kLargestHeader));
  }
  return text;
}

void write_stored(const std::string& path, const std::vector<Stored>& list,
                  const std::map<std::string, std::string>& metadata,
                  const std::string& keep_old_as) {
  const std::string text = header_text(path, list, metadata);
  const std::uint64_t length = text.size();
  AtomicFile file(path);
  file.write({reinterpret_cast<const char*>(&length), kLengthBytes});
  file.write(text);
  for (const Stored& entry : list) file.write(entry.bytes);
  file.commit(keep_old_as);
}

}  // namespace

void save_safetensors(const std::string& path, std::span<const TensorGroup> groups,
                      const std::map<std::string, std::string>& metadata,
                      const std::string& keep_old_as) {
  std::vector<Stored> list;
  for (const TensorGroup& group : groups) {
    for (const NamedTensor& entry : group.tensors) {
      list.push_back(stored(group.prefix + entry.name, entry.tensor));
    }
  }
  write_stored(path, list, metadata, keep_old_as);
}

void save_safetensors(const std::string& path, const TensorList& tensors,
                      const std::map<std::string, std::string>& metadata, Precision precision,
                      const std::string& keep_old_as) {
  if (precision == Precision::kBf16) throw ConfigError(path + ": weights are kept as fp32 or int8");
  std::vector<QuantizedMatrix> quantized;
  quantized.reserve(tensors.size());  // what is stored points into it
  std::vector<Stored> list;
  for (const NamedTensor& entry : tensors) {
    auto whole = precision == Precision::kInt8 ? quantize(entry) : std::nullopt;
    if (!whole) {
      list.push_back(stored(entry.name, entry.tensor));
      continue;
    }
    quantized.push_back(std::move(*whole));
    const QuantizedMatrix& q = quantized.back();
    list.push_back({entry.name,
                    kBytes,
                    entry.tensor.shape(),
                    {reinterpret_cast<const char*>(q.values.data()), q.values.size()}});
    list.push_back(stored(entry.name + kScale, q.scales));
  }
  // Larger numbers first, so that all are aligned.
  std::stable_partition(list.begin(), list.end(),
                        [](const Stored& s) { return std::string_view(s.dtype) == kFloats; });
  write_stored(path, list, metadata, keep_old_as);
}

SafetensorsContents load_safetensors(const std::string& path) {
  const RegularFile file(path);
  std::uint64_t length = 0;
  if (file.size() < kLengthBytes) throw FormatError(path + ": truncated before its header");
  file.read(0, {reinterpret_cast<char*>(&length), kLengthBytes});
  if (length > kLargestHeader || length > file.size() - kLengthBytes) {
    throw FormatError(path + ": truncated or damaged: the header claims " + std::to_string(length) +
                      " bytes, the file has " + std::to_string(file.size()));
  }
  std::string text(length, '\0');
  file.read(kLengthBytes, text);
  const Data data{file, kLengthBytes + length};
  const std::uint64_t data_size = file.size() - data.begin;
  const LargeObject header = parse_large_object(text, path + ": header", kMostTensors);

  SafetensorsContents result;
  std::vector<Entry> entries;
  for (const std::string& name : header.names) {
    if (name == kMetadata) {
      result.metadata = member<std::map<std::string, std::string>>(header.members, kMetadata, path);
    } else {
      entries.push_back(parse_entry(name, header.members.at(name), path));
    }
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.begin < b.begin; });
  std::uint64_t expected = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != expected) {
      throw FormatError(path + ": tensor '" + entry.name + "' leaves a hole or overlaps another");
    }
    expected = entry.end;
  }
  if (expected != data_size) {
    throw FormatError(path + ": tensors need " + std::to_string(expected) +
                      " bytes of data, the file has " + std::to_string(data_size));
  }
  std::map<std::string, const Entry*> scales;  // of whole numbers; null: not there
  for (const Entry& entry : entries) {
    if (entry.whole) scales.emplace(entry.name + kScale, nullptr);
  }
  for (const Entry& entry : entries) {
    if (const auto found = scales.find(entry.name); found != scales.end() && !entry.whole) {
      found->second = &entry;
    }
  }
  try {
    for (const Entry& entry : entries) {
      if (scales.contains(entry.name)) continue;
      result.tensors.add(entry.name, entry.whole
                                         ? product_of(entry, scales.at(entry.name + kScale), data)
                                         : floats_of(entry, data));
    }
  } catch (const std::bad_alloc&) {
    throw_beyond_memory(path, file.size());
  }
  return result;
}

namespace {

using TensorsByName = std::map<std::string_view, const Tensor*>;

/// The tensors of `from`. Throws FormatError unless they are of these names and shapes and no
/// others.
TensorsByName require_tensors(const std::vector<std::pair<std::string, Shape>>& wanted,
                              const TensorList& from, const std::string& where) {
  std::set<std::string_view> names;
  for (const auto& part : wanted) names.insert(part.first);
  TensorsByName given;
  for (const NamedTensor& entry : from) {
    if (!names.contains(entry.name)) {
      throw FormatError(where + ": tensor '" + entry.name + "' is not part of this network");
    }
    given.emplace(entry.name, &entry.tensor);
  }
  for (const auto& [name, shape] : wanted) {
    const auto found = given.find(name);
    if (found == given.end()) throw FormatError(where + ": tensor '" + name + "' is missing");
    if (found->second->shape() != shape) {
      throw FormatError(where + ": tensor '" + name + "' has shape " +
                        found->second->shape().to_string() + ", the network needs " +
                        shape.to_string());
    }
  }
  return given;
}

}  // namespace

Parameters parameters_from(const Network& network, const TensorList& tensors,
                           const Backend& backend, std::string_view where) {
  std::vector<std::pair<std::string, Shape>> wanted;
  for (const ParameterSpec& spec : network.parameter_specs()) {
    wanted.emplace_back(spec.name, spec.shape);
  }
  const TensorsByName given = require_tensors(wanted, tensors, std::string(where));
  Parameters parameters = network.zero_parameters(backend);
  for (NamedTensor& entry : parameters) entry.tensor = *given.at(entry.name);
  if (backend.precision() == Precision::kInt8) round_to_int8(parameters);
  parameters.changed();
  return parameters;
}

void assign_tensors(TensorList& to, const TensorList& from, std::string_view where) {
  std::vector<std::pair<std::string, Shape>> wanted;
  for (const NamedTensor& entry : to) wanted.emplace_back(entry.name, entry.tensor.shape());
  const TensorsByName given = require_tensors(wanted, from, std::string(where));
  // All fits: only now is anything changed.
  for (NamedTensor& entry : to) entry.tensor = *given.at(entry.name);
}

}  // namespace rnn
