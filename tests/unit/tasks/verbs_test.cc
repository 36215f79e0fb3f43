// The verbs over the stored family and small broken models: what a report says
// and which exit status it earns.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/digest.h"
#include "tasks/tasks.h"
#include "tests/support/model_directory.h"
#include "tests/support/safetensors_builder.h"
#include "tests/support/schema_check.h"

using namespace pedigree;
namespace fs = std::filesystem;

namespace {

std::string family(const std::string& name) { return PEDIGREE_FIXTURES "/models/" + name; }

// A folder that is gone when the test is over.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "pedigree-verbs-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string put(const std::string& name, std::string_view text) const {
    const fs::path file = path / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file.string();
  }

  fs::path path;
};

int status_of(const Report& report) {
  return exit_status(outcome_of(report, Severity::error), false);
}

std::string complaints(const Report& report) {
  return test::schema_complaints("report-1", find_reporter("json")->render(report, {}));
}

const Declared* row(const Report& report, std::string_view verdict) {
  const auto found = std::ranges::find(report.declared, verdict, &Declared::verdict);
  return found == report.declared.end() ? nullptr : &*found;
}

bool has_rule(const Report& report, std::string_view rule) {
  return std::ranges::find(report.findings, rule, &Finding::rule) != report.findings.end();
}

std::vector<Report> pair_reports(const std::string& lines, const std::string& expect = {}) {
  std::vector<Report> reports;
  compare_pairs({.lines = lines, .quick = true, .expect = expect},
                [&](Report report) { reports.push_back(std::move(report)); });
  return reports;
}

constexpr std::string_view pointer =
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:abababababababababababababababababababababababababababababababab\nsize 13\n";

}  // namespace

TEST_CASE("audit confirms a true declaration") {
  const Report report = audit_model({.model = family("A-ft"), .against = {family("A")}});
  REQUIRE(row(report, "confirmed") != nullptr);
  CHECK(row(report, "confirmed")->value == "pedigree-fixtures/A");
  CHECK(report.findings.empty());
  CHECK(status_of(report) == 0);
  CHECK(complaints(report) == "");
}

TEST_CASE("audit contradicts a false declaration and names the parent it found") {
  const Report report =
      audit_model({.model = family("A-cpt"), .against = {family("A"), family("C")}});
  REQUIRE(row(report, "contradicted") != nullptr);
  CHECK(row(report, "contradicted")->value == "pedigree-fixtures/C");
  REQUIRE(row(report, "undeclared") != nullptr);
  CHECK(row(report, "undeclared")->value == "A");
  CHECK(has_rule(report, "lineage-declared-contradicted"));
  CHECK(has_rule(report, "lineage-undeclared-parent"));
  CHECK(status_of(report) == 1);
  CHECK(complaints(report) == "");
}

TEST_CASE("audit without bases leaves declarations unverified") {
  const Report report = audit_model({.model = family("A-ft")});
  REQUIRE(row(report, "unverified") != nullptr);
  CHECK(has_rule(report, "lineage-declared-unverified"));
  CHECK(status_of(report) == 0);
}

TEST_CASE("an expectation is met by every base or not at all") {
  CompareRequest request{.subject = family("A-ft"), .bases = {family("A")}, .expect = "derived"};
  CHECK(status_of(compare_models(request)) == 0);
  request.bases.push_back(family("B"));
  CHECK(status_of(compare_models(request)) == 1);
}

TEST_CASE("a base that cannot be read leaves the others compared, and ends with 2") {
  const Report report =
      compare_models({.subject = family("A-ft"), .bases = {"/nowhere", family("A")}});
  REQUIRE(report.comparisons.size() == 2);
  CHECK(report.comparisons[0].verdict.derived == "inconclusive");
  CHECK(report.comparisons[1].verdict.derived == "yes");
  CHECK(status_of(report) == 2);
  CHECK(complaints(report) == "");
}

TEST_CASE("without a tokenizer on one side both sides are sampled by row") {
  const Folder folder;
  const fs::path copy = folder.path / "A-without-tokenizer";
  fs::create_directories(copy);
  for (const char* name : {"config.json", "model.safetensors"}) {
    fs::copy_file(family("A-ft") + "/" + name, copy / name);
  }
  const Report direct = compare_models({.subject = copy.string(), .bases = {family("A")}});
  CHECK(direct.comparisons.at(0).verdict.derived == "yes");
  const std::string print = (folder.path / "A.pedigree").string();
  REQUIRE(status_of(fingerprint_models({.models = {family("A")}, .to = print})) == 0);
  const Report mixed = compare_models({.subject = copy.string(), .bases = {print}});
  CHECK(mixed.comparisons.at(0).verdict.derived == "yes");
  CHECK(complaints(mixed) == "");
}

