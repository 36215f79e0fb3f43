#include "tasks/component_models.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "model/towers.h"
#include "tasks/judge.h"
#include "tasks/opened.h"

namespace pedigree {
namespace {

std::optional<Components> components_of(const std::string& path) {
  auto found = find_pipeline(path);
  return found ? std::move(found) : find_towers(path);
}

// By name, else the only one of the same class.
const Component* counterpart(const Component& of, const std::vector<Component>& among) {
  const auto named = std::ranges::find(among, of.name, &Component::name);
  if (named != among.end()) return &*named;
  if (of.type.empty() || std::ranges::count(among, of.type, &Component::type) != 1) return nullptr;
  return &*std::ranges::find(among, of.type, &Component::type);
}

// A base, and what it is where it is one model or CLIP's two.
struct Base {
  std::string path = {};
  std::optional<Components> components = {};
  std::string name = {};
  std::string kind = {};                // of structure, "decoder"; "" where not known
  std::vector<std::string> parts = {};  // under prefixes of their own
};

// With its kind only where a tower has to be told from a language model.
Base base_at(const std::string& path, bool for_towers) {
  Base base{.path = path, .components = components_of(path)};
  if (base.components || !for_towers) return base;
  const auto model = open_model(path);
  if (!model) return base;
  base.name = (*model)->name;
  base.kind = parse_structure((*model)->architecture.structure).kind;
  base.parts = parts_of((*model)->tensors);
  return base;
}

// A tower meets a tower of its name within the base, or a whole of its own kind.
void add_plain_base(ComponentTask& task, const Component* mine, const Base& base) {
  const bool has_part =
      mine != nullptr && std::ranges::find(base.parts, mine->name) != base.parts.end();
  const bool other_kind =
      mine != nullptr && !mine->type.empty() && !base.kind.empty() && mine->type != base.kind;
  if (has_part) {
    task.bases.push_back(base.path + "::" + mine->name);
    task.base_names.push_back(base.name + "/" + mine->name);
  } else if (other_kind && base.kind != "unknown" && mine->type != "unknown") {
    task.unmatched.push_back(base.name);
  } else {
    task.bases.push_back(base.path);
    task.base_names.emplace_back();
  }
}

void add_base(ComponentTask& task, const Component* mine, const Base& of) {
  const std::optional<Components>& base = of.components;
  if (!base) return add_plain_base(task, mine, of);
  const auto add = [&](const Component& component) {
    task.bases.push_back(component.path);
    task.base_names.push_back(base->name + "/" + component.name);
  };
  if (mine == nullptr) {
    std::ranges::for_each(base->components, add);
  } else if (const Component* other = counterpart(*mine, base->components)) {
    add(*other);
  } else {
    task.unmatched.push_back(base->name);
  }
}

// The whole as a subject: what its components come to.
Subject whole_subject(const Components& components, const std::vector<Subject>& parts) {
  Subject subject;
  subject.info.name = components.name;
  subject.info.architecture.family = "unknown";
  subject.info.architecture.family_title = "unknown";
  std::set<std::string> formats;
  for (const Subject& part : parts) {
    formats.insert(part.info.formats.begin(), part.info.formats.end());
    subject.info.parameters += part.info.parameters;
    subject.info.weight_bytes += part.info.weight_bytes;
    subject.info.missing_bytes += part.info.missing_bytes;
  }
  subject.info.formats.assign(formats.begin(), formats.end());
  return subject;
}

// What the whole says about itself stands in files beside its components.
void add_claims_of_the_whole(const std::string& path, Subject& subject) {
  const auto model = open_model(path);
  if (!model) return;
  for (const Claim& claim : (*model)->claims) {
    if (!claim.file.contains('/')) subject.info.claims.push_back(claim);
  }
}

// A component has the whole's card, which says where it comes from.
bool is_of_the_whole(std::string_view code) {
  return code == "card-missing" || code == "config-missing" || code == "lineage-unknown-origin";
}

void put_under(std::string& file, const std::string& component) {
  if (!component.empty()) file = file.empty() ? component : component + "/" + file;
}

// `own_name`: what the part calls itself, as findings about all of it do.
void take(Report& whole, Report part, const ComponentTask& task, const std::string& own_name) {
  for (Problem& problem : part.problems) {
    if (!task.name.empty() && is_of_the_whole(problem.code)) continue;
    put_under(problem.file, task.name);
    whole.problems.push_back(std::move(problem));
  }
  for (Finding& finding : part.findings) {
    if (!task.name.empty() && is_of_the_whole(finding.rule)) continue;
    if (!task.name.empty() && finding.subject == own_name) finding.subject.clear();
    put_under(finding.subject, task.name);
    whole.findings.push_back(std::move(finding));
  }
  for (Declared& declared : part.declared) {
    put_under(declared.source, task.name);
    whole.declared.push_back(std::move(declared));
  }
  std::ranges::move(part.checks, std::back_inserter(whole.checks));
  whole.unreadable = whole.unreadable || part.unreadable;
  whole.nothing_to_do = whole.nothing_to_do || part.nothing_to_do;
}

void take_comparisons(Report& whole, Report& part, const ComponentTask& task,
                      const std::string& name) {
  for (std::size_t i = 0; i < part.comparisons.size(); ++i) {
    Comparison& comparison = part.comparisons[i];
    comparison.subject = name;
    if (i < task.base_names.size() && !task.base_names[i].empty()) {
      comparison.base = task.base_names[i];
    }
    whole.comparisons.push_back(std::move(comparison));
  }
  for (const std::string& base : task.unmatched) {
    whole.comparisons.push_back(not_compared(
        name, base,
        fmt::format("{} has no component of the name or the class of {}", base, task.name)));
  }
}

// Was a component of a pipeline not read?
bool left_out(const std::vector<Problem>& problems) {
  return std::ranges::find(problems, "symlink-escape", &Problem::code) != problems.end();
}

void add_problems_of_wholes(ComponentPlan& plan, const std::vector<Base>& bases) {
  if (plan.pipeline) plan.problems = plan.pipeline->problems;
  for (const Base& base : bases) {
    if (!base.components) continue;
    for (Problem problem : base.components->problems) {
      put_under(problem.file, base.components->name);
      plan.problems.push_back(std::move(problem));
    }
  }
}

}  // namespace

std::optional<ComponentPlan> plan_components(const std::string& subject,
                                             const std::vector<std::string>& bases) {
  ComponentPlan plan{.subject = subject, .pipeline = components_of(subject)};
  const bool of_towers = plan.pipeline && plan.pipeline->kind == Components::Kind::towers;
  std::vector<Base> others;
  others.reserve(bases.size());
  for (const std::string& base : bases) others.push_back(base_at(base, of_towers));
  const bool any = plan.pipeline || std::ranges::any_of(others, [](const Base& each) {
                     return each.components.has_value();
                   });
  if (!any) return std::nullopt;
  add_problems_of_wholes(plan, others);
  const auto task_for = [&](const Component* mine) {
    ComponentTask task{.name = mine == nullptr ? "" : mine->name,
                       .path = mine == nullptr ? subject : mine->path};
    for (std::size_t i = 0; i < bases.size(); ++i) add_base(task, mine, others[i]);
    return task;
  };
  if (!plan.pipeline) {
    plan.tasks.push_back(task_for(nullptr));
    return plan;
  }
  for (const Component& component : plan.pipeline->components) {
    plan.tasks.push_back(task_for(&component));
  }
  return plan;
}

Report report_of_components(const ComponentPlan& plan, Report whole,
                            const std::function<Report(const ComponentTask&)>& one) {
  whole.problems = plan.problems;
  whole.unreadable = left_out(plan.problems);
  for (const ComponentTask& task : plan.tasks) {
    Report part = one(task);
    const std::string name = plan.pipeline ? plan.pipeline->name + "/" + task.name
                                           : (part.subject ? part.subject->info.name : task.path);
    const std::string own_name = part.subject ? part.subject->info.name : std::string();
    take_comparisons(whole, part, task, name);
    if (part.subject) {
      if (plan.pipeline) {
        part.subject->info.name = task.name;
        whole.components.push_back(*std::move(part.subject));
      } else {
        whole.subject = std::move(part.subject);
      }
    }
    take(whole, std::move(part), task, own_name);
  }
  if (plan.pipeline) {
    whole.subject = whole_subject(*plan.pipeline, whole.components);
    add_claims_of_the_whole(plan.subject, *whole.subject);
  }
  return whole;
}

std::optional<Report> inspect_components(const std::string& path, Report whole) {
  const auto found = find_components(path);
  if (!found) return std::nullopt;
  whole.problems = found->problems;
  whole.unreadable = found->kind == Components::Kind::pipeline && left_out(found->problems);
  for (const Component& component : found->components) {
    Report part = new_report("inspect");
    const ComponentTask task{.name = component.name, .path = component.path};
    const auto opened = open_argument(component.path);
    if (!opened) {
      fail(part, opened.error());
    } else {
      Subject subject = subject_of(**opened);
      subject.info.name = component.name;
      take_problems(part, **opened);
      whole.components.push_back(std::move(subject));
    }
    take(whole, std::move(part), task, {});
  }
  whole.subject = whole_subject(*found, whole.components);
  if (found->kind == Components::Kind::pipeline) add_claims_of_the_whole(path, *whole.subject);
  return whole;
}

}  // namespace pedigree
