#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "fingerprint/container.h"
#include "fingerprint/metadata.h"

namespace pedigree {

namespace {

void write_hash(CanonicalJson& json, std::uint64_t hash) {
  json.value(fmt::format("{:016x}", hash));
}

void write_tensor_digest(CanonicalJson& json, const TensorDigest& tensor) {
  json.begin_object();
  json.member("elements", tensor.elements);
  json.member("expert", tensor.expert);
  json.member("fused", tensor.fused);
  if (!tensor.h1.empty()) json.member("h1", tensor.h1);
  if (!tensor.h2.empty()) json.member("h2", tensor.h2);
  if (!tensor.h3.empty()) json.member("h3", tensor.h3);
  json.member("informative", tensor.informative);
  json.member("layer", tensor.layer);
  json.member("name", json_text(tensor.name));
  json.member("role", json_text(tensor.role));
  json.key("shape");
  json.begin_array();
  for (const std::uint64_t size : tensor.shape) json.value(size);
  json.end_array();
  json.end_object();
}

}  // namespace

// Whole characters only.
std::string json_text(std::string_view text, std::size_t most) {
  std::string clean = percent_escaped(text);
  if (clean.size() <= most) return clean;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(clean[end]) & 0xC0U) == 0x80U) --end;
  return clean.substr(0, end);
}

void write_strings(CanonicalJson& json, const std::vector<std::string>& texts) {
  json.begin_array();
  for (const std::string& text : texts) json.value(json_text(text));
  json.end_array();
}

void write_architecture(CanonicalJson& json, const Architecture& it) {
  json.begin_object();
  json.member("activation", json_text(it.activation));
  json.key("ambiguous");
  write_strings(json, it.ambiguous);
  json.member("attention_bias", it.attention_bias);
  if (it.context) json.member("context", *it.context);
  json.member("experts", it.experts);
  if (it.experts_used > 0) json.member("experts_used", it.experts_used);
  json.member("explained", std::isfinite(it.explained) ? it.explained : 0.0);
  json.member("family", json_text(it.family));
  json.member("family_title", json_text(it.family_title));
  json.member("ffn", it.ffn);
  json.member("gated_mlp", it.gated_mlp);
  json.member("head_dim", it.head_dim);
  json.member("heads", it.heads);
  json.member("hidden", it.hidden);
  json.member("kv_heads", it.kv_heads);
  json.member("layer_template", json_text(it.layer_template, container::longest_template));
  json.member("layers", it.layers);
  json.member("norm", json_text(it.norm));
  if (it.norm_eps && std::isfinite(*it.norm_eps)) json.member("norm_eps", *it.norm_eps);
  json.member("norm_plus_one", it.norm_plus_one);
  if (it.parallel_residual) json.member("parallel_residual", *it.parallel_residual);
  json.member("positions", json_text(it.positions));
  json.key("renames");
  json.begin_array();
  for (std::size_t i = 0; i < std::min<std::size_t>(it.renames.size(), container::most_claims);
       ++i) {
    json.begin_array();
    json.value(json_text(it.renames[i].first));
    json.value(json_text(it.renames[i].second));
    json.end_array();
  }
  json.end_array();
  json.member("roles_from", json_text(it.roles_from));
  if (!it.rope_scaling.empty()) json.member("rope_scaling", json_text(it.rope_scaling));
  if (it.rope_theta && std::isfinite(*it.rope_theta)) json.member("rope_theta", *it.rope_theta);
  if (it.rotary_share && std::isfinite(*it.rotary_share)) {
    json.member("rotary_share", *it.rotary_share);
  }
  json.member("runner_up", json_text(it.runner_up));
  json.member("structure", json_text(it.structure));
  json.member("tied_embeddings", it.tied_embeddings);
  json.member("vocab", it.vocab);
  if (it.window > 0) json.member("window", it.window);
  json.key("wrappers");
  write_strings(json, it.wrappers);
  json.end_object();
}

void write_claims(CanonicalJson& json, const std::vector<Claim>& claims) {
  json.begin_array();
  const std::size_t count = std::min<std::size_t>(claims.size(), container::most_claims);
  for (std::size_t i = 0; i < count; ++i) {
    const Claim& claim = claims[i];
    json.begin_object();
    json.member("file", json_text(claim.file));
    json.member("key", json_text(claim.key));
    json.member("kind", claim_kind_name(claim.kind));
    json.member("line", claim.line);
    json.member("value", json_text(claim.value));
    json.end_object();
  }
  json.end_array();
}

void write_digests(CanonicalJson& json, const ModelDigests& digests) {
  json.begin_object();
  json.member("bag", digests.bag);
  json.key("files");
  json.begin_array();
  const bool all = digests.tensors.size() <= container::most_listed_tensors;
  for (const FileDigest& file : digests.files) {
    json.begin_object();
    json.member("path", json_text(file.path));
    json.member("sha256", file.sha256);
    json.member("size", file.size);
    json.end_object();
  }
  json.end_array();
  json.member("named", digests.named);
  json.key("tensors");
  json.begin_array();
  for (std::size_t i = 0; all && i < digests.tensors.size(); ++i) {
    write_tensor_digest(json, digests.tensors[i]);
  }
  json.end_array();
  json.end_object();
}

void write_tokenizer(CanonicalJson& json, const TokenizerSketch& sketch) {
  json.begin_object();
  json.member("kind", json_text(sketch.kind));
  json.member("merges_digest", sketch.merges_digest);
  json.key("smallest");
  json.begin_array();
  for (const std::uint64_t hash : sketch.smallest) write_hash(json, hash);
  json.end_array();
  json.key("smallest_ids");
  json.begin_array();
  for (const std::uint64_t id : sketch.smallest_ids) json.value(id);
  json.end_array();
  json.member("tokens", sketch.tokens);
  json.member("vocabulary_digest", sketch.vocabulary_digest);
  json.end_object();
}

void write_tokens(CanonicalJson& json, const Fingerprint& fingerprint) {
  json.begin_object();
  json.member("by_row", fingerprint.tokens_by_row);
  json.key("hashes");
  json.begin_array();
  for (const SampledToken& token : fingerprint.tokens) write_hash(json, token.hash);
  json.end_array();
  json.key("rows");
  json.begin_array();
  for (const SampledToken& token : fingerprint.tokens) json.value(token.row);
  json.end_array();
  json.end_object();
}

}  // namespace pedigree
