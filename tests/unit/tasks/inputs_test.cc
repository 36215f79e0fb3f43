// What verbs make of inputs that are in part missing, or say something untrue of themselves.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/digest.h"
#include "base/files.h"
#include "tasks/tasks.h"
#include "tests/support/model_directory.h"
#include "tests/support/safetensors_builder.h"

using namespace pedigree;
namespace fs = std::filesystem;

namespace {

std::string family(const std::string& name) { return PEDIGREE_FIXTURES "/models/" + name; }

int status_of(const Report& report) {
  return exit_status(outcome_of(report, Severity::error), false);
}

void copy_into(const ModelDirectory& directory, const std::string& name) {
  fs::copy(family(name), directory.path(),
           fs::copy_options::recursive | fs::copy_options::overwrite_existing);
}

std::string weights_of(const std::string& name) {
  const auto text =
      read_small_file(family(name) + "/model.safetensors", "weights", std::uint64_t{1} << 24U);
  REQUIRE(text.has_value());
  return *text;
}

std::string pointer_to(std::string_view content) {
  return "version https://git-lfs.github.com/spec/v1\noid sha256:" + to_hex(sha256(content)) +
         "\nsize " + std::to_string(content.size()) + "\n";
}

const Problem* find(const std::vector<Problem>& problems, std::string_view code) {
  const auto at = std::ranges::find(problems, code, &Problem::code);
  return at == problems.end() ? nullptr : &*at;
}

std::string summary_of_first(const Report& report) {
  REQUIRE_FALSE(report.comparisons.empty());
  return report.comparisons[0].verdict.summary;
}

// A's weights as one of two shards; the other is not there.
void put_half(ModelDirectory& directory) {
  directory.write("model-00001-of-00002.safetensors", weights_of("A"));
}

}  // namespace

TEST_CASE("a pointer is identified by its object id, from either side and by a fingerprint") {
  ModelDirectory pointers("pointers");
  const std::string weights = weights_of("A");
  pointers.write("model.safetensors", pointer_to(weights));
  const std::string named =
      "the pointer of pointers names exactly model.safetensors of A (SHA-256 " +
      to_hex(sha256(weights)) + ")";
  const Report there = compare_models({.subject = pointers.path(), .bases = {family("A")}});
  CHECK(summary_of_first(there).contains(named));
  CHECK(there.comparisons[0].verdict.relation == "inconclusive");
  CHECK(status_of(there) == 3);
  const Report back = compare_models({.subject = family("A"), .bases = {pointers.path()}});
  CHECK(summary_of_first(back).contains(named));
  CHECK(status_of(back) == 3);
  const Report other = compare_models({.subject = pointers.path(), .bases = {family("C")}});
  CHECK_FALSE(summary_of_first(other).contains("names exactly"));
  const ModelDirectory out;
  const std::string print = out.path("A.pedigree");
  REQUIRE(status_of(fingerprint_models({.models = {family("A")}, .to = print, .digests = true})) ==
          0);
  CHECK(summary_of_first(compare_models({.subject = pointers.path(), .bases = {print}}))
            .contains(named));
  const Report seen = inspect_model({.model = pointers.path()});
  REQUIRE(find(seen.problems, "weights-not-downloaded") != nullptr);
  CHECK(find(seen.problems, "weights-not-downloaded")->message.contains(to_hex(sha256(weights))));
}

TEST_CASE("a model that is there in part ends every verb with 2, decided or not") {
  ModelDirectory half;
  put_half(half);
  const std::string model = half.path();
  const ModelDirectory out;
  CHECK(status_of(inspect_model({.model = model})) == 2);
  CHECK(status_of(digest_model_files({.model = model})) == 2);
  CHECK(status_of(fingerprint_models({.models = {model}, .to = out.path("x")})) == 2);
  CHECK(status_of(audit_model({.model = model})) == 2);
  const Report decided = compare_models({.subject = model, .bases = {family("A")}});
  CHECK(decided.comparisons.at(0).verdict.derived == "yes");
  CHECK(status_of(decided) == 2);
  CHECK(status_of(compare_models({.subject = family("A"), .bases = {model}})) == 2);
  CHECK(status_of(audit_model({.model = model, .against = {family("A")}})) == 2);
}

