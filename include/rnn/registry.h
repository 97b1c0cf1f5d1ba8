// Types of a program's own in model files.
//
//   rnn::register_layer<Recurrent<MyCell>, RecurrentOptions<MyCell>>("MyCell");
//
// Networks with layers of that type can then be written to a file and read again by any program
// that registered the same name. A network with a type that nobody registered is refused when it
// is written, because the file could not be read.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "rnn/joint_layer.h"
#include "rnn/output_head.h"

namespace rnn {

/// Makes a layer from the options in a file.
template <class Base>
using Maker = std::function<std::shared_ptr<const Base>(Fields& options)>;

/// `type` is what Layer::type says. Throws ConfigError when the name is taken. All may be called
/// from several threads.
RNN_API void register_layer(std::string type, Maker<Layer> maker);
RNN_API void register_joint_layer(std::string type, Maker<JointLayer> maker);
RNN_API void register_output_head(std::string type, Maker<OutputHead> maker);

/// A maker for a type that is constructed from an options struct with `exchange`.
template <class Base, class Made, class Options>
Maker<Base> maker_of() {
  return [](Fields& fields) -> std::shared_ptr<const Base> {
    Options options;
    options.exchange(fields);
    return std::make_shared<const Made>(options);
  };
}
template <class Made, class Options>
void register_layer(std::string type) {
  register_layer(std::move(type), maker_of<Layer, Made, Options>());
}
template <class Made, class Options>
void register_output_head(std::string type) {
  register_output_head(std::move(type), maker_of<OutputHead, Made, Options>());
}

/// Whether a file may name that type.
RNN_API bool knows_layer(std::string_view type);
RNN_API bool knows_joint_layer(std::string_view type);
RNN_API bool knows_output_head(std::string_view type);

}  // namespace rnn
