// Any bytes become instructions with lines inside the text, or a problem; any JSON becomes
// layers whose names stay inside a folder, or a problem.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "model/layout_image.h"
#include "model/layout_modelfile.h"
#include "model/modelfile.h"

namespace {

using namespace pedigree;

void hold(const Problem& problem, unsigned lines) {
  check(find_problem_kind(problem.code) != nullptr, "a code nobody listed");
  check(problem.line.value_or(1) <= lines, "a problem's line outside the text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(static_cast<const char*>(static_cast<const void*>(data)), size);
  const unsigned lines = line_of(text, text.size());
  const auto entries = parse_modelfile(text, "Modelfile");
  if (entries) {
    for (const ModelfileEntry& entry : *entries) {
      check(entry.line >= 1 && entry.line <= lines, "an instruction outside the text");
      check(is_valid_utf8(entry.value), "a value that is not UTF-8");
    }
  } else {
    hold(entries.error(), lines);
  }
  std::vector<Problem> problems;
  const auto claims = modelfile_claims(text, "Modelfile", problems);
  check(entries.has_value() || claims.empty(), "claims of a refused text");
  const auto image = parse_image_manifest(text, "latest");
  if (!image) {
    hold(image.error(), lines);
    return 0;
  }
  for (const ImageLayer& layer : image->layers) {
    check(layer.sha256.size() == 64, "a layer without a digest");
    check(layer.name.empty() || is_confined_name(layer.name), "a layer's name leads out");
  }
  return 0;
}
