// Files of the official writer (fixtures/README.md, "weights"); the expected
// values are those that scripts/make-official-fixtures put in.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "formats/formats.h"

namespace pedigree {
namespace {

struct Opened {
  std::unique_ptr<Source> source;
  WeightFile file;

  const TensorEntry& tensor(std::string_view name) const {
    const auto found = std::ranges::find(file.tensors, name, &TensorEntry::name);
    REQUIRE_MESSAGE(found != file.tensors.end(), std::string(name));
    return *found;
  }

  std::vector<float> values(std::string_view name) const {
    const TensorEntry& entry = tensor(name);
    std::vector<std::byte> bytes(static_cast<std::size_t>(entry.extent.size()));
    REQUIRE_FALSE(source->read_at(entry.extent.begin, bytes).has_value());
    std::vector<float> decoded(static_cast<std::size_t>(entry.element_count()));
    entry.type->decode(bytes, decoded);
    return decoded;
  }
};

Opened opened(const std::string& name) {
  auto source = open_file(std::string(PEDIGREE_FIXTURES) + "/weights/" + name, name);
  REQUIRE_MESSAGE(source.has_value(), name);
  auto file = read_weights(**source);
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  CHECK(file->problems.empty());
  return {.source = std::move(*source), .file = std::move(*file)};
}

}  // namespace

TEST_CASE("every numpy type of the official writer is read with its values") {
  const Opened file = opened("numpy-types.safetensors");
  CHECK(file.file.tensors.size() == 13);
  CHECK(file.file.metadata == std::vector<std::pair<std::string, std::string>>{{"format", "np"}});
  for (const TensorEntry& entry : file.file.tensors) {
    CHECK(entry.shape == std::vector<std::uint64_t>{2, 3});
    if (entry.name == "complex64") continue;
    const std::vector<float> expected = entry.name == "bool" ? std::vector<float>{0, 1, 1, 1, 1, 1}
                                                             : std::vector<float>{0, 1, 2, 3, 4, 5};
    CHECK_MESSAGE(file.values(entry.name) == expected, entry.name);
  }
  CHECK(file.tensor("complex64").type->kind == ElementType::Kind::complex);
}

TEST_CASE("every small float of the official writer is read with its values") {
  const Opened file = opened("small-floats.safetensors");
  CHECK(file.file.tensors.size() == 7);
  const std::vector<float> expected = {0.5, 1, 2, 4};
  for (const TensorEntry& entry : file.file.tensors) {
    CHECK_MESSAGE(file.values(entry.name) == expected, entry.name);
  }
  CHECK(file.tensor("float4").type_name == "F4");
  CHECK(file.tensor("float8_e4m3fn").type_name == "F8_E4M3");
}

TEST_CASE("scalars, empty tensors, high ranks and odd names of the official writer are read") {
  const Opened file = opened("odd-shapes.safetensors");
  CHECK(file.tensor("scalar").shape.empty());
  CHECK(file.values("scalar") == std::vector<float>{7});
  CHECK(file.tensor("scaled_fp8").extent.size() == 0);
  CHECK(file.tensor("empty.matrix").shape == std::vector<std::uint64_t>{3, 0, 5});
  CHECK(file.tensor("rank.six").shape == std::vector<std::uint64_t>(6, 2));
  CHECK(file.values("rank.six").back() == 63);
  CHECK(file.values("") == std::vector<float>{1});
  CHECK(file.values("重み/ü \"quoted\"\n") == std::vector<float>{2});
  CHECK(file.values(std::string_view("nul\0inside", 10)) == std::vector<float>{3});
  CHECK(file.file.metadata ==
        std::vector<std::pair<std::string, std::string>>{{"note", "line\nbreak"}});
}

TEST_CASE("a file without tensors is read, and many tensors come in the order of their bytes") {
  CHECK(opened("no-tensors.safetensors").file.tensors.empty());
  const Opened file = opened("many-names.safetensors");
  REQUIRE(file.file.tensors.size() == 32);
  CHECK(std::ranges::is_sorted(file.file.tensors, {},
                               [](const TensorEntry& entry) { return entry.extent.begin; }));
  CHECK(file.file.tensors.back().extent.end == file.source->size());
}

}  // namespace pedigree
