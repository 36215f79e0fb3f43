#include "tests/unit/report/schema_check.h"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace pedigree::test {

std::string schema_complaints(std::string_view schema_name, std::string_view json) {
  std::ifstream file(std::string(PEDIGREE_FIXTURES "/../schemas/") + std::string(schema_name) +
                     ".schema.json");
  const auto schema_json = nlohmann::json::parse(file, nullptr, false);
  if (schema_json.is_discarded()) return "the schema itself is not JSON";
  const auto document = nlohmann::json::parse(json, nullptr, false);
  if (document.is_discarded()) return "the document is not JSON";
  valijson::Schema schema;
  valijson::SchemaParser parser;
  parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(schema_json), schema);
  valijson::ValidationResults results;
  valijson::Validator validator;
  std::string complaints;
  if (!validator.validate(schema, valijson::adapters::NlohmannJsonAdapter(document), &results)) {
    for (valijson::ValidationResults::Error error; results.popError(error);) {
      for (const std::string& step : error.context) complaints += step;
      complaints += ": " + error.description + "\n";
    }
    if (complaints.empty()) complaints = "invalid for no stated reason";
  }
  return complaints;
}

}  // namespace pedigree::test

TEST_CASE("the schema check itself refuses what the contract does not allow") {
  const std::string bad =
      R"({"schema":"pedigree-report/1","tool":{"name":"pedigree","version":"1"},
          "comparisons":[{"subject":{"name":"a"},"base":{"name":"b"},"transforms":[],"evidence":[],
            "verdict":{"relation":"stolen","mechanisms":[],"derived":"yes","direction":"siblings",
            "architecture":"yes","tokenizer":"yes","coverage":1,"summary":""}}],
          "declared":[],"findings":[],"problems":[]})";
  CHECK(pedigree::test::schema_complaints("report-1", bad).find("relation") != std::string::npos);
  CHECK(pedigree::test::schema_complaints("report-1", "{}") != "");
}
