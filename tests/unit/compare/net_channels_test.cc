// Dense nets of made numbers whose channels are dealt anew, scaled, turned round or changed.
#include "compare/net_channels.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "compare/assignment.h"

namespace pedigree {
namespace {

// The sum of twelve uniform numbers, the same on every machine.
class Bell {
 public:
  explicit Bell(unsigned seed) : engine_(seed) {}
  double next() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(engine_() >> 8U) * 0x1p-24;
    return sum;
  }

 private:
  std::mt19937 engine_;
};

constexpr std::size_t widths[] = {30, 48, 40, 32, 10};
constexpr std::size_t layers = 4;

struct Net {
  std::vector<std::vector<float>> kernels = {};
  std::vector<std::vector<float>> biases = {};
};

Net net(unsigned seed) {
  Bell bell(seed);
  Net made;
  for (std::size_t l = 0; l < layers; ++l) {
    std::vector<float>& kernel = made.kernels.emplace_back(widths[l] * widths[l + 1]);
    std::vector<float>& bias = made.biases.emplace_back(widths[l + 1]);
    for (float& value : kernel) value = static_cast<float>(0.2 * bell.next());
    for (float& value : bias) value = static_cast<float>(0.1 * bell.next());
  }
  return made;
}

Net changed(Net made, unsigned seed, double amount) {
  Bell bell(seed);
  for (auto* list : {&made.kernels, &made.biases}) {
    for (std::vector<float>& values : *list) {
      for (float& value : values) value += static_cast<float>(amount * 0.2 * bell.next());
    }
  }
  return made;
}

// Hidden units in another order, each times its factor and what reads it divided by that.
Net dealt_anew(const Net& from, std::uint64_t seed, double (*factor)(std::size_t unit)) {
  Net to = from;
  std::vector<std::size_t> before = first_indices(widths[0]);
  std::vector<double> factors(widths[0], 1);
  for (std::size_t l = 0; l < layers; ++l) {
    const bool hidden = l + 1 < layers;
    const auto order =
        hidden ? seeded_permutation(widths[l + 1], seed + l) : first_indices(widths[l + 1]);
    std::vector<double> own(widths[l + 1], 1);
    for (std::size_t o = 0; o < own.size(); ++o) {
      if (hidden) own[o] = factor(order[o]);
      to.biases[l][o] = static_cast<float>(own[o] * static_cast<double>(from.biases[l][order[o]]));
      for (std::size_t i = 0; i < widths[l]; ++i) {
        const auto value = static_cast<double>(from.kernels[l][order[o] * widths[l] + before[i]]);
        to.kernels[l][o * widths[l] + i] = static_cast<float>(value * own[o] / factors[i]);
      }
    }
    before = order;
    factors = own;
  }
  return to;
}

double one(std::size_t /*unit*/) { return 1; }
double positive(std::size_t unit) { return 0.5 + static_cast<double>(unit % 7); }
double sign(std::size_t unit) { return unit % 3 == 0 ? -1 : 1; }

struct Pair {
  Model model = {};
  NetPairs pairs = {};
};

void fill(Pair& made, const Net& subject, const Net& base) {
  for (std::size_t l = 0; l < layers; ++l) {
    const std::string at = "layers." + std::to_string(l);
    const auto add = [&](const std::string& name, std::vector<std::uint64_t> shape,
                         const std::vector<float>& mine, const std::vector<float>& theirs) {
      made.model.tensors.push_back({.entry = {.name = name, .shape = shape}});
      made.pairs.pairs.push_back({.subject = made.model.tensors.size() - 1,
                                  .shape = std::move(shape),
                                  .mine = mine,
                                  .theirs = theirs,
                                  .equal = mine == theirs});
    };
    add(at + ".bias", {widths[l + 1]}, subject.biases[l], base.biases[l]);
    add(at + ".weight", {widths[l + 1], widths[l]}, subject.kernels[l], base.kernels[l]);
  }
}

ChannelFindings found(const Net& subject, const Net& base) {
  Pair made;
  fill(made, subject, base);
  return find_channels(made.model, made.pairs, {});
}

}  // namespace

