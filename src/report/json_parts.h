// Parts of the JSON report. Keys come out in the order they are put in; what
// was not measured or says nothing is absent. schemas/report-1.schema.json is
// the contract.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "report/report.h"

namespace pedigree {

using OrderedJson = nlohmann::ordered_json;

OrderedJson json_text(std::string_view text);  // valid UTF-8 whatever comes in
OrderedJson json_number(double value);         // on the grid, whole numbers as integers
OrderedJson json_log10(double value);
OrderedJson json_texts(const std::vector<std::string>& texts);
void put_text(OrderedJson& object, const char* key, std::string_view text);  // absent when empty

OrderedJson json_tool(std::string_view version, std::string_view scheme);
OrderedJson json_problem(const Problem& problem);
OrderedJson json_problems(const std::vector<Problem>& problems);
OrderedJson json_evidence(const Evidence& evidence);
OrderedJson json_comparison(const Comparison& comparison);
OrderedJson json_lora(const Lora& lora);
OrderedJson json_adapter(const Adapter& adapter);
OrderedJson json_joint(const Joint& joint);
OrderedJson json_tokenizer(const Tokenizer& tokenizer);
OrderedJson json_tokenizers(const TokenizerRelation& relation);
OrderedJson json_subject(const Subject& subject, bool with_tensors);

}  // namespace pedigree
