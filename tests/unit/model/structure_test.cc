#include "model/structure.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/digest.h"
#include "formats/formats.h"
#include "tests/unit/model/architecture_models.h"

namespace pedigree {
namespace {

using test::llama;
using Roles = std::map<std::string, std::string>;

// The names spelled without meaning, and the roles they must get back.
struct Renamed {
  test::NamedTensors tensors;
  Roles expected = {};
};

template <class Spell>
Renamed renamed(const test::NamedTensors& tensors, Spell spell) {
  Renamed result = {.tensors = tensors};
  const Roles known = test::roles_by_name(tensors.model());
  std::map<std::string, std::string> spelled;
  std::size_t index = 0;
  for (const std::string& name : tensors.names()) {
    spelled[name] = spell(index++);
    if (known.contains(name)) result.expected[spelled[name]] = known.at(name);
  }
  result.tensors.rename([&](const std::string& name) { return spelled.at(name); });
  return result;
}

std::string in_sequence(std::size_t index) { return fmt::format("t{}", index); }

// Names in no order at all.
std::string scrambled(std::size_t index) { return to_hex(sha256(std::to_string(index))); }

ConfigFacts bare_config() {
  ConfigFacts config;
  config.present = true;
  config.model_type = "own";
  config.heads = 4;
  config.kv_heads = 2;
  config.activation = "silu";
  config.rope_theta = 10000;
  return config;
}

TEST_CASE("names are sorted by the values of their numbers") {
  CHECK(natural_less("t9", "t10"));
  CHECK(natural_less("t09", "t10"));
  CHECK_FALSE(natural_less("t10", "t9"));
  CHECK(natural_less("t1.b2", "t1.b11"));
  CHECK(natural_less("a", "b"));
  CHECK(natural_less("a", "aa"));
  CHECK(natural_less("t01", "t1") != natural_less("t1", "t01"));
  CHECK_FALSE(natural_less("t1", "t1"));
}

TEST_CASE("tensors numbered in a row get the roles of a LLaMA") {
  const Renamed model = renamed(llama(), in_sequence);
  const ModelInfo info = model.tensors.model(bare_config());
  CHECK(test::roles_by_name(info) == model.expected);
  CHECK(info.architecture.roles_from == "shapes");
  CHECK(info.architecture.family == "unknown");
  CHECK(info.architecture.structure == "decoder/rmsnorm-pre/rope/gated-silu");
  CHECK(info.architecture.heads == 4);
  CHECK(info.architecture.renames.empty());
  CHECK(test::codes(info) == std::vector<std::string>{"architecture-unknown"});
}

TEST_CASE("numbered tensors keep their roles wherever they lie in the file") {
  Renamed model = renamed(llama(), in_sequence);
  model.tensors.place_by([](const std::string& name) { return to_hex(sha256(name)); });
  CHECK(test::roles_by_name(model.tensors.model()) == model.expected);
}

TEST_CASE("scrambled names keep their roles by their place in the file") {
  const Renamed model = renamed(llama(), scrambled);
  CHECK(test::roles_by_name(model.tensors.model()) == model.expected);
}

TEST_CASE("a file in alphabetical order of forgotten names gives the same roles") {
  for (const std::string id : {"llama", "yi", "qwen2", "qwen3", "gemma2"}) {
    CAPTURE(id);
    test::NamedTensors tensors = test::tensors_of(test::family_called(id));
    tensors.place_by([](const std::string& name) { return name; });
    // Names must follow the file here, so that the expected roles do.
    const Renamed model = renamed(tensors, scrambled);
    CHECK(test::roles_by_name(model.tensors.model()) == model.expected);
  }
}

TEST_CASE("all decoders without experts are told by shape in their own order") {
  for (const Family& family : families()) {
    if (!family.structure.starts_with("decoder/") || test::has_experts(family)) continue;
    if (test::takes_turns(family)) continue;  // how often, no shape tells
    if (family.id == "exaone4") continue;     // its norms behind look like Qwen3's in front
    if (family.id == "openai_gpt") continue;  // its norms behind look like GPT-2's in front
    if (family.find_role("ssm.out") != nullptr) continue;  // of no attention
    CAPTURE(family.id);
    test::NamedTensors tensors = test::tensors_of(family);
    tensors.drop("lm_head.bias").drop("lm_head.linear.bias");
    const Renamed model = renamed(tensors, in_sequence);
    CHECK(test::roles_by_name(model.tensors.model()) == model.expected);
  }
}

TEST_CASE("four square matrices are told by order and recorded as ambiguous") {
  test::SizeTable sizes = test::small_sizes();
  sizes[Symbol::kv] = 96;
  const Renamed model = renamed(llama(3, sizes), in_sequence);
  const ModelInfo info = model.tensors.model();
  CHECK(test::roles_by_name(info) == model.expected);
  CHECK(info.architecture.ambiguous ==
        std::vector<std::string>{"attn.k|attn.o|attn.q|attn.v", "attn.norm|ffn.norm",
                                 "embed.tokens|head.out", "ffn.gate|ffn.up"});
}

TEST_CASE("norms that lie apart because they are wider still find their layers") {
  // Writers put the wider type first; each part is in order of names.
  const auto is_norm = [](const std::string& name) { return name.contains("norm"); };
  test::NamedTensors tensors = llama();
  tensors.place_by([&](const std::string& name) { return (is_norm(name) ? "0" : "1") + name; });
  const Renamed model = renamed(tensors, scrambled);
  CHECK(test::roles_by_name(model.tensors.model()) == model.expected);
}

TEST_CASE("own names with a layer number are read by number and listed as renames") {
  const auto spell = [](std::string name) {
    const std::pair<std::string, std::string> words[] = {{"model.layers.", "net.block"},
                                                         {"self_attn.q_proj", "att.query"},
                                                         {"mlp.up_proj", "ff.lift"},
                                                         {"model.embed_tokens", "words"}};
    for (const auto& [from, to] : words) {
      if (const auto at = name.find(from); at != std::string::npos)
        name.replace(at, from.size(), to);
    }
    return name;
  };
  test::NamedTensors tensors = llama(12);
  tensors.rename([&](const std::string& name) {
    std::string text = spell(name);
    if (const auto at = text.find("net.block"); at != std::string::npos) {
      text.replace(at, 9, "stack.");
    }
    return text.starts_with("stack.") ? text : "outer_" + text;
  });
  const ModelInfo info = tensors.model(bare_config());
  CHECK(info.architecture.family == "unknown");
  CHECK(test::roles_by_name(info).at("stack.11.ff.lift.weight") == "ffn.up/11");
  CHECK(info.architecture.renames ==
        std::vector<std::pair<std::string, std::string>>{{"outer_words", "model.embed_tokens"},
                                                         {"att.query", "self_attn.q_proj"},
                                                         {"ff.lift", "mlp.up_proj"},
                                                         {"outer_model.norm", "model.norm"},
                                                         {"outer_lm_head", "lm_head"}});
}

TEST_CASE("shapes alone place the matrices of a block in an order nobody knows") {
  const std::vector<Shape> shapes = {{256, 96}, {96}, {48, 96},  {96, 256}, {48, 96},
                                     {96, 96},  {96}, {256, 96}, {96, 96}};
  CHECK(roles_by_shape(shapes, 96) == std::vector<std::string>{"ffn.gate", "attn.norm", "attn.k",
                                                               "ffn.down", "attn.v", "attn.o",
                                                               "ffn.norm", "ffn.up", "attn.q"});
}

TEST_CASE("shapes alone tell heads of another total width from the MLP") {
  const std::vector<Shape> shapes = {{64, 96}, {32, 96}, {32, 96}, {96, 64},
                                     {40, 96}, {40, 96}, {96, 40}};
  CHECK(roles_by_shape(shapes, 96) == std::vector<std::string>{"attn.q", "attn.k", "attn.v",
                                                               "attn.o", "ffn.gate", "ffn.up",
                                                               "ffn.down"});
  CHECK(roles_by_shape(shapes, 7) == std::vector<std::string>(7));
}

TEST_CASE("tensors without a repeated block get no roles from shapes") {
  std::vector<StoredTensor> tensors = llama().drop("layers").model().tensors;
  CHECK_FALSE(roles_from_shapes(tensors).has_value());
  CHECK_FALSE(roles_from_shapes({}).has_value());
}

std::map<std::string, std::string> contents_by_role(const std::string& path, bool& found) {
  auto source = open_file(path + "/model.safetensors", "model.safetensors");
  found = source.has_value();
  if (!found) return {};
  const auto file = read_weights(**source);
  REQUIRE(file.has_value());
  ModelInfo info;
  for (const TensorEntry& entry : file->tensors) info.tensors.push_back({.entry = entry});
  assign_roles(info, {});
  std::map<std::string, std::string> digests;
  for (const CanonicalTensor& tensor : info.canonical) {
    const Extent extent = info.tensors[tensor.tensor].entry.extent;
    std::string bytes(extent.size(), '\0');
    REQUIRE_FALSE((*source)->read_at(extent.begin, std::as_writable_bytes(std::span(bytes))));
    digests[fmt::format("{}/{}", tensor.role, tensor.layer)] = to_hex(sha256(bytes));
  }
  return digests;
}

TEST_CASE("a trained model with meaningless names gives each role the bytes it had") {
  const std::string family = std::string(PEDIGREE_SHARED) + "/corpus/family";
  bool found = false;
  const auto named = contents_by_role(family + "/A-ft-code", found);
  if (!found) {
    MESSAGE("skipped: the shared corpus is not beside this checkout");
    return;
  }
  CHECK(named.size() == 39);
  CHECK(contents_by_role(family + "/A-ft-code-renamed", found) == named);
}

}  // namespace
}  // namespace pedigree
