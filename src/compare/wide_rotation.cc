// X ← X (a + b XᵀX + c (XᵀX)²) with a = 3.4445, b = −4.7750, c = 2.0315 multiplies small
// singular values by 3.4 a step and keeps large ones between 0.7 and 1.2 (Jordan et
// al. 2024, "Muon"); Newton and Schulz's iteration then finishes. At a width of
// 4096 that is at most twenty products, against a hundred and twenty.
#include "compare/wide_rotation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/problem.h"
#include "compare/dense.h"
#include "tensor/multiply.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

constexpr int most_growing_steps = 7;  // resolves directions down to a 5,700th of the strongest
constexpr int most_finishing_steps = 4;
constexpr double near_enough = 1e-9;

using Floats = std::vector<float>;

Floats transposed(std::span<const float> from, std::size_t rows) {
  const std::size_t cols = from.size() / rows;
  constexpr std::size_t side = 32;  // a square of both stays in the cache
  Floats turned(from.size());
  for (std::size_t i = 0; i < rows; i += side) {
    for (std::size_t j = 0; j < cols; j += side) {
      for (std::size_t k = i; k < std::min(rows, i + side); ++k) {
        for (std::size_t l = j; l < std::min(cols, j + side); ++l) {
          turned[l * rows + k] = from[k * cols + l];
        }
      }
    }
  }
  return turned;
}

Floats as_floats(const Matrix& matrix) {
  Floats values(matrix.values.size());
  std::ranges::transform(matrix.values, values.begin(),
                         [](double value) { return static_cast<float>(value); });
  return values;
}

// The largest singular value, a little under: powers of XᵀX.
double largest_stretch(const Floats& x, std::size_t size) {
  constexpr int steps = 24;
  Floats v(size);
  for (std::size_t i = 0; i < size; ++i) v[i] = (i * 2654435761U) % 8 < 4 ? 1.0F : -1.0F;
  double stretch = 0;
  for (int step = 0; step < steps; ++step) {
    const double length = std::sqrt(sum_of_squares(v));
    if (length <= 0) return 0;
    for (float& value : v) value = static_cast<float>(static_cast<double>(value) / length);
    std::vector<double> next(size);
    double squares = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const auto row = std::span(x).subspan(i * size, size);
      const double along = dot(row, v);
      squares += along * along;
      for (std::size_t j = 0; j < size; ++j) next[j] += along * static_cast<double>(row[j]);
    }
    stretch = std::sqrt(squares);
    std::ranges::transform(next, v.begin(), [](double value) { return static_cast<float>(value); });
  }
  return stretch;
}

// Mean square of the distance of XᵀX from the identity, a row at a time.
double distance_from_identity(Floats& gram, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) gram[i * size + i] -= 1;
  const double squares = sum_of_squares(gram);
  for (std::size_t i = 0; i < size; ++i) gram[i * size + i] += 1;
  return squares / static_cast<double>(size);
}

class Iteration {
 public:
  Iteration(Floats start, std::size_t size, unsigned threads)
      : size_(size), threads_(threads), x_(std::move(start)), gram_(x_.size()) {}

  Floats run() {
    double distance = measure();
    for (int step = 0; step < most_growing_steps; ++step) {
      grow();
      const double before = std::exchange(distance, measure());
      if (distance > 0.9 * before && distance < 0.3) break;  // what the polynomial itself leaves
    }
    for (int step = 1; distance > near_enough; ++step) {
      finish();
      if (step == most_finishing_steps) break;
      distance = measure();
    }
    return std::move(x_);
  }

 private:
  double measure() {
    gram_product(x_, size_, gram_, threads_);
    return distance_from_identity(gram_, size_);
  }

  void grow() {
    Floats square(x_.size());
    gram_product(gram_, size_, square, threads_);
    for (std::size_t i = 0; i < gram_.size(); ++i) {
      gram_[i] = -4.7750F * gram_[i] + 2.0315F * square[i];
    }
    multiply(3.4445F);
  }

  void finish() {
    for (float& value : gram_) value *= -0.5F;
    multiply(1.5F);
  }

  // X ← X (gram + diagonal · I).
  void multiply(float diagonal) {
    for (std::size_t i = 0; i < size_; ++i) gram_[i * size_ + i] += diagonal;
    const Floats turned = transposed(x_, size_);
    std::ranges::fill(x_, 0.0F);
    add_transposed_product(turned, gram_, {.depth = size_, .rows = size_, .cols = size_}, x_,
                           threads_);
  }

  std::size_t size_;
  unsigned threads_;
  Floats x_;
  Floats gram_;  // of x_, after measure()
};

}  // namespace

std::vector<float> orthogonal_factor(std::vector<float> matrix, std::size_t size,
                                     unsigned threads) {
  check(matrix.size() == size * size, "a polar factor of a matrix that is not square");
  const double stretch = largest_stretch(matrix, size);
  if (stretch <= 0) return matrix;
  const auto scale = static_cast<float>(1 / (1.1 * stretch));
  for (float& value : matrix) value *= scale;
  return Iteration(std::move(matrix), size, threads).run();
}

WideRotation::WideRotation(std::size_t width, unsigned threads)
    : width_(width), threads_(threads), values_(width * width) {}

void WideRotation::add(const Matrix& base, const Matrix& subject) {
  check(base.rows == subject.rows, "rows that correspond come in pairs");
  if (base.rows == 0 || base.cols != width_ || subject.cols != width_) return;
  Matrix theirs = base;
  Matrix mine = subject;
  scale_rows(theirs);
  scale_rows(mine);
  add_transposed_product(as_floats(theirs), as_floats(mine),
                         {.depth = base.rows, .rows = width_, .cols = width_}, values_, threads_);
}

void WideRotation::solve() {
  values_ = transposed(orthogonal_factor(std::move(values_), width_, threads_), width_);
}

Matrix WideRotation::turned_back(const Matrix& rows) const {
  if (rows.rows == 0 || rows.cols != width_) return rows;
  Floats turned(rows.values.size());
  add_transposed_product(transposed(as_floats(rows), rows.rows), values_,
                         {.depth = width_, .rows = rows.rows, .cols = width_}, turned, threads_);
  Matrix result(rows.rows, width_);
  std::ranges::transform(turned, result.values.begin(),
                         [](float value) { return static_cast<double>(value); });
  return result;
}

}  // namespace pedigree
