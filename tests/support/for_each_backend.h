// Runs a test body on every backend of floats that this build has.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "rnn/backend.h"

namespace rnn::test {

/// The names make_backend() knows: the one list that a new backend is added to.
inline std::vector<std::string> float_backends() { return {"reference", "native"}; }

template <class Body>
void for_each_backend(Body&& body) {
  for (const std::string& name : float_backends()) {
    SCOPED_TRACE("backend " + name);
    const std::shared_ptr<const Backend> backend = make_backend({.name = name});
    body(*backend);
  }
}

}  // namespace rnn::test
