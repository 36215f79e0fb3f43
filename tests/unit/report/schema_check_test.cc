#include "tests/support/schema_check.h"

#include <doctest/doctest.h>

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