TEST_CASE("every line of pairs gets its report, in order, readable or not") {
  const auto reports =
      pair_reports(family("A-ft") + "\t" + family("A") + "\n/nowhere\t" + family("A") +
                   "\r\n\nno pair\n" + family("A") + "\t" + family("A"));
  REQUIRE(reports.size() == 4);
  CHECK(reports[0].comparisons.at(0).verdict.derived == "yes");
  CHECK(status_of(reports[0]) == 0);
  for (const std::size_t i : {1U, 2U}) {
    CHECK(reports[i].comparisons.at(0).verdict.relation == "inconclusive");
    CHECK_FALSE(reports[i].problems.empty());
    CHECK(status_of(reports[i]) == 2);
  }
  CHECK(reports[3].comparisons.at(0).verdict.derived == "yes");
  for (const Report& report : reports) CHECK(complaints(report) == "");
}

TEST_CASE("an expectation holds for each pair by itself") {
  const auto reports = pair_reports(
      family("A-ft") + "\t" + family("A") + "\n" + family("B") + "\t" + family("A"), "derived");
  REQUIRE(reports.size() == 2);
  CHECK(status_of(reports[0]) == 0);
  CHECK(status_of(reports[1]) == 1);
}

TEST_CASE("pointers and empty folders are nothing to do") {
  const Folder folder;
  folder.put("pointers/model.safetensors", pointer);
  fs::create_directories(folder.path / "empty");
  for (const char* name : {"pointers", "empty"}) {
    const std::string model = (folder.path / name).string();
    CHECK_MESSAGE(status_of(inspect_model({.model = model})) == 3, name);
    CHECK_MESSAGE(status_of(audit_model({.model = model})) == 3, name);
    CHECK_MESSAGE(status_of(digest_model_files({.model = model})) == 3, name);
    CHECK_MESSAGE(status_of(fingerprint_models({.models = {model}})) == 3, name);
    const Report compared = compare_models({.subject = model, .bases = {family("A")}});
    CHECK_MESSAGE(status_of(compared) == 3, name);
    CHECK(compared.comparisons.at(0).verdict.relation == "inconclusive");
    CHECK(complaints(compared) == "");
  }
}

TEST_CASE("what cannot be read, or is not there, ends with 2") {
  const Folder folder;
  const std::string broken = folder.put("broken/model.safetensors", "not a weight file at all");
  CHECK(status_of(inspect_model({.model = "/nowhere"})) == 2);
  CHECK(status_of(inspect_model({.model = broken})) == 2);
  CHECK(status_of(inspect_model({.model = (folder.path / "broken").string()})) == 2);
  CHECK(status_of(inspect_model({.model = "catalog:llama"})) == 2);
}

TEST_CASE("a model whose only weights could not be opened is not taken for an empty folder") {
  const Folder folder;
  REQUIRE(::mkfifo((folder.path / "model.safetensors").c_str(), 0600) == 0);
  CHECK(status_of(inspect_model({.model = folder.path.string()})) == 2);
  fs::remove(folder.path / "model.safetensors");
  fs::create_symlink("/dev/zero", folder.path / "model.safetensors");
  CHECK(status_of(inspect_model({.model = folder.path.string()})) == 2);
}

