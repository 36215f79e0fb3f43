#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/digest.h"
#include "base/text.h"
#include "fingerprint/metadata.h"

namespace pedigree {
namespace {

constexpr std::int64_t most_layers = 1 << 24;

// "<scheme>:sha256:<64 hex>", or nothing when the member is absent.
std::string read_digest(const Fields& fields, std::string_view key) {
  constexpr std::string_view mark = ":sha256:";
  if (!fields.has(key)) return {};
  std::string text = fields.text(key);
  if (text.empty()) return text;
  const auto at = text.find(mark);
  const bool whole = at != std::string::npos && at > 0 &&
                     sha256_from_hex(std::string_view(text).substr(at + mark.size())).has_value();
  if (!whole) malformed_fingerprint(std::string(key) + " is not a digest");
  return text;
}

std::uint64_t read_hash(const JsonValue& value) {
  const auto text = value.as_string();
  const auto hash =
      text && text->size() == 16 ? whole_number<std::uint64_t>(*text, 16) : std::nullopt;
  if (!hash) malformed_fingerprint("a hash is not sixteen hex digits");
  return *hash;
}

Claim::Kind claim_kind(std::string_view name) {
  for (auto number = static_cast<int>(Claim::Kind::base_model);
       number <= static_cast<int>(Claim::Kind::other); ++number) {
    const auto kind = static_cast<Claim::Kind>(number);
    if (claim_kind_name(kind) == name) return kind;
  }
  return Claim::Kind::other;
}

TensorDigest read_tensor_digest(const JsonValue& value) {
  const Fields fields(value);
  TensorDigest tensor = {.name = fields.text("name"),
                         .role = fields.text("role"),
                         .layer = fields.layer("layer"),
                         .expert = fields.layer("expert"),
                         .h1 = read_digest(fields, "h1"),
                         .h2 = read_digest(fields, "h2"),
                         .h3 = read_digest(fields, "h3"),
                         .informative = fields.truth("informative"),
                         .elements = fields.number("elements"),
                         .fused = fields.truth("fused")};
  for (const JsonValue& size : fields.items("shape")) tensor.shape.push_back(read_index(size));
  return tensor;
}

FileDigest read_file_digest(const JsonValue& value) {
  const Fields fields(value);
  FileDigest file = {
      .path = fields.text("path"), .size = fields.number("size"), .sha256 = fields.text("sha256")};
  if (!sha256_from_hex(file.sha256)) malformed_fingerprint("sha256 is not a digest");
  return file;
}

}  // namespace

void malformed_fingerprint(std::string_view what) {
  malformed("fingerprint-malformed", std::string(what));
}

Fields::Fields(const JsonValue& object) : object_(object) {
  if (object.kind != JsonValue::Kind::object) malformed_fingerprint("an object is missing");
}

const JsonValue& Fields::at(std::string_view key) const {
  const JsonValue* const value = object_.find(key);
  if (value == nullptr) malformed_fingerprint("the field " + std::string(key) + " is missing");
  return *value;
}

const std::vector<JsonValue>& Fields::items(std::string_view key) const {
  const JsonValue& value = at(key);
  if (value.kind != JsonValue::Kind::array) {
    malformed_fingerprint("the field " + std::string(key) + " is not a list");
  }
  return value.items;
}

std::string Fields::text(std::string_view key) const {
  const auto text = at(key).as_string();
  if (!text) malformed_fingerprint("the field " + std::string(key) + " is not a text");
  return std::string(*text);
}

std::uint64_t Fields::number(std::string_view key, std::uint64_t most) const {
  const std::uint64_t number = read_index(at(key));
  if (number > most) malformed_fingerprint("the field " + std::string(key) + " is too large");
  return number;
}

std::int64_t Fields::signed_number(std::string_view key, std::int64_t least,
                                   std::int64_t most) const {
  const JsonValue& value = at(key);
  std::int64_t number = value.integer;
  if (value.kind != JsonValue::Kind::integer) {
    number = static_cast<std::int64_t>(std::min<std::uint64_t>(read_index(value), INT64_MAX));
  }
  if (number < least || number > most) {
    malformed_fingerprint("the field " + std::string(key) + " is out of range");
  }
  return number;
}

int Fields::layer(std::string_view key) const {
  return static_cast<int>(signed_number(key, -1, most_layers));
}

std::string Fields::role() const {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz_.";
  std::string role = text("role");
  const std::string_view last = std::string_view(role).substr(role.rfind('.') + 1);
  if (role.empty() || role.size() > container::longest_text || last.empty() ||
      role.find_first_not_of(allowed) != std::string::npos || last == "low" || last == "steps" ||
      last == "exponents") {
    malformed_fingerprint("a role is not a word");
  }
  return role;
}

double Fields::real(std::string_view key) const {
  const auto number = at(key).as_number();
  if (!number || !std::isfinite(*number)) {
    malformed_fingerprint("the field " + std::string(key) + " is not a number");
  }
  return *number;
}

bool Fields::truth(std::string_view key) const {
  const auto truth = at(key).as_bool();
  if (!truth) malformed_fingerprint("the field " + std::string(key) + " is neither true nor false");
  return *truth;
}

std::uint64_t read_index(const JsonValue& value) {
  if (value.kind != JsonValue::Kind::unsigned_integer && value.kind != JsonValue::Kind::integer) {
    malformed_fingerprint("a whole number is missing");
  }
  const auto number = value.as_u64();
  if (!number) malformed_fingerprint("a number is negative");
  return *number;
}

std::vector<std::string> read_strings(const std::vector<JsonValue>& items) {
  std::vector<std::string> texts;
  texts.reserve(items.size());
  for (const JsonValue& item : items) {
    const auto text = item.as_string();
    if (!text) malformed_fingerprint("a list of texts holds something else");
    texts.emplace_back(*text);
  }
  return texts;
}

Architecture read_architecture(const JsonValue& value) {
  const Fields fields(value);
  Architecture it;
  it.family = fields.text("family");
  it.family_title = fields.text("family_title");
  it.structure = fields.text("structure");
  it.explained = fields.real("explained");
  it.runner_up = fields.text("runner_up");
  it.norm = fields.text("norm");
  it.activation = fields.text("activation");
  it.positions = fields.text("positions");
  it.gated_mlp = fields.truth("gated_mlp");
  it.norm_plus_one = fields.truth("norm_plus_one");
  it.tied_embeddings = fields.truth("tied_embeddings");
  it.attention_bias = fields.truth("attention_bias");
  it.layers = fields.number("layers");
  it.hidden = fields.number("hidden");
  it.heads = fields.number("heads");
  it.kv_heads = fields.number("kv_heads");
  it.head_dim = fields.number("head_dim");
  it.ffn = fields.number("ffn");
  it.vocab = fields.number("vocab");
  it.experts = fields.number("experts");
  it.layer_template = fields.text("layer_template");
  it.roles_from = fields.text("roles_from");
  it.ambiguous = read_strings(fields.items("ambiguous"));
  it.wrappers = read_strings(fields.items("wrappers"));
  if (fields.has("rope_theta")) it.rope_theta = fields.real("rope_theta");
  if (fields.has("norm_eps")) it.norm_eps = fields.real("norm_eps");
  if (fields.has("experts_used")) it.experts_used = fields.number("experts_used");
  if (fields.has("window")) it.window = fields.number("window");
  if (fields.has("rope_scaling")) it.rope_scaling = fields.text("rope_scaling");
  if (fields.has("rotary_share")) it.rotary_share = fields.real("rotary_share");
  if (fields.has("parallel_residual")) it.parallel_residual = fields.truth("parallel_residual");
  if (fields.has("context")) it.context = fields.number("context");
  for (const JsonValue& rename : fields.items("renames")) {
    auto pair = read_strings(rename.items);
    if (pair.size() != 2) malformed_fingerprint("a rename is not a pair of names");
    it.renames.emplace_back(std::move(pair[0]), std::move(pair[1]));
  }
  return it;
}

std::vector<Claim> read_claims(const std::vector<JsonValue>& items) {
  std::vector<Claim> claims;
  claims.reserve(items.size());
  for (const JsonValue& item : items) {
    const Fields fields(item);
    claims.push_back({.kind = claim_kind(fields.text("kind")),
                      .key = fields.text("key"),
                      .value = fields.text("value"),
                      .file = fields.text("file"),
                      .line = static_cast<unsigned>(fields.number("line", UINT32_MAX))});
  }
  return claims;
}

ModelDigests read_digests(const JsonValue& value) {
  const Fields fields(value);
  ModelDigests digests;
  for (const JsonValue& file : fields.items("files")) {
    digests.files.push_back(read_file_digest(file));
  }
  for (const JsonValue& tensor : fields.items("tensors")) {
    digests.tensors.push_back(read_tensor_digest(tensor));
  }
  digests.named = read_digest(fields, "named");
  digests.bag = read_digest(fields, "bag");
  return digests;
}

TokenizerSketch read_tokenizer(const JsonValue& value) {
  const Fields fields(value);
  TokenizerSketch sketch = {.kind = fields.text("kind"),
                            .tokens = fields.number("tokens"),
                            .vocabulary_digest = fields.text("vocabulary_digest"),
                            .merges_digest = fields.text("merges_digest")};
  for (const JsonValue& hash : fields.items("smallest")) {
    sketch.smallest.push_back(read_hash(hash));
  }
  for (const JsonValue& id : fields.items("smallest_ids")) {
    sketch.smallest_ids.push_back(read_index(id));
  }
  if (sketch.smallest.size() != sketch.smallest_ids.size() ||
      !std::ranges::is_sorted(sketch.smallest, std::ranges::less_equal{})) {
    malformed_fingerprint("the tokenizer's sketch is not in order");
  }
  return sketch;
}

void read_tokens(const JsonValue& value, Fingerprint& fingerprint) {
  const Fields fields(value);
  fingerprint.tokens_by_row = fields.truth("by_row");
  const auto& hashes = fields.items("hashes");
  const auto& rows = fields.items("rows");
  if (hashes.size() != rows.size()) malformed_fingerprint("tokens have rows without hashes");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    fingerprint.tokens.push_back({.row = read_index(rows[i]), .hash = read_hash(hashes[i])});
  }
}

}  // namespace pedigree
