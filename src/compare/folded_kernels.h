// Is one kernel another's but for rounding, or another's times a factor for each output?
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace pedigree {

// Where the values of one output stand: `run` of them behind each other, one run each
// `outputs` × `run`.
struct OutputAxis {
  std::uint64_t outputs = 0;
  std::uint64_t run = 0;
};

// First in PyTorch's kernels, second in those of its transposed convolutions, last in Keras's.
std::vector<OutputAxis> output_axes(std::span<const std::uint64_t> shape);

// How far apart values may be that are one but for rounding, relative to the largest beside them:
// what four stored numbers of so many bits were rounded by, and the arithmetic in F32.
double rounding_tolerance(int precision);

bool are_alike(std::span<const float> values, std::span<const float> others, double tolerance);

struct OutputFactors {
  OutputAxis axis = {};
  std::function<double(std::uint64_t output)> factor = {};
};

// Are `others` the values times the factors of their outputs? The tolerance is relative to the
// largest value of an output.
bool are_products(std::span<const float> values, std::span<const float> others,
                  const OutputFactors& factors, double tolerance);

// How often strangers agree so far in so many values, at most.
double log10_chance_alike(std::span<const float> values, double tolerance);

}  // namespace pedigree
