// The models of one tree: opened one at a time, sampled once, numbered by name.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compare/compare.h"
#include "report/report.h"
#include "tasks/opened.h"
#include "tasks/tasks.h"

namespace pedigree {

// Two models as they were sampled alike.
struct SampledPair {
  const Fingerprint* first = nullptr;
  const Fingerprint* second = nullptr;
  std::shared_ptr<const Fingerprint> own = {};  // one of them, where it was made for this pair

  const Fingerprint& first_sketch() const { return first != nullptr ? *first : *own; }
  const Fingerprint& second_sketch() const { return second != nullptr ? *second : *own; }
};

class TreeModels {
 public:
  // Opens and samples every path once; equal paths count once. What cannot be
  // judged keeps its place among the nodes, with the reason, and no number.
  TreeModels(const std::vector<std::string>& paths, const RunOptions& run, Report& report);

  const std::vector<TreeNode>& nodes() const { return nodes_; }

  // Those that can be judged have numbers 0 … count()-1, in the order of names.
  std::size_t count() const { return judged_.size(); }
  std::size_t node_of(std::size_t number) const { return judged_[number].node; }
  const std::string& name_of(std::size_t number) const { return nodes_[node_of(number)].name; }
  const Fingerprint& sketch_of(std::size_t number) const;
  bool has_weights(std::size_t number) const { return !judged_[number].is_stored; }

  // No weights are read unless one side has no token names and the other is a
  // fingerprint; safe to call from many threads.
  Result<SampledPair> sampled(std::size_t first, std::size_t second) const;

  // The model itself, from the store.
  Result<std::shared_ptr<Opened>> open(std::size_t number);

 private:
  struct Judged {
    std::size_t node = 0;
    std::string path = {};
    bool is_stored = false;                            // a fingerprint is all there is
    std::shared_ptr<const Fingerprint> by_token = {};  // sampled by token string
    std::shared_ptr<const Fingerprint> by_row = {};    // by row number
  };

  void open_all(const std::vector<std::string>& paths, Report& report);
  void sample_all(Report& report);
  Result<Judged> sample(Judged judged);

  RunOptions run_;
  OpenedStore store_;
  bool rows_wanted_ = false;  // some model has no token names
  std::vector<TreeNode> nodes_;
  std::vector<Judged> judged_;
};

}  // namespace pedigree
