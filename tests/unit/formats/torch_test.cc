#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "formats/formats.h"
#include "tests/support/fault_source.h"
#include "tests/support/torch_builder.h"
#include "tests/support/weight_laws.h"

namespace pedigree {
namespace {

using namespace made_pickle;
using Names = std::vector<std::string>;

const std::vector<float> six = {0, 1, 2, 3, 4, 5};

WeightFile read_or_fail(const Source& source) {
  auto file = read_weights(source);
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  return std::move(*file);
}

Names names_of(const WeightFile& file) {
  Names names;
  for (const TensorEntry& entry : file.tensors) names.push_back(entry.name);
  for (const ArrangedTensor& tensor : file.arranged) names.push_back(tensor.entry.name);
  std::ranges::sort(names);
  return names;
}

std::size_t count(const WeightFile& file, std::string_view code) {
  return static_cast<std::size_t>(std::ranges::count(file.problems, code, &Problem::code));
}

std::vector<float> values_of(const Source& source, const TensorEntry& entry) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(entry.extent.size()));
  REQUIRE_FALSE(source.read_at(entry.extent.begin, bytes).has_value());
  std::vector<float> values(static_cast<std::size_t>(entry.element_count()));
  entry.type->decode(bytes, values);
  return values;
}

// The values of the only tensor, however it lies in the file.
std::vector<float> only_values(const std::string& content) {
  const MemorySource source("any", content);
  WeightFile file = read_or_fail(source);
  if (file.arranged.empty()) {
    REQUIRE(file.tensors.size() == 1);
    return values_of(source, file.tensors[0]);
  }
  const auto arranged = arranged_source(source, file.arranged);
  return values_of(*arranged, file.arranged[0].entry);
}

std::string one_view(std::int64_t first, const std::vector<std::int64_t>& sizes,
                     const std::vector<std::int64_t>& strides) {
  return made_torch_zip(whole(mapping({{"w", tensor(storage("0", 6), first, sizes, strides)}})),
                        {made_floats(six)});
}

std::string plain_tensor() { return tensor(storage("0", 6), 0, {2, 3}, {3, 1}); }

std::string file_of(const std::string& object) {
  return made_torch_zip(whole(object), {made_floats(six)});
}

}  // namespace

TEST_CASE("views give their elements in row-major order") {
  using Floats = std::vector<float>;
  CHECK(only_values(one_view(0, {2, 3}, {3, 1})) == six);
  CHECK(only_values(one_view(2, {2}, {1})) == Floats{2, 3});
  CHECK(only_values(one_view(0, {3, 2}, {1, 3})) == Floats{0, 3, 1, 4, 2, 5});
  CHECK(only_values(one_view(1, {2, 2}, {3, 1})) == Floats{1, 2, 4, 5});
  CHECK(only_values(one_view(5, {2, 2}, {0, 0})) == Floats{5, 5, 5, 5});
  CHECK(only_values(one_view(0, {2, 2, 2}, {2, 1, 2})) == Floats{0, 2, 1, 3, 2, 4, 3, 5});
  CHECK(only_values(one_view(3, {}, {})) == Floats{3});
  CHECK(only_values(one_view(0, {0, 7}, {7, 1})).empty());
}

TEST_CASE("a view that stands in order is a place in the file, another is arranged") {
  const MemorySource in_order("any", one_view(2, {2, 2}, {2, 1}));
  CHECK(read_or_fail(in_order).tensors.size() == 1);
  const MemorySource turned("any", one_view(0, {3, 2}, {1, 3}));
  CHECK(read_or_fail(turned).arranged.size() == 1);
}

TEST_CASE("a file before 1.6 gives the same, storage by storage") {
  const std::string object = mapping({{"a", tensor(storage("0", 6), 0, {2, 3}, {3, 1})},
                                      {"b", tensor(storage("1", 2, "HalfStorage"), 0, {2}, {1})}});
  const MemorySource source(
      "any", made_torch_legacy(whole(object),
                               {{6, made_floats(six)}, {2, std::string("\0\x3c\0\x40", 4)}}));
  const WeightFile file = read_or_fail(source);
  REQUIRE(names_of(file) == Names{"a", "b"});
  CHECK(values_of(source, file.tensors[0]) == six);
  CHECK(values_of(source, file.tensors[1]) == std::vector<float>{1, 2});
  CHECK(file.tensors[1].type->id == "F16");
  CHECK(file.problems.empty());
}

