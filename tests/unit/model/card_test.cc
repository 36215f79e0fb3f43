#include "model/card.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace pedigree {
namespace {

CardReading read(std::string_view text) { return read_card(text, "README.md"); }

std::vector<std::string> values(const CardReading& reading, Claim::Kind kind) {
  std::vector<std::string> found;
  for (const Claim& claim : reading.claims) {
    if (claim.kind == kind) found.push_back(claim.key + "=" + claim.value);
  }
  return found;
}

using Strings = std::vector<std::string>;

// The only problem's code and line, "none" when there is none.
std::string problem(const CardReading& reading) {
  if (reading.problems.empty()) return "none";
  const Problem& first = reading.problems.front();
  return first.code + ":" + std::to_string(first.line.value_or(0));
}

}  // namespace

TEST_CASE("a card names one parent as a string, with its line") {
  const CardReading reading = read("---\nlicense: mit\nbase_model: org/base\n---\n# Card\n");
  REQUIRE(reading.claims.size() == 2);
  CHECK(reading.claims[0].kind == Claim::Kind::license);
  CHECK(reading.claims[0].line == 2);
  CHECK(reading.claims[1].kind == Claim::Kind::base_model);
  CHECK(reading.claims[1].value == "org/base");
  CHECK(reading.claims[1].file == "README.md");
  CHECK(reading.claims[1].line == 3);
  CHECK(reading.problems.empty());
}

TEST_CASE("a card names several parents as a list, repeated ones too") {
  const CardReading reading = read("---\nbase_model:\n- org/a\n- org/b\n- org/a\n---\n");
  CHECK(values(reading, Claim::Kind::base_model) ==
        Strings{"base_model[0]=org/a", "base_model[1]=org/b", "base_model[2]=org/a"});
  CHECK(reading.claims[2].line == 5);
}

TEST_CASE("a parent may be an address or a local path, and is kept as written") {
  CHECK(values(read("---\nbase_model: https://hub.example/org/a\n---\n"),
               Claim::Kind::base_model) == Strings{"base_model=https://hub.example/org/a"});
  CHECK(values(read("---\nbase_model: ./out/checkpoint-500\n---\n"), Claim::Kind::base_model) ==
        Strings{"base_model=./out/checkpoint-500"});
  CHECK(values(read("---\nbase_model: [org/a, \"org/b\"]\n---\n"), Claim::Kind::base_model) ==
        Strings{"base_model[0]=org/a", "base_model[1]=org/b"});
}

TEST_CASE("a base_model without a value is no claim and is told with its line") {
  for (const std::string_view value : {"", " ~", " null", " ''", " []"}) {
    const CardReading reading =
        read("---\nlicense: mit\nbase_model:" + std::string(value) + "\n---\n");
    CHECK(values(reading, Claim::Kind::base_model).empty());
    CHECK(problem(reading) ==
          (value == " []" ? "card-base-model-missing:0" : "card-base-model-missing:3"));
  }
}

TEST_CASE("relation, licences and lineage tags are claims of their own") {
  const CardReading reading = read(
      "---\nbase_model_relation: quantized\nlicense: other\nlicense_name: mine\n"
      "license_link: LICENSE\ntags:\n- merge\n- base_model:org/a\n- base_model:finetune:org/b\n"
      "---\n");
  CHECK(values(reading, Claim::Kind::base_model_relation) ==
        Strings{"base_model_relation=quantized", "tags[2]=finetune"});
  CHECK(values(reading, Claim::Kind::license) ==
        Strings{"license=other", "license_name=mine", "license_link=LICENSE"});
  CHECK(values(reading, Claim::Kind::tag) == Strings{"tags[0]=merge"});
  CHECK(values(reading, Claim::Kind::base_model) == Strings{"tags[1]=org/a", "tags[2]=org/b"});
}

TEST_CASE("an unquoted no stays the text it is written as") {
  const CardReading reading = read("---\nlanguage: no\nlicense: no\nbase_model: yes\n---\n");
  CHECK(values(reading, Claim::Kind::license) == Strings{"license=no"});
  CHECK(values(reading, Claim::Kind::base_model) == Strings{"base_model=yes"});
}

TEST_CASE("a byte order mark and Windows line ends change nothing") {
  const CardReading reading =
      read("\xEF\xBB\xBF---\r\nlicense: mit\r\nbase_model: org/a\r\n---\r\ntext\r\n");
  CHECK(values(reading, Claim::Kind::base_model) == Strings{"base_model=org/a"});
  CHECK(reading.claims.back().line == 3);
  CHECK(problem(reading) == "none");
}

TEST_CASE("a tab as indentation is refused with its line") {
  CHECK(problem(read("---\nlicense: mit\nbase_model:\n\t- org/a\n---\n")) == "card-unparsed:4");
}

TEST_CASE("a key that stands twice is told, and both values are kept as said") {
  const CardReading reading = read("---\nbase_model: org/a\nbase_model: org/b\n---\n");
  CHECK(problem(reading) == "card-unparsed:3");
  CHECK(values(reading, Claim::Kind::base_model) ==
        Strings{"base_model=org/a", "base_model=org/b"});
}

