// Arguments that are several models: what is compared with what, and one report of it.
//
// A pipeline's components are compared each with the component of the same name, else with
// the only one of the same class; a plain model on one side meets every component on the
// other. Folders and caches of models are listed and never compared: which of their models
// is meant has to be said.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/components.h"
#include "report/report.h"

namespace pedigree {

struct ComponentTask {
  std::string name = {};  // of the subject's component; "" of a plain model
  std::string path = {};
  std::vector<std::string> bases = {};       // paths
  std::vector<std::string> base_names = {};  // of each, as reports call it
  std::vector<std::string> unmatched = {};   // bases without a counterpart
};

struct ComponentPlan {
  std::string subject = {};                 // the path as given
  std::optional<Components> pipeline = {};  // of the subject
  std::vector<ComponentTask> tasks = {};
  std::vector<Problem> problems = {};  // of the pipelines as wholes
};

// None where no argument is a pipeline.
std::optional<ComponentPlan> plan_components(const std::string& subject,
                                             const std::vector<std::string>& bases);

// Runs `one` for each task and puts its reports together.
Report report_of_components(const ComponentPlan& plan, Report whole,
                            const std::function<Report(const ComponentTask&)>& one);

// `inspect` of several models; none where the path is one.
std::optional<Report> inspect_components(const std::string& path, Report whole);

}  // namespace pedigree
