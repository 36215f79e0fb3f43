#include "tests/support/weight_laws.h"

#include <algorithm>

#include "base/text.h"
#include "formats/formats.h"

namespace pedigree {
namespace {

std::string broken_problem(const Problem& problem, std::uint64_t size) {
  if (find_problem_kind(problem.code) == nullptr) return "unknown code";
  if (problem.message.empty() || !is_valid_utf8(problem.message)) return "message";
  if (problem.file != "any") return "problem without file";
  if (problem.offset && *problem.offset > size) return "offset outside the file";
  return "";
}

std::string broken_entry(const TensorEntry& entry) {
  if (entry.type == nullptr || !is_valid_utf8(entry.name)) return "type or name";
  if (entry.extent.begin > entry.extent.end) return "inverted extent";
  if (entry.type != &opaque_type() &&
      entry.type->bytes_of(entry.element_count()) != entry.extent.size()) {
    return "size and shape disagree";
  }
  return "";
}

// Reads a little of every arranged tensor, as digests read all of it.
std::string broken_arrangement(const Source& source, WeightFile& file) {
  for (const ArrangedTensor& tensor : file.arranged) {
    if (auto law = broken_entry(tensor.entry); !law.empty()) return law;
    if (tensor.arrangement.stored.end > source.size()) return "stored outside the file";
  }
  const auto arranged = arranged_source(source, file.arranged);
  for (const ArrangedTensor& tensor : file.arranged) {
    std::vector<std::byte> some(
        static_cast<std::size_t>(std::min<std::uint64_t>(tensor.entry.extent.size(), 4096)));
    const auto problem = arranged->read_at(tensor.entry.extent.begin, some);
    if (problem && find_problem_kind(problem->code) == nullptr) return "unknown code when read";
  }
  return "";
}

}  // namespace

std::string broken_weight_law(const std::string& content) {
  const MemorySource source("any", content);
  auto file = read_weights(source);
  if (!file) return broken_problem(file.error(), content.size());
  for (const Problem& problem : file->problems) {
    if (auto law = broken_problem(problem, content.size()); !law.empty()) return law;
  }
  for (const TensorEntry& entry : file->tensors) {
    if (auto law = broken_entry(entry); !law.empty()) return law;
    if (entry.extent.end > content.size()) return "extent outside the file";
  }
  return broken_arrangement(source, *file);
}

}  // namespace pedigree
