#include "compare/expert_rays.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>

#include "compare/dense.h"
#include "compare/expert_matches.h"
#include "compare/neuron_lookup.h"

namespace pedigree {
namespace {

constexpr double comparable_length = 1.0 / 3;  // of the longest
constexpr double at_right_angles = 0.1;
constexpr double next_to_nothing = 0.1;
constexpr double as_unrelated = 0.5;
constexpr std::size_t fewest_common = 16;  // neurons that all blocks of a group hold

struct Combination {
  double residue = 1;
  bool is_mean = false;  // no weight is negative
};

// The combination with Σw = 1 that leaves least: w ∝ G⁻¹1, and what it leaves is
// 1/(1ᵀG⁻¹1), here over Σ 1/Gᵢᵢ, which it is for a diagonal G.
Combination best_combination(const Eigen::MatrixXd& gram) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);
  const double floor = 1e-9 * solver.eigenvalues()(gram.rows() - 1);
  Eigen::VectorXd weights = Eigen::VectorXd::Zero(gram.rows());
  for (Eigen::Index i = 0; i < gram.rows(); ++i) {
    const Eigen::VectorXd direction = solver.eigenvectors().col(i);
    weights += direction * (direction.sum() / std::max(solver.eigenvalues()(i), floor));
  }
  const double unrelated = gram.diagonal().cwiseInverse().sum();
  return {.residue = unrelated / weights.sum(),
          .is_mean = weights.minCoeff() >= -0.1 * weights.maxCoeff()};
}

using Differences = std::vector<std::vector<double>>;

void append_difference(const Matrix& x, const Matrix& y, double sign, std::vector<double>& to) {
  for (std::size_t i = 0; i < std::min(x.values.size(), y.values.size()); ++i) {
    to.push_back(sign * (x.values[i] - y.values[i]));
  }
}

Differences indexed_differences(const FfnPairs& pairs, const std::vector<FfnMatch>& matches,
                                bool subject_is_many) {
  Differences all;
  for (const FfnMatch& match : matches) {
    const int i = pairs.subject().number_of(match.subject);
    const int j = pairs.base().number_of(match.base);
    std::vector<double> difference;
    for (const char* role : {"ffn.gate", "ffn.up", "ffn.down"}) {
      const Block* a = pairs.subject().sketch.block(role, i);
      const Block* b = pairs.base().sketch.block(role, j);
      if (a == nullptr || b == nullptr) continue;
      const auto rows = shared_places(a->rows, b->rows);
      const auto cols = shared_places(a->cols, b->cols);
      append_difference(part_of(*a, rows.subject, cols.subject), part_of(*b, rows.base, cols.base),
                        subject_is_many ? 1 : -1, difference);
    }
    all.push_back(std::move(difference));
  }
  const bool alike =
      std::ranges::all_of(all, [&](const auto& each) { return each.size() == all.front().size(); });
  if (!alike) all.clear();
  return all;
}

// Neurons of which all blocks of the group, and the one, have answers.
std::vector<std::uint64_t> units_in_common(const FfnPairs& pairs,
                                           const std::vector<FfnMatch>& matches) {
  std::optional<std::vector<std::uint64_t>> common;
  const auto narrow = [&](const FfnSketch& blocks, const FfnPlace& place) {
    const Responses* answers = blocks.sketch.response("ffn.up", blocks.number_of(place));
    std::vector<std::uint64_t> both;
    if (answers != nullptr && common) {
      std::ranges::set_intersection(*common, answers->units, std::back_inserter(both));
    } else if (answers != nullptr) {
      both = answers->units;
    }
    common = std::move(both);
  };
  for (const FfnMatch& match : matches) {
    narrow(pairs.subject(), match.subject);
    narrow(pairs.base(), match.base);
  }
  return common.value_or(std::vector<std::uint64_t>{});
}

Matrix answers_to(const Fingerprint& sketch, const Responses& answers,
                  const std::vector<std::uint64_t>& units, const std::vector<std::size_t>& tokens) {
  return answers_at(answers, shared_places(answers.units, units).subject, sketch.tokens.size(),
                    tokens);
}

// Answers are sums over rows times the same tokens, so that what holds of rows holds of them.
Differences answered_differences(const FfnPairs& pairs, const std::vector<FfnMatch>& matches,
                                 bool subject_is_many) {
  const Fingerprint& mine = pairs.subject().sketch;
  const Fingerprint& theirs = pairs.base().sketch;
  const CommonTokens tokens = common_tokens(mine, theirs);
  const auto units = units_in_common(pairs, matches);
  if (units.size() < fewest_common) return {};
  Differences all(matches.size());
  for (std::size_t k = 0; k < matches.size(); ++k) {
    for (const char* role : {"ffn.gate", "ffn.up"}) {
      const Responses* a = mine.response(role, pairs.subject().number_of(matches[k].subject));
      const Responses* b = theirs.response(role, pairs.base().number_of(matches[k].base));
      if (a == nullptr || b == nullptr) continue;
      append_difference(answers_to(mine, *a, units, tokens.subject_places),
                        answers_to(theirs, *b, units, tokens.base_places), subject_is_many ? 1 : -1,
                        all[k]);
    }
  }
  return all;
}

