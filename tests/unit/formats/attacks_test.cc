#include "tests/support/attacks.h"

#include <doctest/doctest.h>

#include <string>

#include "formats/formats.h"

namespace pedigree {

TEST_CASE("every attack on safetensors gets the problem its why.md names, with a place") {
  const auto attacks = attacks_in(PEDIGREE_FIXTURES "/attacks/safetensors");
  for (const Attack& attack : attacks) {
    const auto source = open_file(attack.path + "/model.safetensors", "model.safetensors");
    REQUIRE_MESSAGE(source.has_value(), attack.name);
    const auto file = read_weights(**source);
    CHECK_MESSAGE((file ? "read" : file.error().code) == attack.expected, attack.name);
    CHECK_MESSAGE((file || file.error().offset.has_value()), attack.name);
  }
  CHECK(attacks.size() >= 30);
}

TEST_CASE("every attack on GGUF gets the problem its why.md names, with a place") {
  const auto attacks = attacks_in(PEDIGREE_FIXTURES "/attacks/gguf");
  for (const Attack& attack : attacks) {
    const auto source = open_file(attack.path + "/model.gguf", "model.gguf");
    REQUIRE_MESSAGE(source.has_value(), attack.name);
    const auto file = read_weights(**source);
    CHECK_MESSAGE((file ? "read" : file.error().code) == attack.expected, attack.name);
    CHECK_MESSAGE((file || file.error().offset.has_value()), attack.name);
  }
  CHECK(attacks.size() >= 28);
}

}  // namespace pedigree
