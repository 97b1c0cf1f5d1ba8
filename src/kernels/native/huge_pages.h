// Memory in huge pages, where the system gives them to those who ask.
#pragma once

#include <memory_resource>

namespace rnn::native {

/// As new and delete, but for what is large the system is asked for huge pages: a product walks
/// through many rows at once, each on a page of its own. (An LSTM of H 512, B 64: 1 to 4 % of the
/// time, in a virtual machine, where a page that is not known costs most.) Whole huge pages of a
/// tensor are asked for, and its end is not; a system that gives them to all may give one there.
/// Never destroyed: tensors may be the last to go.
std::pmr::memory_resource* huge_pages();

}  // namespace rnn::native
