#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "formats/formats.h"
#include "tests/support/fault_source.h"
#include "tests/support/safetensors_builder.h"

namespace pedigree {
namespace {

std::string small_file() {
  return SafetensorsBuilder()
      .tensor("model.w", "BF16", {3, 2}, std::string(12, 'w'))
      .tensor("model.b", "F4", {4}, "bb")
      .tensor("marker", "U8", {0}, "")
      .metadata("format", "pt")
      .after_header("  ")
      .build();
}

// "" when the reader's laws hold for this content, whatever it is.
std::string broken_law(const std::string& content) {
  const auto file = read_weights(MemorySource("any.safetensors", content));
  if (!file) {
    if (find_problem_kind(file.error().code) == nullptr) return "unknown code";
    if (file.error().offset && *file.error().offset > content.size()) return "offset outside";
    return file.error().message.empty() ? "no message" : "";
  }
  std::uint64_t end = 0;
  for (const TensorEntry& tensor : file->tensors) {
    if (tensor.type == nullptr) return "null type";
    if (tensor.extent.begin > tensor.extent.end) return "inverted extent";
    if (tensor.extent.end > content.size()) return "extent outside the file";
    if (tensor.extent.begin < end) return "overlap";
    end = tensor.extent.end;
    if (tensor.type != &opaque_type() &&
        tensor.type->bytes_of(tensor.element_count()) != tensor.extent.size()) {
      return "size";
    }
  }
  for (const Problem& problem : file->problems) {
    if (problem.file != "any.safetensors") return "problem without file";
  }
  return "";
}

}  // namespace

TEST_CASE("a file cut off at any byte ends in a value") {
  const std::string whole = small_file();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string part = whole.substr(0, size);
    if (const std::string law = broken_law(part); !law.empty()) FAIL(law << " at " << size);
    CHECK_FALSE(read_weights(MemorySource("cut", part)).has_value());
  }
  CHECK(broken_law(whole).empty());
}

TEST_CASE("a file with any one bit flipped ends in a value") {
  const std::string whole = small_file();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    if (const std::string law = broken_law(flipped); !law.empty()) FAIL(law << " at bit " << bit);
  }
}

TEST_CASE("a file with any one byte doubled or dropped ends in a value") {
  const std::string whole = small_file();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string longer = whole;
    longer.insert(at, 1, whole[at]);
    std::string shorter = whole;
    shorter.erase(at, 1);
    if (const std::string law = broken_law(longer) + broken_law(shorter); !law.empty()) {
      FAIL(law << " at " << at);
    }
  }
}

TEST_CASE("listing a file of ten gigabytes reads its header and nothing else") {
  constexpr std::uint64_t data = 10'000'000'000;
  SafetensorsBuilder builder;
  builder.tensor("big", "U8", {data}, "").with_offsets(0, data);
  const std::string head = builder.build();
  const SparseSource sparse("big.safetensors", head, head.size() + data);
  const FaultSource counted(sparse, FaultSource::never);
  const auto file = read_weights(counted);
  REQUIRE(file.has_value());
  CHECK(file->tensors[0].extent.size() == data);
  CHECK(counted.bytes_read() <= 4096 + head.size());
  CHECK(counted.reads() <= 3);
}

TEST_CASE("a length that cannot be is refused without reading for it") {
  SafetensorsBuilder builder;
  builder.tensor("a", "U8", {1}, "x").header_length(100'000'001);
  const SparseSource sparse("huge.safetensors", builder.build(), 70'000'000'000);
  CHECK_FALSE(read_weights(sparse).has_value());
  CHECK(sparse.bytes_read() <= 4096 + 8);
}

TEST_CASE("whichever read fails, the problem is the source's own") {
  const MemorySource whole("model.safetensors", small_file());
  const FaultSource counted(whole, FaultSource::never);
  REQUIRE(read_weights(counted).has_value());
  for (std::uint64_t nth = 0; nth < counted.reads(); ++nth) {
    const auto failed = read_weights(FaultSource(whole, nth, FaultSource::Fault::fails));
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().code == "io-error");
    CHECK(failed.error().file == "model.safetensors");
    const auto shortened = read_weights(FaultSource(whole, nth, FaultSource::Fault::shortens));
    REQUIRE_FALSE(shortened.has_value());
    CHECK(shortened.error().code == "io-short-read");
  }
}

TEST_CASE("a file replaced while it is read is told") {
  const MemorySource whole("model.safetensors", small_file());
  const auto file = read_weights(FaultSource(whole, 0, FaultSource::Fault::changes));
  REQUIRE_FALSE(file.has_value());
  CHECK(file.error().code == "file-changed-while-reading");
}

TEST_CASE("the cost of thousands of empty tensors is linear in the header") {
  const auto seconds = [](int count) {
    std::string members;
    for (int i = 0; i < count; ++i) {
      members += "\"" + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)";
    }
    members.back() = ' ';
    const MemorySource source("many.safetensors",
                              SafetensorsBuilder().header_json("{" + members + "}").build());
    const auto start = std::chrono::steady_clock::now();
    const auto file = read_weights(source);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    REQUIRE(file.has_value());
    CHECK(file->tensors.size() == static_cast<std::size_t>(count));
    return taken.count();
  };
  const double small = seconds(2'000);
  CHECK(seconds(20'000) < 60 * small + 0.5);  // linear is ten times, quadratic a hundred
}

}  // namespace pedigree