TEST_CASE("NaN in a tensor is told by name and never printed") {
  const ModelDirectory copy;
  fs::copy(family("A-ft"), copy.path(),
           fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  {
    const auto model = open_model(copy.path());
    REQUIRE(model.has_value());
    std::fstream file(copy.path("model.safetensors"),
                      std::ios::in | std::ios::out | std::ios::binary);
    for (const std::string_view name :
         {"model.layers.0.mlp.up_proj.weight", "model.layers.1.self_attn.v_proj.weight"}) {
      const auto tensor = std::ranges::find((*model)->tensors, name, [](const StoredTensor& each) {
        return std::string_view(each.entry.name);
      });
      REQUIRE(tensor != (*model)->tensors.end());
      file.seekp(static_cast<std::streamoff>(tensor->entry.extent.begin));
      for (std::uint64_t i = 0; i < tensor->entry.extent.size() / 2; ++i) file.write("\xC0\x7F", 2);
    }
    REQUIRE(file.good());
  }
  const std::string said = "ffn.up of layer 0 and 1 more hold NaN or infinity";
  for (const bool swapped : {false, true}) {
    const std::string a = swapped ? family("A") : copy.path();
    const std::string b = swapped ? copy.path() : family("A");
    const Report report = compare_models({.subject = a, .bases = {b}, .details = true});
    REQUIRE(report.comparisons.size() == 1);
    const Comparison& comparison = report.comparisons[0];
    const auto told = std::ranges::find(comparison.problems, "tensor-not-finite", &Problem::code);
    REQUIRE(told != comparison.problems.end());
    CHECK(told->message == said);
    CHECK(told->file == "model");
    CHECK(comparison.verdict.derived == "yes");
    CHECK(comparison.rows.size() >= 30);
    for (const std::string_view style : {"json", "text", "markdown"}) {
      CHECK_FALSE(find_reporter(style)->render(report, {}).empty());
    }
    CHECK(complaints(report) == "");
  }
  const Folder out;
  const Report report = fingerprint_models({.models = {copy.path()}, .to = out.path.string()});
  const auto told = std::ranges::find(report.problems, "tensor-not-finite", &Problem::code);
  REQUIRE(told != report.problems.end());
  CHECK(told->message == said);
  CHECK(status_of(report) == 0);
}

TEST_CASE("lists come from files and pipes, and what is neither is said to be so") {
  const Folder folder;
  CHECK(read_text_input(folder.put("list", "a\tb\n")) == Result<std::string>("a\tb\n"));
  const std::string pipe = (folder.path / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::thread writer([&] {
    const int end = ::open(pipe.c_str(), O_WRONLY);  // both ends wait for each other
    static_cast<void>(::write(end, "x", 1));
    ::close(end);
  });
  CHECK(read_text_input(pipe) == Result<std::string>("x"));
  writer.join();
  CHECK(read_text_input(folder.path.string()).error().message == "Is a directory");
  CHECK(read_text_input("/nothing/here").error().code == "io-error");
}

TEST_CASE("an adapter alone is inconclusive and no error") {
  const Folder folder;
  // One F32 matrix of two values, as peft names it.
  const std::string header =
      R"({"base_model.model.q_proj.lora_A.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  folder.put("adapter/adapter_model.safetensors", bytes + header + std::string(8, '\1'));
  folder.put("adapter/adapter_config.json",
             R"({"peft_type":"LORA","r":1,"base_model_name_or_path":"org/base"})");
  const Report report =
      compare_models({.subject = (folder.path / "adapter").string(), .bases = {family("A")}});
  CHECK(report.comparisons.at(0).verdict.relation == "inconclusive");
  CHECK(report.comparisons.at(0).verdict.summary.find("adapter") != std::string::npos);
  CHECK(status_of(report) == 0);
}

TEST_CASE("digests are held against lists of expectations") {
  const Folder folder;
  const std::string good = folder.put(
      "good",
      "e81bda1a5b384ead7833c6ff97693f4f8a63d991204b2061e953fbc4e6a2a538  model.safetensors\n");
  const std::string bad = folder.put("bad", std::string(64, 'a') + "  model.safetensors\n");
  const std::string gone = folder.put("gone", std::string(64, 'a') + "  absent.safetensors\n");
  const Report match = digest_model_files({.model = family("A"), .verify = {good}});
  CHECK(match.checks.at(0).state == "match");
  CHECK(status_of(match) == 0);
  const Report mismatch = digest_model_files({.model = family("A"), .verify = {bad}});
  CHECK(mismatch.checks.at(0).state == "mismatch");
  CHECK(has_rule(mismatch, "digest-mismatch"));
  CHECK(status_of(mismatch) == 1);
  CHECK(complaints(mismatch) == "");
  const Report missing = digest_model_files({.model = family("A"), .verify = {gone}});
  CHECK(has_rule(missing, "digest-file-missing"));
  CHECK(status_of(missing) == 1);
}

TEST_CASE("the blobs of a hub cache are held against their names, weights or not") {
  const std::string weights = SafetensorsBuilder().tensor("a", "F32", {1}, "four").build();
  const std::string words = "{}";
  const auto sha256_of = [](std::string_view text) { return to_hex(sha256(text)); };
  for (const std::string& stored : {words, std::string("{ }")}) {
    ModelDirectory cache("models--org--name");
    cache.write("refs/main", "abc");
    // The hub names small files by git's blob id: `git hash-object` of "{}".
    const std::string config = "9e26dfeeb6e641a33dae4961196235bdb965b21b";
    cache.write("blobs/" + config, stored);
    cache.link("snapshots/abc/config.json", "../../blobs/" + config);
    cache.write("blobs/" + sha256_of(weights), weights);
    cache.write("blobs/" + sha256_of(words), stored);
    cache.link("snapshots/abc/model.safetensors", "../../blobs/" + sha256_of(weights));
    cache.link("snapshots/abc/tokenizer.json", "../../blobs/" + sha256_of(words));
    const Report report = digest_model_files({.model = cache.path()});
    REQUIRE(report.checks.size() == 3);
    const std::string expected = stored == words ? "match" : "mismatch";
    CHECK(report.checks[0].file == "config.json");
    CHECK(report.checks[0].state == expected);
    CHECK(report.checks[1].state == "match");
    CHECK(report.checks[2].file == "tokenizer.json");
    CHECK(report.checks[2].state == expected);
    CHECK(has_rule(report, "digest-mismatch") == (stored != words));
    CHECK_FALSE(has_rule(report, "digest-file-missing"));
  }
}

TEST_CASE("fingerprints go where they are wanted, one file a model") {
  const Folder folder;
  const std::string out = (folder.path / "out").string();
  const Report report = fingerprint_models({.models = {family("A"), family("A")}, .to = out});
  REQUIRE(report.written.size() == 2);
  CHECK(fs::exists(folder.path / "out/A.pedigree"));
  CHECK(fs::exists(folder.path / "out/A-2.pedigree"));
  CHECK(report.written[0].bytes_read < report.written[0].weight_bytes);
  CHECK(complaints(report) == "");
  const Report inspected = inspect_model({.model = out + "/A.pedigree"});
  CHECK_FALSE(inspected.subject->fingerprint_scheme.empty());
  CHECK(complaints(inspected) == "");
}

TEST_CASE("a secret salt moves the scheme, an empty one is refused") {
  const Folder folder;
  const std::string salt = folder.put("salt", "not for evaders");
  const std::string empty = folder.put("empty", "");
  const std::string to = (folder.path / "a.pedigree").string();
  const Report salted = fingerprint_models({.models = {family("A")}, .to = to, .salt_file = salt});
  const Report open = fingerprint_models({.models = {family("A")}, .to = to});
  CHECK(salted.written.at(0).scheme != open.written.at(0).scheme);
  CHECK(status_of(fingerprint_models({.models = {family("A")}, .to = to, .salt_file = empty})) ==
        2);
}

TEST_CASE("a salted fingerprint is compared by whoever holds its salt") {
  const Folder folder;
  const std::string salt = folder.put("salt", "not for evaders");
  const std::string other = folder.put("other", "another secret");
  const std::string print = (folder.path / "a.pedigree").string();
  REQUIRE(status_of(
              fingerprint_models({.models = {family("A")}, .to = print, .salt_file = salt})) == 0);
  CompareRequest request{.subject = family("A-ft"), .bases = {print}, .salt_file = salt};
  CHECK(compare_models(request).comparisons.at(0).verdict.derived == "yes");
  CHECK(audit_model({.model = family("A-ft"), .against = {print}, .salt_file = salt})
            .comparisons.at(0)
            .verdict.derived == "yes");
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"", "give that salt with --salt"}, {other, "and --salt gives the one with digest"}};
  for (const auto& [file, why] : refused) {
    request.salt_file = file;
    const Report report = compare_models(request);
    CHECK(report.comparisons.at(0).verdict.derived == "inconclusive");
    CHECK(report.comparisons.at(0).verdict.summary.find(why) != std::string::npos);
    CHECK(report.comparisons.at(0).problems.at(0).code == "fingerprint-scheme");
    CHECK(status_of(report) == 2);
    CHECK(complaints(report) == "");
  }
}

