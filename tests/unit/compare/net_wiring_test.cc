// Which kernel may read which, from shapes and names alone.
#include "compare/net_wiring.h"

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace pedigree {
namespace {

using Shape = std::vector<std::uint64_t>;

struct Made {
  Model model = {};
  NetPairs pairs = {};

  explicit Made(const std::vector<std::pair<std::string, Shape>>& tensors) {
    std::mt19937 engine(7);
    for (const auto& [name, shape] : tensors) {
      std::size_t size = 1;
      for (const std::uint64_t each : shape) size *= each;
      NetPair pair{.subject = model.tensors.size(), .shape = shape};
      for (std::size_t i = 0; i < size; ++i) {
        pair.mine.push_back(static_cast<float>(engine()) * 0x1p-32F - 0.5F);
        pair.theirs.push_back(static_cast<float>(engine()) * 0x1p-32F - 0.5F);
      }
      model.tensors.push_back({.entry = {.name = name, .shape = shape}});
      pairs.pairs.push_back(std::move(pair));
    }
  }

  std::string name(const WiredKernel& kernel) const {
    return model.tensors[kernel.pair->subject].entry.name;
  }
};

std::string order_of(const Made& made, const Wiring& wiring) {
  std::string text;
  for (const WiredKernel& kernel : wiring.kernels) text += made.name(kernel) + ' ';
  return text;
}

}  // namespace

TEST_CASE("layers come in the order they are read, the last one last, however they are called") {
  const Made made({{"classifier", {10, 64}},
                   {"features.10", {64, 32, 3, 3}},
                   {"features.2", {24, 16, 3, 3}},
                   {"features.9", {32, 24, 3, 3}},
                   {"features.0", {16, 3, 3, 3}}});
  const Wiring wiring = wiring_of(made.model, made.pairs);
  CHECK(order_of(made, wiring) == "features.0 features.2 features.9 features.10 classifier ");
  CHECK(wiring.complete);
  CHECK(wiring.kernels.front().is_input);
  CHECK(wiring.kernels.back().is_head);
  CHECK(wiring.kernels[1].producers == std::vector<std::size_t>{0});
  CHECK(wiring.kernels[1].readers == std::vector<std::size_t>{2});
}

TEST_CASE("a pair of matrices whose names sort backwards is put in the order it is read") {
  const Made made({{"0.down", {48, 160}},
                   {"0.up", {160, 48}},
                   {"1.down", {48, 160}},
                   {"1.up", {160, 48}},
                   {"head", {10, 48}},
                   {"patch", {48, 3, 4, 4}}});
  const Wiring wiring = wiring_of(made.model, made.pairs);
  CHECK(order_of(made, wiring) == "patch 0.up 0.down 1.up 1.down head ");
  CHECK(wiring.complete);
}

TEST_CASE("a flattened picture is read position by position, in either layout") {
  const Made made({{"conv", {16, 3, 3, 3}}, {"fc", {40, 16 * 25}}, {"out", {10, 40}}});
  const Wiring wiring = wiring_of(made.model, made.pairs);
  CHECK(wiring.kernels[1].producers == std::vector<std::size_t>{0});
  CHECK_FALSE(wiring.kernels[1].is_input);
}

TEST_CASE("a kernel that reads two others behind each other leaves the wiring incomplete") {
  const Made made(
      {{"a", {24, 3, 3, 3}}, {"b", {40, 24, 3, 3}}, {"c", {32, 64, 3, 3}}, {"d", {10, 32}}});
  CHECK_FALSE(wiring_of(made.model, made.pairs).complete);
}

TEST_CASE("three matrices fused into one leave the wiring incomplete") {
  const Made made({{"in", {48, 3, 4, 4}}, {"qkv", {144, 48}}, {"head", {10, 48}}});
  CHECK_FALSE(wiring_of(made.model, made.pairs).complete);
}

TEST_CASE("recurrent matrices and numbers that are none leave the wiring incomplete") {
  const std::vector<std::pair<std::string, Shape>> plain{
      {"a", {24, 12}}, {"b", {32, 24}}, {"c", {10, 32}}};
  CHECK(wiring_of(Made(plain).model, Made(plain).pairs).complete);
  auto recurrent = plain;
  recurrent.emplace_back("rnn.weight_hh_l0", Shape{32, 8});
  const Made with(recurrent);
  CHECK_FALSE(wiring_of(with.model, with.pairs).complete);
  Made broken(plain);
  broken.pairs.pairs[1].mine[3] = std::numeric_limits<float>::quiet_NaN();
  CHECK_FALSE(wiring_of(broken.model, broken.pairs).complete);
}

}  // namespace pedigree
