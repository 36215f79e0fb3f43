#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tasks/tasks.h"
#include "tests/support/schema_check.h"

namespace pedigree {
namespace {

const Supported& row(const std::vector<Supported>& rows, std::string_view id) {
  const auto found = std::ranges::find(rows, id, &Supported::id);
  REQUIRE(found != rows.end());
  return *found;
}

}  // namespace

TEST_CASE("what is supported is listed from the tables, each row once") {
  const std::vector<Supported> rows = supported();
  std::set<std::pair<std::string, std::string>> seen;
  for (const Supported& each : rows) {
    CHECK_MESSAGE(seen.emplace(each.kind, each.id).second, each.id);
    CHECK_MESSAGE(!each.title.empty(), each.id);
    CHECK_MESSAGE((each.state == "read" || each.state == "recognised"), each.id);
  }
  CHECK(row(rows, "onnx").state == "read");
  CHECK_FALSE(row(rows, "onnx").checked.empty());
  CHECK(row(rows, "hdf5").state == "recognised");
  CHECK_FALSE(row(rows, "hdf5").remedy.empty());
  CHECK(row(rows, "mlx").kind == "packing");
  CHECK(row(rows, "Q4_K").title == "floats in blocks of 256");
  CHECK(row(rows, "C64").state == "recognised");
}

TEST_CASE("every format that is read says what it was checked against") {
  for (const Supported& each : supported()) {
    if (each.kind == "element-type" || each.state != "read") continue;
    CHECK_MESSAGE(!each.checked.empty(), each.id);
  }
}

TEST_CASE("the list of what is supported keeps to its schema and names every row as text") {
  const std::vector<Supported> rows = supported();
  const std::string json = find_reporter("json")->support(rows, {});
  CHECK(test::schema_complaints("support-1", json) == "");
  const std::string text = find_reporter("text")->support(rows, {.width = 120});
  const std::string markdown = find_reporter("markdown")->support(rows, {});
  for (const Supported& each : rows) {
    CHECK_MESSAGE(text.find(each.id) != std::string::npos, each.id);
  }
  std::size_t lines = 0;
  for (std::size_t at = markdown.find("\n| "); at != std::string::npos;
       at = markdown.find("\n| ", at + 1)) {
    ++lines;
  }
  constexpr std::size_t titles = 3;
  CHECK(lines == rows.size() + titles);
}

}  // namespace pedigree
