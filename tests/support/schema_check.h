// Does a JSON text satisfy one of our schemas? "" when it does, else why not.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace pedigree::test {

inline std::string schema_complaints(std::string_view schema_name, std::string_view json) {
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
