#include "model/placement.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "tests/unit/model/architecture_models.h"

namespace pedigree {
namespace {

using test::NamedTensors;

constexpr std::uint64_t layers = 3;

std::string digest_of(std::string_view text) { return to_hex(sha256(text)).substr(0, 16); }

// The beginning of a family's layer names, for each stack.
std::string path_of(const FamilyTensor& tensor) {
  return tensor.name.substr(0, tensor.name.find("{L}"));
}

// Names without meaning, in the order a model holds its tensors: stack behind stack.
NamedTensors scrambled(const Family& family) {
  constexpr std::size_t behind = 9;
  NamedTensors tensors = test::tensors_of(family, layers);
  std::map<std::string, std::string> places;
  std::size_t last = 0;
  for (const std::string& name : tensors.names()) {
    const auto layer = std::ranges::find_if(family.tensors, [&](const FamilyTensor& tensor) {
      return tensor.in_layer && name.starts_with(path_of(tensor));
    });
    if (layer != family.tensors.end()) {
      last = 1 + static_cast<std::size_t>(layer->stack);
    } else if (last > 0) {
      last = behind;
    }
    places[name] = std::to_string(last);
  }
  tensors.place_by([&](const std::string& name) { return places.at(name); });
  return tensors.rename(digest_of);
}

// Names without meaning but for the stack and the layer, in an order without meaning.
NamedTensors shuffled(const Family& family) {
  std::vector<std::string> paths;
  for (const FamilyTensor& tensor : family.tensors) {
    if (!tensor.in_layer) continue;
    std::string path = path_of(tensor);
    if (std::ranges::find(paths, path) == paths.end()) paths.push_back(std::move(path));
  }
  NamedTensors tensors = test::tensors_of(family, layers);
  tensors.rename([&](const std::string& name) {
    for (std::size_t stack = 0; stack < paths.size(); ++stack) {
      if (!name.starts_with(paths[stack])) continue;
      const std::string rest = name.substr(paths[stack].size());
      const std::string layer = rest.substr(0, rest.find('.'));
      const std::string inside = digest_of(rest.substr(layer.size()));
      return fmt::format("{}.{}.{}", stack == 0 ? "first" : "second", layer, inside);
    }
    std::string outside = digest_of(name);
    for (char& letter : outside) {
      if (letter >= '0' && letter <= '9') letter = static_cast<char>(letter - '0' + 'p');
    }
    return outside;
  });
  return tensors.place_by([](const std::string& name) { return digest_of(name); });
}

bool agrees(const std::string& said, const std::string& true_one) {
  return said == true_one || said == "unknown";
}

// What is said of a model that is one of `family`, its names aside, is true or left open.
void check_placement(const Family& family, const ModelInfo& info) {
  const Architecture& built = info.architecture;
  CHECK(std::ranges::any_of(built.alike, [&](const std::string& id) {
    return test::family_called(id).structure == family.structure;
  }));
  CHECK(built.placed == 1.0);
  CHECK(built.runner_up_placed <= built.placed);
  const Structure said = parse_structure(built.structure);
  const Structure truth = parse_structure(family.structure);
  if (info.canonical.empty()) return;  // then nothing is said
  CHECK(agrees(said.kind, truth.kind));
  CHECK(agrees(said.norm, truth.norm));
  CHECK(agrees(said.placement, truth.placement));
  CHECK(agrees(said.positions, truth.positions));
  CHECK(agrees(said.activation, truth.activation));
  CHECK(said.gated == truth.gated);
}

TEST_CASE("every family is placed in its own structure without its names") {
  std::set<std::string> not_placed;
  for (const Family& family : families()) {
    for (const bool in_order : {true, false}) {
      CAPTURE(family.id);
      CAPTURE(in_order);
      const ModelInfo info = (in_order ? scrambled(family) : shuffled(family)).model();
      if (info.architecture.alike.empty()) {
        not_placed.insert(family.id);
      } else {
        check_placement(family, info);
      }
      CHECK(info.architecture.family == "unknown");
    }
  }
  CHECK(not_placed.empty());
}

TEST_CASE("families of one structure are named together, and the next one behind them") {
  const ModelInfo info = shuffled(test::family_called("llama")).model();
  CHECK(info.architecture.alike ==
        std::vector<std::string>{"exaone", "gemma", "llama", "llama_meta", "mistral", "yi"});
  CHECK(info.architecture.runner_up == "arcee");
  CHECK(info.architecture.runner_up_placed == doctest::Approx(0.9));
  CHECK(info.architecture.structure == "decoder/rmsnorm-pre/unknown/gated-unknown");
}

TEST_CASE("an encoder with norms behind its blocks is not taken for a decoder") {
  const ModelInfo info = scrambled(test::family_called("bert")).model();
  CHECK(parse_structure(info.architecture.structure).kind == "encoder");
  CHECK(parse_structure(info.architecture.structure).placement == "post");
}

TEST_CASE("what nobody knows is placed nowhere") {
  NamedTensors tensors;
  for (int layer = 0; layer < 4; ++layer) {
    for (const std::uint64_t size : {17U, 19U, 23U, 29U, 31U, 37U}) {
      tensors.add(fmt::format("x.{}.{}", layer, size), {size, size + 2, size + 4});
    }
  }
  CHECK_FALSE(place_by_structure(tensors.model().tensors).has_value());
  CHECK_FALSE(place_by_structure({}).has_value());
}

}  // namespace
}  // namespace pedigree
