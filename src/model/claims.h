// What a model says about itself, each with the place where it says so.
//
// A claim is never evidence. It is held against what the weights show.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pedigree {

struct Claim {
  enum class Kind {
    base_model,           // names a parent
    base_model_relation,  // finetune, adapter, merge, quantized
    merge_recipe,         // a parent inside a mergekit recipe
    license,
    name,          // what the model calls itself
    quantization,  // a declared quantiser
    architecture,  // declared class or model_type
    tag,
    other
  };
  Kind kind = Kind::other;
  std::string key = {};    // "base_model", "_name_or_path", "models[0].model"
  std::string value = {};  // as written
  std::string file = {};   // relative path
  unsigned line = 0;       // 1-based; 0 when the place has no lines (a binary header)
  std::optional<std::uint64_t> offset = {};  // byte offset in such a header

  bool operator==(const Claim&) const = default;
};

std::string_view claim_kind_name(Claim::Kind kind);

}  // namespace pedigree
