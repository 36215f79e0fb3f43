// Shortest augmenting paths with potentials (Jonker and Volgenant 1987; the
// dense form of Crouse 2016). The auction algorithm would be faster on some
// inputs but stops at an epsilon, and an almost optimal pairing is not a
// well-defined statistic.
#include "compare/assignment.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/problem.h"

namespace pedigree {
namespace {

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15ULL;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBULL;
  return mixed ^ (mixed >> 31U);
}

class Solver {
 public:
  explicit Solver(const Matrix& cost)
      : cost_(cost),
        row_potential_(cost.rows, 0.0),
        col_potential_(cost.cols, 0.0),
        row_of_(cost.cols, none),
        col_of_(cost.rows, none),
        open_(cost.cols),
        potential_(cost.cols),
        distance_(cost.cols),
        previous_(cost.cols) {}

  std::vector<std::size_t> solve() {
    for (std::size_t row = 0; row < cost_.rows; ++row) augment(row);
    return col_of_;
  }

 private:
  // A column that was closed: how far it was, and the row before it.
  struct Scanned {
    std::size_t col = 0;
    double distance = 0;
    std::size_t previous = 0;
  };

  void augment(std::size_t start) {
    for (std::size_t col = 0; col < open_.size(); ++col) open_[col] = col;
    potential_ = col_potential_;
    std::ranges::fill(distance_, std::numeric_limits<double>::infinity());
    scanned_.clear();
    std::size_t count = cost_.cols;
    std::size_t row = start;
    double reached = 0;
    for (;;) {
      relax_from(row, reached, count);
      const std::size_t place = nearest(count);
      close(place, count--);
      reached = scanned_.back().distance;
      const std::size_t next = row_of_[scanned_.back().col];
      if (next == none) break;
      row = next;
    }
    update_potentials(start, reached);
    follow_back(start);
  }

  // The first `count` places are of open columns. Without a branch: the outcome of the
  // comparison cannot be foreseen.
  void relax_from(std::size_t row, double reached, std::size_t count) {
    const double* costs = cost_.row(row).data();
    const double row_potential = row_potential_[row];
    for (std::size_t place = 0; place < count; ++place) {
      const double through = reached + costs[open_[place]] - row_potential - potential_[place];
      const bool shorter = through < distance_[place];
      distance_[place] = shorter ? through : distance_[place];
      previous_[place] = shorter ? row : previous_[place];
    }
  }

  // The nearest open column's place; among equals the first, or one that is free.
  std::size_t nearest(std::size_t count) const {
    std::size_t best_place = 0;
    double best = std::numeric_limits<double>::infinity();
    for (std::size_t place = 0; place < count; ++place) {
      if (distance_[place] > best) continue;
      if (distance_[place] == best && row_of_[open_[place]] != none) continue;
      best = distance_[place];
      best_place = place;
    }
    return best_place;
  }

  void close(std::size_t place, std::size_t count) {
    scanned_.push_back(
        {.col = open_[place], .distance = distance_[place], .previous = previous_[place]});
    open_[place] = open_[count - 1];
    potential_[place] = potential_[count - 1];
    distance_[place] = distance_[count - 1];
    previous_[place] = previous_[count - 1];
  }

  void update_potentials(std::size_t start, double reached) {
    row_potential_[start] += reached;
    for (const Scanned& each : scanned_) {
      const double slack = reached - each.distance;
      if (row_of_[each.col] != none) row_potential_[row_of_[each.col]] += slack;
      col_potential_[each.col] -= slack;
    }
  }

  void follow_back(std::size_t start) {
    std::size_t col = scanned_.back().col;
    for (;;) {
      const auto at = std::ranges::find(scanned_, col, &Scanned::col);
      const std::size_t row = at->previous;
      row_of_[col] = row;
      std::swap(col_of_[row], col);
      if (row == start) return;
    }
  }

  const Matrix& cost_;
  std::vector<double> row_potential_;
  std::vector<double> col_potential_;
  std::vector<std::size_t> row_of_;
  std::vector<std::size_t> col_of_;
  // By place, the open columns first:
  std::vector<std::size_t> open_;
  std::vector<double> potential_;  // of the column there, as the search began
  std::vector<double> distance_;
  std::vector<std::size_t> previous_;
  std::vector<Scanned> scanned_;
};

}  // namespace

std::vector<std::size_t> first_indices(std::size_t count) {
  std::vector<std::size_t> indices(count);
  for (std::size_t i = 0; i < count; ++i) indices[i] = i;
  return indices;
}

std::vector<std::size_t> seeded_permutation(std::size_t size, std::uint64_t seed) {
  auto order = first_indices(size);
  for (std::size_t i = size; i > 1; --i) {
    std::swap(order[i - 1], order[static_cast<std::size_t>(next_random(seed) % i)]);
  }
  return order;
}

std::vector<std::size_t> best_assignment(const Matrix& similarity, std::uint64_t seed) {
  check(similarity.rows <= similarity.cols, "an assignment needs at least as many columns as rows");
  const auto row_order = seeded_permutation(similarity.rows, seed);
  const auto col_order = seeded_permutation(similarity.cols, seed ^ 0xA5A5A5A5A5A5A5A5ULL);
  Matrix cost(similarity.rows, similarity.cols);
  for (std::size_t i = 0; i < cost.rows; ++i) {
    const auto from = similarity.row(row_order[i]);
    for (std::size_t j = 0; j < cost.cols; ++j) cost.at(i, j) = -from[col_order[j]];
  }
  const auto solved = Solver(cost).solve();
  std::vector<std::size_t> pairing(similarity.rows);
  for (std::size_t i = 0; i < solved.size(); ++i) pairing[row_order[i]] = col_order[solved[i]];
  return pairing;
}

std::size_t matched_count(const Matrix& similarity, std::uint64_t seed) {
  const auto pairing = best_assignment(similarity, seed);
  std::size_t count = 0;
  for (std::size_t i = 0; i < pairing.size(); ++i) {
    if (pairing[i] != i) continue;
    const auto row = similarity.row(i);
    bool tied = false;
    for (std::size_t j = 0; j < row.size() && !tied; ++j) tied = j != i && row[j] == row[i];
    count += tied ? 0 : 1;
  }
  return count;
}

}  // namespace pedigree
