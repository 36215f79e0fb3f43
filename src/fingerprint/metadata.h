// The parts of a fingerprint that are text and not arrays, to and from the
// container's JSON. Readers throw Malformed (fingerprint-malformed).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "fingerprint/canonical_json.h"
#include "fingerprint/container.h"
#include "fingerprint/fingerprint.h"

namespace pedigree {

// At most `most` bytes of valid UTF-8, whole characters only.
std::string json_text(std::string_view text, std::size_t most = container::longest_text);

void write_strings(CanonicalJson& json, const std::vector<std::string>& texts);
void write_architecture(CanonicalJson& json, const Architecture& it);
void write_claims(CanonicalJson& json, const std::vector<Claim>& claims);
void write_digests(CanonicalJson& json, const ModelDigests& digests);
void write_tokenizer(CanonicalJson& json, const TokenizerSketch& sketch);
void write_tokens(CanonicalJson& json, const Fingerprint& fingerprint);

// Strict access to one object's members: what is absent or of another kind is
// malformed.
class Fields {
 public:
  explicit Fields(const JsonValue& object);

  bool has(std::string_view key) const { return object_.find(key) != nullptr; }
  const JsonValue& at(std::string_view key) const;
  const std::vector<JsonValue>& items(std::string_view key) const;
  std::string text(std::string_view key) const;
  std::uint64_t number(std::string_view key, std::uint64_t most = UINT64_MAX) const;
  std::int64_t signed_number(std::string_view key, std::int64_t least, std::int64_t most) const;
  int layer(std::string_view key) const;  // -1 or an index
  std::string role() const;               // "ffn.gate": no role can imitate another array's name
  double real(std::string_view key) const;
  bool truth(std::string_view key) const;

 private:
  const JsonValue& object_;
};

[[noreturn]] void malformed_fingerprint(std::string_view what);
std::uint64_t read_index(const JsonValue& value);

std::vector<std::string> read_strings(const std::vector<JsonValue>& items);
Architecture read_architecture(const JsonValue& value);
std::vector<Claim> read_claims(const std::vector<JsonValue>& items);
ModelDigests read_digests(const JsonValue& value);
TokenizerSketch read_tokenizer(const JsonValue& value);
void read_tokens(const JsonValue& value, Fingerprint& fingerprint);

}  // namespace pedigree
