#include "tasks/tree_models.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "tasks/judge.h"

namespace pedigree {
namespace {

TreeNode node_of_opened(const Opened& opened) {
  const Subject subject = subject_of(opened);
  return {.name = opened.name(),
          .path = opened.path,
          .architecture = subject.info.architecture.family_title,
          .parameters = subject.info.parameters,
          .is_fingerprint = opened.model == nullptr,
          .not_judged = why_not(opened)};
}

bool names_its_tokens(const Opened& opened) {
  if (opened.model) return opened.model->tokenizer.has_value();
  return opened.stored && !opened.stored->tokens_by_row;
}

// A model's own errors belong to the run, under its name.
void take_errors(Report& report, const Opened& opened) {
  if (!opened.model) return;
  for (Problem problem : opened.model->problems) {
    if (problem.severity != Severity::error) continue;
    report.unreadable = report.unreadable || hides_the_answer(problem);
    problem.file = opened.name() + "/" + problem.file;
    report.problems.push_back(std::move(problem));
  }
}

}  // namespace

TreeModels::TreeModels(const std::vector<std::string>& paths, const RunOptions& run, Report& report)
    : run_(run) {
  open_all(paths, report);
  sample_all(report);
  report.nothing_to_do = report.nothing_to_do && count() < 2;
}

void TreeModels::open_all(const std::vector<std::string>& paths, Report& report) {
  const std::set<std::string> unique(paths.begin(), paths.end());
  std::map<std::string, std::size_t> names;
  bool pointers = false;
  for (const std::string& path : unique) {
    if (run_.progress.stop()) return fail(report, make_problem("interrupted", {}, "stopped"));
    const auto opened = store_.open(path);
    if (!opened) {
      nodes_.push_back(
          {.name = path, .path = path, .not_judged = could_not_open(path, opened.error())});
      fail(report, opened.error());
      continue;
    }
    nodes_.push_back(node_of_opened(**opened));
    ++names[nodes_.back().name];
    take_errors(report, **opened);
    pointers = pointers || ((*opened)->model && (*opened)->model->only_pointers);
    rows_wanted_ = rows_wanted_ || !names_its_tokens(**opened);
  }
  // Two of one name are told apart by their paths.
  for (TreeNode& node : nodes_) {
    if (names[node.name] > 1) node.name = node.path;
  }
  std::ranges::sort(nodes_, {},
                    [](const TreeNode& node) { return std::tie(node.name, node.path); });
  report.nothing_to_do = report.nothing_to_do || pointers;
}

void TreeModels::sample_all(Report& report) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].not_judged.empty()) continue;
    if (run_.progress.stop()) return fail(report, make_problem("interrupted", {}, "stopped"));
    if (run_.progress.report) run_.progress.report("sampling models", i, nodes_.size());
    auto judged = sample({.node = i, .path = nodes_[i].path});
    if (judged) {
      judged_.push_back(std::move(*judged));
      nodes_[i].not_judged = why_unjudgeable({.sketch = sketch_of(judged_.size() - 1)});
      if (!nodes_[i].not_judged.empty()) judged_.pop_back();
    } else {
      nodes_[i].not_judged = could_not_open(nodes_[i].path, judged.error());
      fail(report, std::move(judged.error()));
    }
  }
}

Result<TreeModels::Judged> TreeModels::sample(Judged judged) {
  const auto opened = store_.open(judged.path);
  if (!opened) return std::unexpected(opened.error());
  const Opened& model = **opened;
  if (!model.model) {
    judged.is_stored = true;
    if (model.stored) {
      (names_its_tokens(model) ? judged.by_token : judged.by_row) =
          std::make_shared<const Fingerprint>(*model.stored);
    }
    return judged;
  }
  for (const bool by_row : {false, true}) {
    if (by_row ? !rows_wanted_ : !names_its_tokens(model)) continue;
    auto made = make_fingerprint(
        *model.model,
        {.threads = run_.threads, .tokens_by_row = by_row, .progress = run_.progress});
    if (!made) return std::unexpected(std::move(made.error()));
    (by_row ? judged.by_row : judged.by_token) =
        std::make_shared<const Fingerprint>(std::move(*made));
  }
  return judged;
}

const Fingerprint& TreeModels::sketch_of(std::size_t number) const {
  const Judged& judged = judged_[number];
  return judged.by_token ? *judged.by_token : *judged.by_row;
}

Result<SampledPair> TreeModels::sampled(std::size_t first, std::size_t second) const {
  const Judged& a = judged_[first];
  const Judged& b = judged_[second];
  if (a.by_token && b.by_token)
    return SampledPair{.first = a.by_token.get(), .second = b.by_token.get()};
  if (a.by_row && b.by_row) return SampledPair{.first = a.by_row.get(), .second = b.by_row.get()};
  // A fingerprint names its tokens and the other side does not: that one is
  // sampled at the fingerprint's rows.
  const bool first_is_named = a.by_token != nullptr;
  const Judged& named = first_is_named ? a : b;
  const Judged& nameless = first_is_named ? b : a;
  SampledPair pair{.first = first_is_named ? named.by_token.get() : nullptr,
                   .second = first_is_named ? nullptr : named.by_token.get()};
  if (nameless.is_stored) {
    (first_is_named ? pair.second : pair.first) = nameless.by_row.get();
    return pair;
  }
  const auto opened = open_argument(nameless.path);
  if (!opened) return std::unexpected(opened.error());
  auto made = make_fingerprint(
      *(*opened)->model, {.threads = 1, .tokens_by_row = true, .tokens = named.by_token->tokens});
  if (!made) return std::unexpected(std::move(made.error()));
  pair.own = std::make_shared<const Fingerprint>(std::move(*made));
  return pair;
}

Result<std::shared_ptr<Opened>> TreeModels::open(std::size_t number) {
  return store_.open(judged_[number].path);
}

}  // namespace pedigree
