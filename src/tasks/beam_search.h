// The likeliest continuation of a text, as far as a beam finds it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "rnn/session.h"
#include "rnn/tasks/language_model.h"
#include "tasks/text_writer.h"

namespace rnn {

/// Goes on from a state that is about to read `last`, by at most `options.length` units. Of all
/// continuations by one unit, the `options.beam` likeliest are kept each time; equals by their
/// place in the beam, then by id. Temperature and the cuts do not apply, the repetition penalty
/// does (`seen` tells what the text has already). A beam of 1 takes the likeliest unit each time.
///
/// A hypothesis whose text reaches one of `options.stop` is finished and keeps its score; the
/// search ends when no other can become likelier than the likeliest of those. `written` has the
/// text so far, of which a stop may not be a part, and is copied for each hypothesis.
std::vector<std::int32_t> beam_search(Inference& inference, const State& state, std::int32_t last,
                                      const std::vector<char>& seen, const Vocabulary& vocabulary,
                                      const TextWriter& written, std::int32_t banned,
                                      const GenerateOptions& options);

}  // namespace rnn