TEST_CASE("a copy whose channels were dealt anew is equal in the copy's order") {
  const ChannelFindings seen = found(dealt_anew(net(1), 5, one), net(1));
  CHECK(seen.equal);
  CHECK(seen.transforms == std::vector<std::string>{"channel-permute"});
  CHECK(seen.refit.equal == 2 * layers);
  CHECK(seen.refit.vectors_apart == 0);
  CHECK_FALSE(seen.refit.scaled);
  CHECK(seen.evidence.value == 120);
  CHECK_FALSE(seen.evidence.log10_p.has_value());
}

TEST_CASE("factors of channels beside their order are found and named") {
  const ChannelFindings seen = found(dealt_anew(net(1), 5, positive), net(1));
  CHECK(seen.equal);
  CHECK(seen.transforms == std::vector<std::string>{"channel-permute", "channel-scale"});
}

TEST_CASE("channels turned round with what reads them are found up to sign") {
  const ChannelFindings seen = found(dealt_anew(net(1), 5, sign), net(1));
  CHECK(seen.equal);
  CHECK(seen.transforms == std::vector<std::string>{"channel-permute", "channel-sign"});
}

TEST_CASE("a copy trained on after its channels were dealt anew is kin and not equal") {
  const ChannelFindings seen = found(changed(dealt_anew(net(1), 5, one), 9, 0.3), net(1));
  CHECK_FALSE(seen.equal);
  CHECK(seen.kin);
  CHECK(seen.refit.like_kernels == 0);
}

TEST_CASE("strangers are no kin, and what would have been seen is stated") {
  for (unsigned seed = 10; seed < 16; seed += 2) {
    const ChannelFindings seen = found(net(seed), net(seed + 1));
    CHECK_FALSE(seen.equal);
    CHECK_FALSE(seen.kin);
    CHECK_FALSE(seen.doubt);
    CHECK(seen.refit.theirs.empty());
    REQUIRE(seen.power.has_value());
    CHECK(*seen.power < 0.95);
  }
}

TEST_CASE("a copy at the cosine that is stated is found") {
  const ChannelFindings strangers = found(net(10), net(11));
  REQUIRE(strangers.power.has_value());
  // Noise of t times the values leaves a cosine of 1 / √(1 + t²).
  const double noise = std::sqrt(1 / (*strangers.power * *strangers.power) - 1);
  for (unsigned seed = 30; seed < 34; ++seed) {
    CHECK(found(changed(dealt_anew(net(11), seed, one), seed, noise), net(11)).kin);
  }
}

TEST_CASE("a net with tensors of one side alone gets no statement of what would have been seen") {
  Pair made;
  fill(made, net(1), net(2));
  made.pairs.theirs_alone = 1;
  const ChannelFindings seen = find_channels(made.model, made.pairs, {});
  CHECK_FALSE(seen.power.has_value());
  CHECK_FALSE(seen.missing.empty());
}

TEST_CASE("kernels without anchors are not matched") {
  // As many inputs and outputs as channels everywhere: nothing says where to begin.
  Pair made;
  Bell bell(3);
  for (int l = 0; l < 3; ++l) {
    std::vector<float> mine(32 * 32);
    std::vector<float> theirs(32 * 32);
    for (float& value : mine) value = static_cast<float>(bell.next());
    for (float& value : theirs) value = static_cast<float>(bell.next());
    made.model.tensors.push_back({.entry = {.name = std::to_string(l), .shape = {32, 32}}});
    made.pairs.pairs.push_back({.subject = made.model.tensors.size() - 1,
                                .shape = {32, 32},
                                .mine = std::move(mine),
                                .theirs = std::move(theirs)});
  }
  const ChannelFindings seen = find_channels(made.model, made.pairs, {});
  CHECK(seen.evidence.outcome == Evidence::Outcome::insufficient);
  CHECK_FALSE(seen.power.has_value());
}

}  // namespace pedigree