TEST_CASE("weights are found under the key that checkpoints keep them under") {
  const auto read = [](const std::string& object) {
    return read_or_fail(MemorySource("any", file_of(object)));
  };
  CHECK(names_of(read(mapping({{"w", plain_tensor()}}))) == Names{"w"});
  CHECK(names_of(read(mapping({{"state_dict", mapping({{"w", plain_tensor()}})}}))) == Names{"w"});
  const WeightFile checkpoint = read(mapping({{"model", mapping({{"w", plain_tensor()}})},
                                              {"optimizer", mapping({{"m", plain_tensor()}})},
                                              {"epoch", number(3)}}));
  CHECK(names_of(checkpoint) == Names{"w"});
  CHECK(count(checkpoint, "training-state-present") == 1);
  const WeightFile averaged = read(mapping({{"ema", mapping({{"w", plain_tensor()}})},
                                            {"state_dict", mapping({{"w", plain_tensor()}})}}));
  CHECK(names_of(averaged) == Names{"w"});
  CHECK(count(averaged, "state-dict-choice") == 1);
  CHECK(names_of(read(mapping({{"a", mapping({{"w", plain_tensor()}})},
                               {"b", mapping({{"w", plain_tensor()}})}}))) == Names{"a.w", "b.w"});
}

TEST_CASE("a whole module gives the names of its state dict") {
  const auto module = [](const std::string& parameters, const std::string& modules) {
    return name("my.code", "Net") + ")\x81" +
           mapping({{"training", "\x89"},
                    {"_parameters", parameters},
                    {"_buffers", mapping({})},
                    {"_modules", modules}}) +
           "b";
  };
  const std::string inner = module(mapping({{"weight", plain_tensor()}}), mapping({}));
  const WeightFile file =
      read_or_fail(MemorySource("any", file_of(module(mapping({}), mapping({{"fc", inner}})))));
  CHECK(names_of(file) == Names{"fc.weight"});
  CHECK(count(file, "pickle-global") == 1);
}

TEST_CASE("tensors in one storage are told, and bytes that no tensor reaches") {
  const WeightFile tied = read_or_fail(
      MemorySource("any", file_of(mapping({{"a", plain_tensor()}, {"b", plain_tensor()}}))));
  CHECK(names_of(tied) == Names{"a", "b"});
  CHECK(count(tied, "shared-storage") == 1);
  CHECK(count(tied, "unreachable-storage") == 0);
  const WeightFile part = read_or_fail(MemorySource("any", one_view(1, {2}, {1})));
  REQUIRE(count(part, "unreachable-storage") == 1);
  CHECK(part.problems[0].message == "16 bytes of 1 storages, \"0\" first, belong to no tensor");
}

TEST_CASE("any bytes end in a value: cut, flipped, doubled or dropped") {
  const std::string object = mapping({{"a", tensor(storage("0", 6), 0, {3, 2}, {1, 3})},
                                      {"b", tensor(storage("0", 6), 2, {2}, {1})}});
  for (const std::string& whole_file :
       {file_of(object), made_torch_legacy(whole(object), {{6, made_floats(six)}})}) {
    REQUIRE(broken_weight_law(whole_file).empty());
    for (std::size_t at = 0; at < whole_file.size(); ++at) {
      std::string longer = whole_file;
      longer.insert(at, 1, whole_file[at]);
      std::string shorter = whole_file;
      shorter.erase(at, 1);
      const std::string law = broken_weight_law(whole_file.substr(0, at)) +
                              broken_weight_law(longer) + broken_weight_law(shorter);
      if (!law.empty()) FAIL(law << " at " << at);
    }
    for (std::size_t bit = 0; bit < whole_file.size() * 8; ++bit) {
      std::string flipped = whole_file;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      if (const std::string law = broken_weight_law(flipped); !law.empty()) {
        FAIL(law << " at bit " << bit);
      }
    }
  }
}

TEST_CASE("whichever read fails, the problem is the source's own") {
  const MemorySource whole_file("any", one_view(0, {3, 2}, {1, 3}));
  const FaultSource counted(whole_file, FaultSource::never);
  REQUIRE(read_weights(counted).has_value());
  for (std::uint64_t nth = 0; nth < counted.reads(); ++nth) {
    const auto failed = read_weights(FaultSource(whole_file, nth));
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().code == "io-error");
  }
}

TEST_CASE("listing an archive reads its headers and its pickle, not its storages") {
  const std::string data(1U << 20U, 'x');
  const std::string object =
      mapping({{"w", tensor(storage("0", 1 << 20, "ByteStorage"), 0, {1 << 20}, {1})}});
  const MemorySource source("any", made_torch_zip(whole(object), {data}));
  CHECK(read_or_fail(source).tensors.size() == 1);
  CHECK(source.bytes_read() < 16384);
}

}  // namespace pedigree
