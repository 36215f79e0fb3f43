// Families made by hand: models as points, and as rows that training moved.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "compare/family_tree.h"

namespace pedigree::test {

// Points are what the layers hold; every model adds 10 in a dimension of its own
// sort so that products are well defined. A row's number is its version: rows of
// one version are alike.
class KinFamily {
 public:
  explicit KinFamily(std::size_t rows = 0) : rows_(rows) {}

  std::size_t add(std::vector<double> point, std::vector<int> versions = {}) {
    versions.resize(rows_);
    points_.push_back(std::move(point));
    versions_.push_back(std::move(versions));
    KinModel model{.precision = 8};
    for (const double value : points_.back()) model.squares[layers] += value * value;
    model.squares[layers] += 100;
    model.rounding[layers] = 1e-6;
    graph_.models.push_back(model);
    return points_.size() - 1;
  }

  void copy(std::size_t parent, std::size_t child) { copies_.emplace_back(parent, child); }
  void equal(std::size_t a, std::size_t b) { equals_.emplace_back(a, b); }
  void unrelated(std::size_t a, std::size_t b) { strangers_.emplace_back(a, b); }
  KinModel& model(std::size_t number) { return graph_.models[number]; }

  KinGraph graph() const {
    KinGraph graph = graph_;
    for (std::size_t i = 0; i < points_.size(); ++i) {
      for (std::size_t j = i + 1; j < points_.size(); ++j) graph.pairs.push_back(pair(i, j));
    }
    return graph;
  }

 private:
  static constexpr auto layers = static_cast<std::size_t>(ModelPart::attention);
  using Ends = std::vector<std::pair<std::size_t, std::size_t>>;

  static bool among(const Ends& ends, std::size_t a, std::size_t b) {
    for (const auto& [x, y] : ends) {
      if ((x == a && y == b) || (x == b && y == a)) return true;
    }
    return false;
  }

  KinPair pair(std::size_t i, std::size_t j) const {
    KinPair made{.first = i, .second = j};
    made.related = !among(strangers_, i, j);
    made.same = among(equals_, i, j);
    made.copy = made.same || among(copies_, i, j);
    if (made.copy && !made.same) {
      const bool forward = std::ranges::find(copies_, std::pair(i, j)) != copies_.end();
      made.direction = forward ? LinkDirection::first_is_parent : LinkDirection::second_is_parent;
    }
    double squares = 0;
    for (std::size_t k = 0; k < points_[i].size(); ++k) {
      squares += (points_[i][k] - points_[j][k]) * (points_[i][k] - points_[j][k]);
    }
    made.squares[layers] = squares;
    made.distance = squares / 100;
    std::size_t kept = 0;
    for (std::size_t k = 0; k < rows_; ++k) {
      made.compared.push_back(true);
      made.equal.push_back(versions_[i][k] == versions_[j][k]);
      kept += made.equal.back() ? 1U : 0U;
    }
    made.changed_rows = rows_ == 0 ? 1 : 1 - static_cast<double>(kept) / static_cast<double>(rows_);
    return made;
  }

  std::size_t rows_;
  KinGraph graph_;
  std::vector<std::vector<double>> points_;
  std::vector<std::vector<int>> versions_;
  Ends copies_;
  Ends equals_;
  Ends strangers_;
};

// "0-1 trained, 1=2 copy, 1>3 joint 0.70, ?4-5": sorted as they come.
inline std::string links_in_words(const ConnectedFamily& family) {
  std::string text;
  for (const FamilyLink& link : family.links) {
    if (!text.empty()) text += ", ";
    const char* sign = "-";
    if (link.kind == FamilyLink::Kind::copy) sign = "=";
    if (link.kind == FamilyLink::Kind::joint) sign = ">";
    if (link.kind == FamilyLink::Kind::missing) sign = "?";
    text += std::to_string(link.first) + sign + std::to_string(link.second);
  }
  return text;
}

}  // namespace pedigree::test
