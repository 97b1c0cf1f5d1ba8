// Text as gzip packs it.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <string_view>

#include "text/text_files.h"

namespace rnn {

inline std::string packed(std::string_view text) {
  const TextFiles files;
  const std::string path = files.path("packed");
  const gzFile file = gzopen(path.c_str(), "wb");
  EXPECT_EQ(gzwrite(file, text.data(), static_cast<unsigned>(text.size())),
            static_cast<int>(text.size()));
  EXPECT_EQ(gzclose(file), Z_OK);
  return TextFiles::read(path);
}

}  // namespace rnn