TEST_CASE("one shard given as a file is told from shards that are missing") {
  ModelDirectory half;
  put_half(half);
  const Report report = inspect_model({.model = half.path("model-00001-of-00002.safetensors")});
  const Problem* problem = find(report.problems, "index-missing-shard");
  REQUIRE(problem != nullptr);
  CHECK(problem->message ==
        "one shard of 2 was given as a file; those beside it were not looked at");
  CHECK(problem->remedy == "Give the directory, or the index of the shards.");
}

TEST_CASE("a second set of weights in the directory is compared with the first") {
  for (const auto& [name, said] :
       {std::pair{"A", "both hold the same weights"}, {"C", "these are two models"}}) {
    ModelDirectory directory;
    copy_into(directory, "A");
    directory.write("pytorch_model.safetensors", weights_of(name));
    const Report report = audit_model({.model = directory.path()});
    const Problem* problem = find(report.problems, "index-stale-family");
    REQUIRE(problem != nullptr);
    CHECK_MESSAGE(problem->message.contains(said), problem->message);
  }
}

TEST_CASE("a byte in a BOOL tensor that is neither 0 nor 1 is told with its place") {
  ModelDirectory directory;
  directory.write("model.safetensors", SafetensorsBuilder()
                                           .tensor("mask", "BOOL", {4}, std::string("\0\1\2\3", 4))
                                           .tensor("good", "BOOL", {2}, std::string("\0\1", 2))
                                           .build());
  const Report report = digest_model_files({.model = directory.path()});
  const Problem* problem = find(report.problems, "boolean-value");
  REQUIRE(problem != nullptr);
  CHECK(problem->message == "value 2 of \"mask\" is the byte 2");
  CHECK(problem->file == "model.safetensors");
  CHECK(problem->offset.has_value());
  CHECK(find(inspect_model({.model = directory.path()}).problems, "boolean-value") == nullptr);
}

TEST_CASE("a fingerprint beside the weights is not taken for weights") {
  ModelDirectory directory;
  copy_into(directory, "A");
  REQUIRE(status_of(fingerprint_models(
              {.models = {family("A")}, .to = directory.path("A.pedigree")})) == 0);
  const Report report = inspect_model({.model = directory.path()});
  CHECK(find(report.problems, "index-stale-family") == nullptr);
  CHECK(find(report.problems, "format-mismatch") == nullptr);
  const auto& files = report.subject->info.files;
  const auto print = std::ranges::find(files, "A.pedigree", &ModelFile::path);
  REQUIRE(print != files.end());
  CHECK(print->format == "fingerprint");
  // Weights under that name are weights all the same.
  ModelDirectory hidden;
  hidden.write("model.pedigree", weights_of("A"));
  CHECK_FALSE(inspect_model({.model = hidden.path()}).subject->info.tensors.empty());
}

TEST_CASE("nothing has no digest") {
  const ModelDirectory empty;
  const Report report = digest_model_files({.model = empty.path()});
  CHECK(status_of(report) == 3);
  REQUIRE(report.subject->digests.has_value());
  CHECK(report.subject->digests->named.empty());
  CHECK(report.subject->digests->bag.empty());
}

TEST_CASE("one directory given twice is said to be one") {
  const Report same = compare_models({.subject = family("A"), .bases = {family("../models/A")}});
  CHECK(summary_of_first(same).ends_with("Both arguments lead to the same place."));
  const Report two = compare_models({.subject = family("A-ft"), .bases = {family("A")}});
  CHECK_FALSE(summary_of_first(two).contains("same place"));
}

TEST_CASE("audit holds base_model_relation against the weights") {
  ModelDirectory directory("child");
  for (const auto& [relation, verdict] :
       {std::pair{"finetune", "confirmed"}, {"quantized", "contradicted"}}) {
    copy_into(directory, "A-ft");
    directory.write("README.md", "---\nbase_model: pedigree-fixtures/A\nbase_model_relation: " +
                                     std::string(relation) + "\n---\n");
    const Report report = audit_model({.model = directory.path(), .against = {family("A")}});
    const auto row =
        std::ranges::find(report.declared, "README.md:3 base_model_relation", &Declared::source);
    REQUIRE(row != report.declared.end());
    CHECK(row->verdict == verdict);
    CHECK(row->because == "the weights show A (finetune)");
    CHECK(status_of(report) == (std::string_view(verdict) == "contradicted" ? 1 : 0));
  }
}
