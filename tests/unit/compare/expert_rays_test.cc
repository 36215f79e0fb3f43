#include "compare/expert_rays.h"

#include <doctest/doctest.h>

#include <random>

namespace pedigree {
namespace {

using Vector = std::vector<double>;

constexpr std::size_t length = 3000;

Vector noise(double size, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, size);
  Vector values(length);
  for (double& value : values) value = normal(random);
  return values;
}

Vector sum(const Vector& a, const Vector& b, double weight = 1) {
  Vector total = a;
  for (std::size_t i = 0; i < length; ++i) total[i] += weight * b[i];
  return total;
}

std::vector<Vector> around(const std::vector<Vector>& blocks, const Vector& one) {
  std::vector<Vector> differences;
  for (const Vector& block : blocks) differences.push_back(sum(block, one, -1));
  return differences;
}

const Vector origin = noise(1, 1);

std::vector<Vector> copies(std::size_t count, double change) {
  std::vector<Vector> blocks;
  for (unsigned i = 0; i < count; ++i) blocks.push_back(sum(origin, noise(change, 10 + i)));
  return blocks;
}

}  // namespace

TEST_CASE("copies changed apart from each other lie around the block they were made from") {
  const Rays rays = rays_of(around(copies(4, 0.1), origin));
  CHECK(rays.shape == Rays::Shape::around);
  CHECK(std::abs(rays.cosine) < 0.1);
  CHECK(rays.residue == doctest::Approx(1).epsilon(0.1));
}

TEST_CASE("copies may be changed by unlike amounts, and some not at all") {
  std::vector<Vector> blocks = {origin};
  for (unsigned i = 1; i < 4; ++i) blocks.push_back(sum(origin, noise(0.05 * i, 20 + i)));
  CHECK(rays_of(around(blocks, origin)).shape == Rays::Shape::around);
}

TEST_CASE("a block taken from among the copies is not where they began") {
  const auto blocks = copies(4, 0.1);
  const Rays rays = rays_of(around(blocks, blocks[2]));
  CHECK(rays.shape == Rays::Shape::unclear);
  CHECK(rays.cosine == doctest::Approx(0.5).epsilon(0.1));
}

TEST_CASE("one of two copies says nothing about the other") {
  const auto blocks = copies(2, 0.1);
  CHECK(rays_of(around(blocks, blocks[0])).shape == Rays::Shape::unclear);
  // trained on a little after it was taken
  const Vector taken = sum(blocks[0], noise(0.01, 50));
  CHECK(rays_of(around(blocks, taken)).shape == Rays::Shape::unclear);
}

TEST_CASE("a mean of experts was made from them, whatever the weights") {
  const auto blocks = copies(4, 0.1);
  Vector mean(length);
  const double weights[] = {0.4, 0.3, 0.2, 0.1};
  for (std::size_t i = 0; i < 4; ++i) mean = sum(mean, blocks[i], weights[i]);
  const Rays rays = rays_of(around(blocks, mean));
  CHECK(rays.shape == Rays::Shape::combined);
  CHECK(rays.residue < 1e-6);
  // stored with fewer bits
  CHECK(rays_of(around(blocks, sum(mean, noise(0.002, 60)))).shape == Rays::Shape::combined);
}

TEST_CASE("a mean of sixteen experts is not mistaken for their origin") {
  const auto blocks = copies(16, 0.1);
  Vector mean(length);
  for (const Vector& block : blocks) mean = sum(mean, block, 1.0 / 16);
  CHECK(rays_of(around(blocks, mean)).shape == Rays::Shape::combined);
}

TEST_CASE("a relative of the origin is not the origin") {
  const Vector relative = sum(origin, noise(0.1, 70));
  CHECK(rays_of(around(copies(4, 0.1), relative)).shape == Rays::Shape::unclear);
}

TEST_CASE("one change applied in several strengths is no mean") {
  const Vector change = noise(0.1, 80);
  const std::vector<Vector> blocks = {sum(origin, change), sum(origin, change, 2)};
  CHECK(rays_of(around(blocks, origin)).shape == Rays::Shape::unclear);
}

TEST_CASE("equal blocks are copies, and fewer than two say nothing") {
  CHECK(rays_of(around({origin, origin, origin}, origin)).shape == Rays::Shape::copies);
  CHECK(rays_of(around({origin}, origin)).shape == Rays::Shape::unclear);
  CHECK(rays_of({}).shape == Rays::Shape::unclear);
}

}  // namespace pedigree
