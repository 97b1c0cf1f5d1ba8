// The safetensors format: eight bytes with the header's length, little-endian; a JSON header with
// dtype, shape and data_offsets of every tensor; the numbers, without holes or overlaps.
#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "rnn/error.h"
#include "rnn/model_file.h"

namespace rnn {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kHeaderLimit = 100'000'000;  // the format's own

std::string_view bytes_of(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data()),
          static_cast<std::size_t>(tensor.size()) * sizeof(float)};
}

struct Entry {
  std::string name;
  Shape shape;
  std::uint64_t begin = 0, end = 0;
};

Entry parse_entry(const std::string& name, const Json& info, const std::string& path) {
  const std::string where = path + ": tensor '" + name + "'";
  if (!info.is_object()) throw FormatError(where + ": expected an object");
  if (member<std::string>(info, "dtype", where) != "F32") {
    throw FormatError(where + ": only dtype F32 is read, got " + info["dtype"].dump());
  }
  const auto extents = member<std::vector<std::int64_t>>(info, "shape", where);
  const auto offsets = member<std::vector<std::uint64_t>>(info, "data_offsets", where);
  if (offsets.size() != 2) throw FormatError(where + ": data_offsets must be two numbers");
  std::uint64_t elements = 1;
  for (std::int64_t extent : extents) {
    if (extent < 0 || (extent > 0 && elements > (std::uint64_t{1} << 40) / extent)) {
      throw FormatError(where + ": impossible shape");
    }
    elements *= static_cast<std::uint64_t>(extent);
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
  if (offsets[1] < offsets[0] || offsets[1] - offsets[0] != elements * sizeof(float)) {
    throw FormatError(where + ": data_offsets do not fit its shape " + shape.to_string());
  }
  return {name, shape, offsets[0], offsets[1]};
}

}  // namespace

void save_safetensors(const std::string& path, const TensorList& tensors,
                      const std::map<std::string, std::string>& metadata,
                      const std::string& keep_old_as) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const NamedTensor& entry : tensors) {
    Json shape = Json::array();
    for (int axis = 0; axis < entry.tensor.shape().rank(); ++axis) {
      shape.push_back(entry.tensor.extent(axis));
    }
    if (header.contains(entry.name)) {
      throw ConfigError(path + ": two tensors are named '" + entry.name + "'");
    }
    const std::uint64_t end = offset + bytes_of(entry.tensor).size();
    header[entry.name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');  // align the data
  const std::uint64_t length = text.size();

  AtomicFile file(path);
  file.write({reinterpret_cast<const char*>(&length), kLengthBytes});
  file.write(text);
  for (const NamedTensor& entry : tensors) file.write(bytes_of(entry.tensor));
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
  for (const Entry& entry : entries) {
    Tensor tensor(entry.shape);
    // An empty tensor has no memory to copy to.
    if (!tensor.empty()) {
      std::memcpy(tensor.data(), data.data() + entry.begin, entry.end - entry.begin);
    }
    result.tensors.add(entry.name, std::move(tensor));
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
