#pragma once

#include <string>

#include "rnn/fields.h"

namespace rnn {

/// Shows fields under a prefix: "warmup" becomes "schedule_warmup", and "kind" just "schedule".
class PrefixedFields : public Fields {
 public:
  PrefixedFields(Fields& fields, std::string prefix)
      : fields_(fields), prefix_(std::move(prefix)) {}
  using Fields::operator();
  void operator()(std::string_view name, bool& value) override { fields_(full(name), value); }
  void operator()(std::string_view name, std::int64_t& value) override {
    fields_(full(name), value);
  }
  void operator()(std::string_view name, double& value) override { fields_(full(name), value); }
  void operator()(std::string_view name, std::string& value) override {
    fields_(full(name), value);
  }
  std::string name_for_messages(std::string_view name) const override {
    return fields_.name_for_messages(full(name));
  }

 private:
  std::string full(std::string_view name) const {
    return name == "kind" ? prefix_ : prefix_ + "_" + std::string(name);
  }

  Fields& fields_;
  std::string prefix_;
};

}  // namespace rnn