TEST_CASE("fingerprints reach a clean bill with their deep part only") {
  const Folder folder;
  for (const bool deep : {true, false}) {
    CAPTURE(deep);
    const std::string one = (folder.path / "a.pedigree").string();
    const std::string two = (folder.path / "b.pedigree").string();
    REQUIRE(status_of(fingerprint_models({.models = {family("A")}, .to = one, .deep = deep})) == 0);
    REQUIRE(status_of(fingerprint_models({.models = {family("B")}, .to = two, .deep = deep})) == 0);
    for (const std::string& subject : {one, family("A")}) {
      const Verdict verdict =
          compare_models({.subject = subject, .bases = {two}}).comparisons.at(0).verdict;
      CHECK(verdict.derived == (deep ? "no" : "inconclusive"));
      CHECK(verdict.stage == (deep ? "couplings" : ""));
      const std::string_view words =
          deep ? "would have been seen with probability 0.999" : "without its deep part";
      CHECK_MESSAGE(verdict.summary.find(words) != std::string::npos, verdict.summary);
      const Verdict quick = compare_models({.subject = subject, .bases = {two}, .quick = true})
                                .comparisons.at(0)
                                .verdict;
      CHECK(quick.derived == "inconclusive");
    }
  }
}

TEST_CASE("a raised flag ends a run as interrupted") {
  const std::atomic<bool> stop = true;
  RunOptions run;
  run.progress.cancelled = &stop;
  const Report report =
      compare_models({.subject = family("A-ft"), .bases = {family("A")}, .run = run});
  CHECK(exit_status(outcome_of(report, Severity::error), false) == 130);
  const Report prints =
      fingerprint_models({.models = {family("A")}, .to = "/nowhere/x", .run = run});
  CHECK(exit_status(outcome_of(prints, Severity::error), false) == 130);
}
