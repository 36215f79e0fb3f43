// The sentences of a report, in one place for every reporter that people read.
//
// Sentences hold names from files as they are; the reporter escapes the whole
// sentence for its medium. Wording is calibrated: "shares weights with" unless
// the direction is known, and never a word about intent or safety.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/report.h"

namespace pedigree {

struct LabelledLine {
  std::string label;
  std::string text;
};

// What it is, what it declares, what its weights show, what was found, and how
// sure that is: the first five lines of every report with a subject.
std::vector<LabelledLine> five_lines(const Report& report);

// The verdict beside its reasons, one line a question; lines that say nothing
// are absent. The summary is left out where the five lines said it already.
std::vector<LabelledLine> verdict_lines(const Comparison& comparison, bool with_summary);

// Nothing is added where there is nothing to say.
void add_line(std::vector<LabelledLine>& lines, std::string label, std::string text);

// "a, b and 3 more"
std::string some_of(const std::vector<std::string>& parts, std::size_t limit);

std::string what_it_is(const Subject& subject);
std::string headline(const Report& report);  // "pedigree audit"
std::string verdict_phrase(const Verdict& verdict, std::string_view base);
// "unit-signs/1", with its stage where `all` holds the statistic more than once.
std::string statistic_in_words(const Evidence& evidence, const std::vector<Evidence>& all);
std::string null_in_words(Evidence::Null null);  // "exact", "upper bound"
std::string layer_map_in_words(const std::vector<std::pair<int, int>>& map);
std::string place_in_words(const Problem& problem);               // "README.md, line 4"
std::string claim_place(const Claim& claim);                      // "README.md:4"
std::string shape_text(const std::vector<std::uint64_t>& shape);  // "64 × 96"

// The one assumption behind every p, and what the columns mean.
std::string assumption();
std::string legend();

// How much a role changed over the layers it stands in.
struct RoleSummary {
  std::string role;
  std::size_t layers = 0;
  std::size_t exact = 0;  // of these, equal bit for bit
  double smallest = 0;    // relative change
  double largest = 0;
};
std::vector<RoleSummary> change_by_role(const std::vector<RoleChange>& change);

// The problems that no finding repeats.
std::vector<Problem> problems_beside(const Report& report);

}  // namespace pedigree
