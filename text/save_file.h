// Writing a small file so that it is there whole or not at all.
#pragma once

#include <string>
#include <string_view>

namespace rnn {

/// Writes under a temporary name beside `path`, flushes to the disk, then renames. IoError.
void save_file(const std::string& path, std::string_view bytes);

}  // namespace rnn