// Are there values of the blocks themselves?
bool has_values(const FfnPairs& pairs) {
  return std::ranges::any_of(pairs.subject().sketch.blocks,
                             [](const Block& block) { return !block.values.empty(); });
}

// By neuron of the one block, the links of every block of the group to it, in their order.
std::map<std::uint64_t, std::vector<NeuronLink>> common_links(const std::vector<FfnMatch>& matches,
                                                              bool subject_is_many) {
  std::map<std::uint64_t, std::vector<NeuronLink>> by_target;
  for (const FfnMatch& match : matches) {
    for (const auto& [mine, theirs] : match.neurons) {
      by_target[subject_is_many ? theirs : mine].push_back({.subject = match.subject,
                                                            .base = match.base,
                                                            .subject_neuron = mine,
                                                            .base_neuron = theirs});
    }
  }
  std::erase_if(by_target, [&](const auto& each) { return each.second.size() != matches.size(); });
  return by_target;
}

Result<Differences> found_differences(const Side& subject, const Side& base,
                                      const std::vector<FfnMatch>& matches, bool subject_is_many) {
  Differences all(matches.size());
  const auto common = common_links(matches, subject_is_many);
  if (common.size() < fewest_common) return Differences{};
  const auto dimensions = looked_at_dimensions(subject.weights->architecture.hidden);
  for (std::size_t k = 0; k < matches.size(); ++k) {
    std::vector<NeuronLink> links;
    links.reserve(common.size());
    for (const auto& [target, each] : common) links.push_back(each[k]);
    for (const FfnPart part : {FfnPart::gate, FfnPart::up, FfnPart::down}) {
      const auto x = linked_rows(*subject.weights, links, true, part, dimensions);
      if (!x) return std::unexpected(x.error());
      const auto y = linked_rows(*base.weights, links, false, part, dimensions);
      if (!y) return std::unexpected(y.error());
      append_difference(*x, *y, subject_is_many ? 1 : -1, all[k]);
    }
  }
  return all;
}

using Differing = std::vector<const std::vector<double>*>;

Eigen::MatrixXd products_of(const Differing& apart) {
  const auto count = static_cast<Eigen::Index>(apart.size());
  Eigen::MatrixXd gram(count, count);
  for (Eigen::Index i = 0; i < count; ++i) {
    for (Eigen::Index j = 0; j < count; ++j) {
      gram(i, j) =
          product(*apart[static_cast<std::size_t>(i)], *apart[static_cast<std::size_t>(j)]);
    }
  }
  return gram;
}

// Those not much shorter than the longest; the others' directions say little.
std::vector<Eigen::Index> comparable_ones(const std::vector<double>& squares) {
  const double longest = *std::ranges::max_element(squares);
  std::vector<Eigen::Index> places;
  for (std::size_t i = 0; i < squares.size(); ++i) {
    if (squares[i] >= comparable_length * comparable_length * longest) {
      places.push_back(static_cast<Eigen::Index>(i));
    }
  }
  return places;
}

double largest_cosine(const Eigen::MatrixXd& gram, const std::vector<Eigen::Index>& among) {
  double largest = 0;
  for (const Eigen::Index i : among) {
    for (const Eigen::Index j : among) {
      if (i == j) continue;
      const double cosine = gram(i, j) / std::sqrt(gram(i, i) * gram(j, j));
      if (std::abs(cosine) > std::abs(largest)) largest = cosine;
    }
  }
  return largest;
}

}  // namespace

Rays rays_of(const std::vector<std::vector<double>>& differences) {
  Rays rays;
  if (differences.size() < 2 || differences.front().empty()) return rays;
  rays.blocks = differences.size();
  std::vector<const std::vector<double>*> apart;
  std::vector<double> squares;
  for (const auto& difference : differences) {
    const double length = product(difference, difference);
    if (length <= 0) continue;
    apart.push_back(&difference);
    squares.push_back(length);
  }
  if (apart.empty()) {
    rays.shape = Rays::Shape::copies;
    return rays;
  }
  if (apart.size() < 2) return rays;
  const Eigen::MatrixXd gram = products_of(apart);
  const auto comparable = comparable_ones(squares);
  rays.cosine = largest_cosine(gram, comparable);
  const Combination best = best_combination(gram);
  rays.residue = best.residue;
  if (best.residue <= next_to_nothing) {
    if (best.is_mean) rays.shape = Rays::Shape::combined;
  } else if (comparable.size() >= 2 && std::abs(rays.cosine) <= at_right_angles &&
             rays.residue >= as_unrelated) {
    rays.shape = Rays::Shape::around;
  }
  return rays;
}

Result<Rays> rays_around(const Side& subject, const Side& base, const FfnPairs& pairs,
                         const std::vector<FfnMatch>& matches, bool subject_is_many) {
  const auto by_index = std::ranges::count_if(matches, &FfnMatch::by_index);
  if (by_index == static_cast<std::ptrdiff_t>(matches.size())) {
    return rays_of(has_values(pairs) ? indexed_differences(pairs, matches, subject_is_many)
                                     : answered_differences(pairs, matches, subject_is_many));
  }
  if (by_index > 0 || subject.weights == nullptr || base.weights == nullptr) return Rays{};
  const auto differences = found_differences(subject, base, matches, subject_is_many);
  if (!differences) return std::unexpected(differences.error());
  return rays_of(*differences);
}

}  // namespace pedigree