TEST_CASE("anchors, aliases and tags are refused and nothing is guessed") {
  for (const std::string_view line :
       {"base_model: &a org/a", "base_model: !!str org/a", "base_model: !evil org/a",
        "x: [&a 1, *a]", "base_model: *a"}) {
    const CardReading reading = read("---\nlicense: mit\n" + std::string(line) + "\n---\n");
    CHECK_MESSAGE(problem(reading) == "card-unparsed:3", line);
    CHECK(reading.claims.empty());
  }
}

TEST_CASE("a billion laughs are refused at the first anchor") {
  std::string text = "---\na: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char letter = 'b'; letter < 'j'; ++letter) {
    const char before = static_cast<char>(letter - 1);
    text += std::string(1, letter) + ": &" + letter + " [*" + before + ",*" + before + "]\n";
  }
  CHECK(problem(read(text + "---\n")) == "card-unparsed:2");
}

TEST_CASE("texts over several lines are read, with the line they begin on") {
  const CardReading reading =
      read("---\nlicense_name: >\n  a long\n  name\nbase_model: |-\n  org/a\n---\n");
  CHECK(values(reading, Claim::Kind::license) == Strings{"license_name=a long name\n"});
  CHECK(values(reading, Claim::Kind::base_model) == Strings{"base_model=org/a"});
}

TEST_CASE("a card without front matter has no claims but says what it lacks") {
  CHECK(problem(read("# Only text\n\n---\n\nbase_model: org/a\n")) == "card-base-model-missing:0");
  CHECK(problem(read("")) == "card-base-model-missing:0");
  CHECK(problem(read("----\nbase_model: org/a\n----\n")) == "card-base-model-missing:0");
}

TEST_CASE("front matter ends at the next line of three dashes, not at others") {
  const CardReading reading =
      read("---\nlicense_name: |\n  a\n  ---\n  b\nbase_model: org/a\n---\nlicense: late\n---\n");
  CHECK(values(reading, Claim::Kind::base_model) == Strings{"base_model=org/a"});
  CHECK(values(reading, Claim::Kind::license) == Strings{"license_name=a\n---\nb\n"});
}

TEST_CASE("front matter that never closes is refused") {
  CHECK(problem(read("---\nbase_model: org/a\n# Heading\n")) == "card-unparsed:1");
}

TEST_CASE("bytes that are not UTF-8 are refused with their line") {
  CHECK(problem(read("---\nlicense: mit\nbase_model: org/\xFF\n---\n")) == "card-unparsed:3");
  CHECK(problem(read("---\nlicense: mit\nbase_model: a\x04z\n---\n")) == "card-unparsed:3");
}

TEST_CASE("deep nesting and huge front matter are refused before they cost anything") {
  CHECK(problem(read("---\na: " + std::string(100'000, '[') + "\n---\n")) == "card-unparsed:2");
  std::string dashes = "---\na:\n  ";
  for (int depth = 0; depth < 2000; ++depth) dashes += "- ";
  CHECK(problem(read(dashes + "x\n---\n")) == "card-unparsed:3");
  CHECK(problem(read("---\na: " + std::string(2'000'000, 'x') + "\n---\n")) == "card-unparsed:2");
}

TEST_CASE("a list at the root and a mapping as a key are refused") {
  CHECK(problem(read("---\n- base_model\n---\n")) == "card-unparsed:2");
  CHECK(problem(read("---\n? {a: b}\n: c\n---\n")) == "card-unparsed:2");
}

TEST_CASE("a recipe in a fenced block of the text names its parents with lines") {
  const CardReading reading = read(
      "---\nlicense: mit\n---\ntext\n```yaml\nmodels:\n  - model: org/a\n  - model: org/b\n"
      "    parameters:\n      weight: 0.5\nmerge_method: linear\n```\n");
  CHECK(values(reading, Claim::Kind::merge_recipe) ==
        Strings{"models[0].model=org/a", "models[1].model=org/b"});
  CHECK(values(reading, Claim::Kind::other) ==
        Strings{"models[1].parameters.weight=0.5", "merge_method=linear"});
  CHECK(reading.claims[1].line == 7);
  CHECK(problem(reading) == "none");
}

TEST_CASE("a fenced block that is no recipe is left alone, however odd") {
  CHECK(problem(read("---\nbase_model: a/b\n---\n```yaml\n: : [\n```\n```\nx\n```\n")) == "none");
}

TEST_CASE("a recipe that cannot be parsed is told with its line in the card") {
  CHECK(problem(read("---\nbase_model: a/b\n---\n```yaml\nmerge_method: x\nmodels: [\n```\n")) ==
        "merge-recipe-unparsed:6");
}

TEST_CASE("a relation to the base that no hub knows is told with its line") {
  const auto told = [](std::string_view value) {
    return problem(
        read("---\nbase_model: org/a\nbase_model_relation: " + std::string(value) + "\n---\n"));
  };
  CHECK(told("nonsense") == "card-relation-unknown:3");
  CHECK(told("fine-tune") == "card-relation-unknown:3");
  for (const char* known : {"finetune", "adapter", "merge", "quantized"}) {
    CHECK_MESSAGE(told(known) == "none", known);
  }
}

}  // namespace pedigree
