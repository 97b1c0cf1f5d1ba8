// Locales of the C library for tests, compiled into a folder of their own: whether the machine has
// them does not matter.
#pragma once

#include <gtest/gtest.h>

#include <clocale>
#include <cstdlib>
#include <string>

#include "text/text_files.h"

namespace rnn::test {

/// A folder for LOCPATH with German (decimal comma) and Turkish (dotless i).
inline const std::string& locale_folder() {
  static const TextFiles files;
  static const std::string folder = [] {
    for (const char* name : {"de_DE", "tr_TR"}) {
      const std::string command = "localedef --no-archive -i " + std::string(name) + " -f UTF-8 " +
                                  files.path(name) + ".UTF-8";
      EXPECT_EQ(std::system(command.c_str()), 0) << "needs the package locales";
    }
    const std::string path = files.directory().string();
    // They do take effect where a program asks for them.
    setenv("LOCPATH", path.c_str(), 1);
    EXPECT_NE(std::setlocale(LC_ALL, "de_DE.UTF-8"), nullptr);
    EXPECT_EQ(std::localeconv()->decimal_point[0], ',');
    EXPECT_NE(std::setlocale(LC_ALL, "tr_TR.UTF-8"), nullptr);
    std::setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
    return path;
  }();
  return folder;
}

}  // namespace rnn::test
