#include "compare/kin_table.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace pedigree {
namespace {

constexpr std::size_t npos = std::numeric_limits<std::size_t>::max();
constexpr double least_carried = 0.75;
constexpr double most_carried = 1.5;
constexpr std::size_t fewest_rows = 3;

}  // namespace

KinTable::KinTable(const KinGraph& graph)
    : graph_(graph), places_(graph.models.size() * graph.models.size(), npos) {
  for (std::size_t i = 0; i < graph.pairs.size(); ++i) {
    const KinPair& pair = graph.pairs[i];
    places_[pair.first * graph.models.size() + pair.second] = i;
    places_[pair.second * graph.models.size() + pair.first] = i;
  }
}

const KinPair* KinTable::find(std::size_t a, std::size_t b) const {
  const std::size_t place = places_[a * graph_.models.size() + b];
  return place == npos ? nullptr : &graph_.pairs[place];
}

bool KinTable::one_chart(std::size_t a, std::size_t b) const {
  return graph_.models[a].chart == graph_.models[b].chart;
}

bool KinTable::carries(std::size_t from, std::size_t near, std::size_t far) const {
  if (!one_chart(from, near) || !one_chart(from, far)) return false;
  const KinPair* step = find(from, near);
  const KinPair* whole = find(from, far);
  const KinPair* rest = find(near, far);
  if (step == nullptr || whole == nullptr || rest == nullptr) return false;
  bool moved = false;
  for (const ModelPart part :
       {ModelPart::embedding, ModelPart::attention, ModelPart::feed_forward}) {
    const auto at = static_cast<std::size_t>(part);
    const double length = step->squares[at];
    if (length <= 0) continue;
    const double carried = (length + whole->squares[at] - rest->squares[at]) / (2 * length);
    if (carried < least_carried || carried > most_carried) return false;
    moved = true;
  }
  return moved;
}

double KinTable::cosine(std::size_t at, std::size_t a, std::size_t b) const {
  if (!one_chart(at, a) || !one_chart(at, b)) return 0;
  const KinPair* to_a = find(at, a);
  const KinPair* to_b = find(at, b);
  const KinPair* across = find(a, b);
  if (to_a == nullptr || to_b == nullptr || across == nullptr) return 0;
  const auto length = [](const KinPair& pair) {
    return std::accumulate(pair.squares.begin(), pair.squares.end(), 0.0);
  };
  const double size = std::sqrt(length(*to_a) * length(*to_b));
  return size > 0 ? (length(*to_a) + length(*to_b) - length(*across)) / (2 * size) : 0;
}

std::size_t KinTable::rows_alike_without(std::size_t a, std::size_t b, std::size_t other) const {
  if (!one_chart(a, b) || !one_chart(a, other)) return 0;
  const KinPair* alike = find(a, b);
  const KinPair* first = find(a, other);
  const KinPair* second = find(b, other);
  if (alike == nullptr || first == nullptr || second == nullptr) return 0;
  const std::size_t rows =
      std::min({alike->equal.size(), first->equal.size(), second->equal.size()});
  std::size_t count = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    count += alike->equal[i] && !first->equal[i] && !second->equal[i] ? 1U : 0U;
  }
  return count;
}

bool KinTable::meet_elsewhere(std::size_t a, std::size_t b, std::size_t c) const {
  return rows_alike_without(a, b, c) >= fewest_rows && rows_alike_without(a, c, b) >= fewest_rows &&
         rows_alike_without(b, c, a) >= fewest_rows;
}

}  // namespace pedigree
