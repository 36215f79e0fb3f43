// Packed panels and one small kernel, after Goto and van de Geijn 2008, "Anatomy of
// High-Performance Matrix Multiplication": a block of `a` stays in the second cache,
// a panel of `b` in the first. The chain of an element goes on from block to block,
// since the kernel starts from what c holds.
#include "tensor/multiply.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/parallel.h"
#include "base/problem.h"
#include "tensor/kernels/kernels.h"

namespace pedigree {
namespace {

constexpr std::size_t deep = 512;  // of a block
constexpr std::size_t block_rows = 16 * tile_rows;

// `count` columns of `from` (… × width), `step` side by side, zeros behind the last.
std::vector<float> packed(std::span<const float> from, std::size_t width, std::size_t first,
                          std::size_t count, std::size_t step) {
  const std::size_t depth = from.size() / width;
  const std::size_t strips = (count + step - 1) / step;
  std::vector<float> out(strips * depth * step);
  for (std::size_t strip = 0; strip < strips; ++strip) {
    const std::size_t begin = first + strip * step;
    const std::size_t size = std::min(step, first + count - begin);
    for (std::size_t k = 0; k < depth; ++k) {
      std::ranges::copy(from.subspan(k * width + begin, size),
                        out.begin() + static_cast<std::ptrdiff_t>((strip * depth + k) * step));
    }
  }
  return out;
}

struct Tile {
  std::size_t row = 0;
  std::size_t col = 0;
};

struct Strips {
  const float* rows = nullptr;
  const float* cols = nullptr;
  std::size_t depth = 0;
};

// One tile of c, from packed strips; tiles that reach over the edge go by a copy.
void add_tile(const Strips& strips, Tile at, const ProductShape& shape, std::span<float> c) {
  const auto [a, b, depth] = strips;
  const std::size_t rows = shape.rows;
  const std::size_t cols = shape.cols;
  if (at.row + tile_rows <= rows && at.col + tile_cols <= cols) {
    return kernels().add_tile(a, b, depth, c.data() + at.row * cols + at.col, cols);
  }
  std::array<float, tile_rows * tile_cols> whole = {};
  const std::size_t high = std::min(tile_rows, rows - at.row);
  const std::size_t wide = std::min(tile_cols, cols - at.col);
  for (std::size_t i = 0; i < high; ++i) {
    std::ranges::copy(c.subspan((at.row + i) * cols + at.col, wide),
                      whole.begin() + static_cast<std::ptrdiff_t>(i * tile_cols));
  }
  kernels().add_tile(a, b, depth, whole.data(), tile_cols);
  for (std::size_t i = 0; i < high; ++i) {
    std::ranges::copy(std::span(whole).subspan(i * tile_cols, wide),
                      c.begin() + static_cast<std::ptrdiff_t>((at.row + i) * cols + at.col));
  }
}

enum class Tiles : std::uint8_t { all, upper };  // upper: none wholly below the diagonal

struct Factors {
  std::span<const float> a;
  std::span<const float> b;
  ProductShape shape;
};

void add_product(const Factors& factors, std::span<float> c, unsigned threads, Tiles tiles) {
  const std::span<const float> a = factors.a;
  const std::span<const float> b = factors.b;
  const ProductShape& shape = factors.shape;
  check(a.size() == shape.depth * shape.rows && b.size() == shape.depth * shape.cols &&
            c.size() == shape.rows * shape.cols,
        "a product of matrices that do not fit");
  const std::size_t blocks = (shape.rows + block_rows - 1) / block_rows;
  for (std::size_t k = 0; k < shape.depth; k += deep) {
    const std::size_t depth = std::min(deep, shape.depth - k);
    const auto columns =
        packed(b.subspan(k * shape.cols, depth * shape.cols), shape.cols, 0, shape.cols, tile_cols);
    const auto a_part = a.subspan(k * shape.rows, depth * shape.rows);
    const auto failed =
        parallel_for(blocks, threads, {}, [&](std::size_t block) -> std::optional<Problem> {
          const std::size_t first = block * block_rows;
          const std::size_t count = std::min(block_rows, shape.rows - first);
          const auto rows = packed(a_part, shape.rows, first, count, tile_rows);
          for (std::size_t col = 0; col < shape.cols; col += tile_cols) {
            for (std::size_t row = 0; row < count; row += tile_rows) {
              if (tiles == Tiles::upper && col + tile_cols <= first + row) continue;
              add_tile({.rows = rows.data() + row * depth,
                        .cols = columns.data() + col * depth,
                        .depth = depth},
                       {.row = first + row, .col = col}, shape, c);
            }
          }
          return std::nullopt;
        });
    check(!failed, "a product cannot fail");
  }
}

}  // namespace

void add_transposed_product(std::span<const float> a, std::span<const float> b,
                            const ProductShape& shape, std::span<float> c, unsigned threads) {
  add_product({.a = a, .b = b, .shape = shape}, c, threads, Tiles::all);
}

void gram_product(std::span<const float> a, std::size_t depth, std::span<float> c,
                  unsigned threads) {
  check(depth > 0 && a.size() % depth == 0, "a product of matrices that do not fit");
  const std::size_t size = a.size() / depth;
  std::ranges::fill(c, 0.0F);
  add_product({.a = a, .b = a, .shape = {.depth = depth, .rows = size, .cols = size}}, c, threads,
              Tiles::upper);
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j < i; ++j) c[i * size + j] = c[j * size + i];
  }
}

}  // namespace pedigree
