#include "tasks/opened.h"
#include "tasks/tasks.h"

namespace pedigree {

Report inspect_model(const InspectRequest& request) {
  Report report = new_report("inspect");
  report.show_tensors = request.tensors;
  report.show_files = request.files;
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
