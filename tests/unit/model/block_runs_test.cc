#include "model/block_runs.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/digest.h"
#include "model/architecture.h"
#include "tests/unit/model/architecture_models.h"

namespace pedigree {
namespace {

using test::NamedTensors;

// Three blocks of five kernels between a stem and a head; of no family.
NamedTensors own_net(const std::string& path, std::uint64_t blocks = 3) {
  NamedTensors tensors;
  tensors.add(path + "stem", {11, 5, 5});
  for (std::uint64_t block = 0; block < blocks; ++block) {
    const std::string front = fmt::format("{}{}.", path, block);
    tensors.add(front + "a", {13, 11, 3}).add(front + "b", {13}).add(front + "c", {17, 13, 3});
    tensors.add(front + "d", {11, 17, 1}).add(front + "e", {11});
  }
  return tensors.add(path + "out", {7, 11});
}

TEST_CASE("blocks are found by number, by place and by order of names") {
  for (const bool by_number : {true, false}) {
    CAPTURE(by_number);
    NamedTensors net = own_net("part.");
    if (!by_number) {
      net.rename([](const std::string& name) { return "x" + to_hex(sha256(name)).substr(0, 16); });
    }
    const std::vector<BlockReading> readings = block_readings(net.model().tensors);
    REQUIRE_FALSE(readings.empty());
    REQUIRE(readings.front().runs.size() == 1);
    CHECK(readings.front().runs.front().times == 3);
    CHECK(readings.front().runs.front().shapes.size() == 5);
    CHECK(readings.front().outside == ShapeBag{{{7, 11}, 1}, {{11, 5, 5}, 1}});
  }
}

TEST_CASE("an encoder and a decoder behind it are two runs") {
  const ModelInfo info = test::tensors_of(test::family_called("t5"), 3).model();
  const std::vector<BlockReading> readings = block_readings(info.tensors);
  REQUIRE_FALSE(readings.empty());
  REQUIRE(readings.front().runs.size() == 2);
  CHECK(readings.front().runs[0].times == 3);
  CHECK(readings.front().runs[1].times == 3);
}

TEST_CASE("what repeats nowhere has no blocks") {
  NamedTensors tensors;
  for (std::uint64_t size = 3; size < 30; ++size) tensors.add(fmt::format("w{}", size), {size});
  CHECK(block_readings(tensors.model().tensors).empty());
  CHECK(block_template(tensors.model().tensors).empty());
  CHECK(block_readings({}).empty());
}

TEST_CASE("unknown models of equal blocks share a template, whatever their names") {
  const Architecture one = own_net("part.").model().architecture;
  NamedTensors renamed = own_net("net.stage");
  renamed.rename([](const std::string& name) { return "y" + to_hex(sha256(name)).substr(0, 16); });
  const Architecture other = renamed.model().architecture;
  CHECK(one.layer_template == "3 × {17×13×3 · 13×11×3 · 13 · 11×17×1 · 11}");
  CHECK(other.layer_template == one.layer_template);
  CHECK(one.structure == "unknown");
  CHECK(same_architecture(one, other));
  CHECK_FALSE(same_architecture(one, own_net("part.", 4).model().architecture));
  CHECK_FALSE(same_architecture(one, test::llama().model().architecture));
}

}  // namespace
}  // namespace pedigree
