// The safetensors format: eight bytes with the header's length, little-endian; a JSON header with
// dtype, shape and data_offsets of every tensor; the numbers, without holes or overlaps. Whole
// numbers: see model_file.h.
#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <set>
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
constexpr std::uint64_t kHeaderLimit = 100'000'000;  // the format's own

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

Entry parse_entry(const std::string& name, const Json& info, const std::string& path) {
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

Tensor floats_of(const Entry& entry, std::string_view data) {
  Tensor tensor(entry.shape);
  // An empty tensor has no memory to copy to.
  if (!tensor.empty()) {
    std::memcpy(tensor.data(), data.data() + entry.begin, entry.end - entry.begin);
  }
  return tensor;
}

/// The entry with the scales of whole numbers, or null.
const Entry* scales_of(const Entry& entry, const std::vector<Entry>& entries) {
  for (const Entry& other : entries) {
    if (other.name == entry.name + kScale && !other.whole) return &other;
  }
  return nullptr;
}

Tensor product_of(const Entry& entry, const std::vector<Entry>& entries, std::string_view data,
                  const std::string& path) {
  const Entry* scales = scales_of(entry, entries);
  const Shape& shape = entry.shape;
  const Index columns = shape.rank() < 2 ? 0 : shape[shape.rank() - 1];
  const Index rows = columns == 0 ? 0 : shape.size() / columns;
  if (!scales || columns == 0 ||
      (scales->shape != Shape{1, columns} && scales->shape != Shape{rows, 1})) {
    throw FormatError(path + ": tensor '" + entry.name + "' has whole numbers " +
                      shape.to_string() + ", so '" + entry.name + kScale +
                      "' must be there with one scale for each column or row");
  }
  return dequantize(shape, reinterpret_cast<const std::int8_t*>(data.data() + entry.begin),
                    floats_of(*scales, data));
}

}  // namespace

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

  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const Stored& entry : list) {
    Json shape = Json::array();
    for (int axis = 0; axis < entry.shape.rank(); ++axis) shape.push_back(entry.shape[axis]);
    if (header.contains(entry.name)) {
      throw ConfigError(path + ": two tensors are named '" + entry.name + "'");
    }
    const std::uint64_t end = offset + entry.bytes.size();
    header[entry.name] = {
        {"dtype", entry.dtype}, {"shape", shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');  // align the data
  const std::uint64_t length = text.size();

  AtomicFile file(path);
  file.write({reinterpret_cast<const char*>(&length), kLengthBytes});
  file.write(text);
  for (const Stored& entry : list) file.write(entry.bytes);
  file.commit(keep_old_as);
}

SafetensorsContents load_safetensors(const std::string& path) {
  const std::string contents = read_file(path);
  std::uint64_t length = 0;
  if (contents.size() < kLengthBytes) throw FormatError(path + ": truncated before its header");
  std::memcpy(&length, contents.data(), kLengthBytes);
  if (length > kHeaderLimit || length > contents.size() - kLengthBytes) {
    throw FormatError(path + ": truncated or damaged: the header claims " + std::to_string(length) +
                      " bytes, the file has " + std::to_string(contents.size()));
  }
  const std::string_view data = std::string_view(contents).substr(kLengthBytes + length);
  const Json header = parse_json(std::string_view(contents).substr(kLengthBytes, length), path);
  if (!header.is_object()) throw FormatError(path + ": the header must be an object");

  SafetensorsContents result;
  std::vector<Entry> entries;
  for (const auto& item : header.items()) {
    if (item.key() == "__metadata__") {
      result.metadata = member<std::map<std::string, std::string>>(header, "__metadata__", path);
    } else {
      entries.push_back(parse_entry(item.key(), item.value(), path));
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
  if (expected != data.size()) {
    throw FormatError(path + ": tensors need " + std::to_string(expected) +
                      " bytes of data, the file has " + std::to_string(data.size()));
  }
  std::set<std::string> scales;
  for (const Entry& entry : entries) {
    if (entry.whole) scales.insert(entry.name + kScale);
  }
  for (const Entry& entry : entries) {
    if (scales.contains(entry.name)) continue;
    result.tensors.add(
        entry.name, entry.whole ? product_of(entry, entries, data, path) : floats_of(entry, data));
  }
  return result;
}

namespace {

/// Throws FormatError unless `from` has tensors of these names and shapes and no others.
void require_tensors(const std::vector<std::pair<std::string, Shape>>& wanted,
                     const TensorList& from, const std::string& where) {
  for (const NamedTensor& entry : from) {
    if (std::none_of(wanted.begin(), wanted.end(),
                     [&](const auto& part) { return part.first == entry.name; })) {
      throw FormatError(where + ": tensor '" + entry.name + "' is not part of this network");
    }
  }
  for (const auto& [name, shape] : wanted) {
    const std::size_t i = from.find(name);
    if (i == from.size()) throw FormatError(where + ": tensor '" + name + "' is missing");
    if (from[i].shape() != shape) {
      throw FormatError(where + ": tensor '" + name + "' has shape " + from[i].shape().to_string() +
                        ", the network needs " + shape.to_string());
    }
  }
}

}  // namespace

Parameters parameters_from(const Network& network, const TensorList& tensors,
                           const Backend& backend, std::string_view where) {
  std::vector<std::pair<std::string, Shape>> wanted;
  for (const ParameterSpec& spec : network.parameter_specs()) {
    wanted.emplace_back(spec.name, spec.shape);
  }
  require_tensors(wanted, tensors, std::string(where));
  Parameters parameters = network.zero_parameters(backend);
  for (NamedTensor& entry : parameters) entry.tensor = tensors.at(entry.name);
  if (backend.precision() == Precision::kInt8) round_to_int8(parameters);
  parameters.changed();
  return parameters;
}

void assign_tensors(TensorList& to, const TensorList& from, std::string_view where) {
  std::vector<std::pair<std::string, Shape>> wanted;
  for (const NamedTensor& entry : to) wanted.emplace_back(entry.name, entry.tensor.shape());
  require_tensors(wanted, from, std::string(where));
  // All fits: only now is anything changed.
  for (NamedTensor& entry : to) entry.tensor = from.at(entry.name);
}

}  // namespace rnn
