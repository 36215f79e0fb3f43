#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/text.h"
#include "report/report.h"
#include "report/tree_lines.h"
#include "tests/support/schema_check.h"
#include "tests/unit/report/samples.h"

using namespace pedigree;
using namespace pedigree::test;

namespace {

std::string rendered(const char* id, unsigned width = 100) {
  return find_reporter(id)->render(tree_report(), {.width = width});
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> drawn(const Tree& tree, const TreeFamily& family) {
  std::vector<std::string> lines;
  for (const TreeLine& line : tree_lines(family)) {
    lines.push_back(tree_branch(line) + std::to_string(line.node) + (line.again ? " again" : ""));
  }
  static_cast<void>(tree);
  return lines;
}

}  // namespace

TEST_CASE("every tree validates against the published schema") {
  CHECK(schema_complaints("tree-1", rendered("json")) == "");
  Report empty = tree_report();
  empty.tree = Tree{};
  CHECK(schema_complaints("tree-1", find_reporter("json")->render(empty, {})) == "");
}

TEST_CASE("the JSON tree names its models and says what is known of each edge") {
  const auto json = nlohmann::json::parse(rendered("json"));
  CHECK(json["schema"] == "pedigree-tree/1");
  CHECK(json["nodes"].size() == 10);
  CHECK(json["nodes"][7]["not_judged"] == "h holds git-lfs pointers in place of its weights");
  CHECK(json["nodes"][9]["missing"] == true);
  CHECK_FALSE(json["nodes"][9].contains("path"));
  CHECK(json["families"][0]["roots"] == nlohmann::json::array({hostile, "b"}));
  const auto& edges = json["edges"];
  REQUIRE(edges.size() == 7);
  CHECK(edges[0]["direction"] == "undetermined");
  CHECK(edges[0]["relation"] == "lora-merge");
  CHECK(edges[0]["log10_p"] == -321.4);
  CHECK(edges[0]["compared"]["subject"] == "child");
  CHECK(edges[1]["relation"] == "merge");
  CHECK(edges[1]["weight"] == 0.7);
  CHECK(edges[1]["direction"] == "from-is-parent");
  CHECK(edges[3]["kind"] == "copy");
  CHECK(edges[4]["kind"] == "missing");
  CHECK_FALSE(edges[4].contains("relation"));
  CHECK(json["between"][0]["derived"] == "no");
  CHECK(json["between"][1]["models"][0] == hostile);
}

TEST_CASE("a merged model is drawn once and named again under its other parents") {
  const Report report = tree_report();
  CHECK(drawn(*report.tree, report.tree->families[0]) ==
        std::vector<std::string>{"0", "├── 1", "│   └─▶ 2 again", "├─▶ 2", "└─▶ 3"});
}

TEST_CASE("every member is drawn even where directions contradict each other") {
  const TreeFamily family{.members = {0, 1, 2},
                          .drawn = {1},
                          .edges = {{.from = 0, .to = 1, .from_is_parent = true},
                                    {.from = 2, .to = 1, .from_is_parent = true}}};
  CHECK(drawn({}, family) == std::vector<std::string>{"1", "├─◀ 0", "└─◀ 2"});
}

TEST_CASE("the text tree fits the page as far as names do, and shows no name as it stands") {
  const std::string text = rendered("text", 120);
  CHECK(has(text, "├─▶ "));
  CHECK(has(text, "(not in this set #1)"));
  CHECK(has(text, "Not judged"));
  CHECK(has(text, "Without relatives"));
  CHECK(has(text, "Not told apart"));
  CHECK_FALSE(has(text, "\x1b"));
  CHECK_FALSE(has(text, "\u202E"));
  CHECK(text.find("bad\\n") != std::string::npos);
}

TEST_CASE("names cannot become Markdown in a list of the tree") {
  const std::string text = rendered("markdown");
  CHECK_FALSE(has(text, "<script>"));
  CHECK_FALSE(has(text, "[a](http"));
  CHECK(has(text, "  - ▶ **c**: merge, change 0.016"));
  CHECK(has(text, "*not in this set \\#1*"));
}

TEST_CASE("names cannot become DOT: quotes and backslashes are escaped, lines stay whole") {
  const std::string text = rendered("dot");
  CHECK(has(text, "n3 [label=\"back\\\\slash \\\"quoted\\\" \\\\N\"]"));
  CHECK(has(text, "n0 -> n3 [label=\"quantized, none\", style=solid]"));
  CHECK(has(text, "n9 -> n4 [label=\"\", style=dotted, dir=none]"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    const bool closed = line.ends_with("{") || line.ends_with("}") || line.ends_with("];");
    CHECK(closed);
    std::size_t quotes = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '\\') {
        ++i;
      } else if (line[i] == '"') {
        ++quotes;
      }
    }
    CHECK(quotes % 2 == 0);
  }
}

TEST_CASE("comparisons make a graph as well") {
  const std::string text = find_reporter("dot")->render(full_report(), {});
  CHECK(has(text, "digraph pedigree {"));
  CHECK(has(text, "lora-merge"));
}

TEST_CASE("a tree is open while a model has no place, and only then") {
  Tree tree = *tree_report().tree;
  CHECK(tree.is_open());
  CHECK(tree.given() == 9);
  tree.nodes[7].not_judged.clear();
  CHECK(tree.is_open());
  tree.gaps.pop_back();
  CHECK_FALSE(tree.is_open());
}
