#include <utility>

#include "tasks/component_models.h"
#include "tasks/opened.h"
#include "tasks/tasks.h"

namespace pedigree {

Report inspect_model(const InspectRequest& request) {
  Report report = new_report("inspect");
  report.show_tensors = request.tensors;
  report.show_files = request.files;
  if (auto several = inspect_components(request.model, report)) return *std::move(several);
  const auto opened = open_argument(request.model);
  if (!opened) {
    fail(report, opened.error());
    return report;
  }
  report.subject = subject_of(**opened);
  take_problems(report, **opened);
  return report;
}

}  // namespace pedigree
