// Prints hashes of the bits that the numeric rooms compute on data made from a
// counter, so that builds by other compilers and at other levels can be held
// against each other line by line. determinism_test.py builds and runs it.
#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "fingerprint/fingerprint.h"
#include "tensor/reduce.h"

namespace {

using namespace pedigree;

class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}

  std::uint64_t word() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

  // Bell-shaped, with full mantissas: the sum of eight uniform numbers.
  float next() {
    float sum = 0;
    for (int i = 0; i < 8; ++i) sum += static_cast<float>(word() >> 40U) * 0x1p-24F - 0.5F;
    return sum * 0.03F;
  }

  std::vector<float> take(std::size_t count) {
    std::vector<float> values(count);
    for (float& value : values) value = next();
    return values;
  }

 private:
  std::uint64_t state_;
};

void show(std::string_view what, std::string_view bytes) {
  fmt::print("{} {}\n", what, to_hex(sha256(bytes)).substr(0, 32));
}

void show(std::string_view what, double value) {
  fmt::print("{} {:016x}\n", what, std::bit_cast<std::uint64_t>(value));
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// Values as they lie in a file of the type.
std::string stored(const std::vector<float>& values, const ElementType& type) {
  std::string bytes;
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(rounded_to(type, value));
    const std::size_t width = type.bits / 8;
    bytes.append(std::string_view(bytes_of(std::vector{bits})).substr(4 - width));
  }
  return bytes;
}

// A 4-bit copy in blocks of 32.
void quantise(std::vector<float>& values) {
  for (std::size_t begin = 0; begin + 32 <= values.size(); begin += 32) {
    float largest = 0;
    for (std::size_t i = 0; i < 32; ++i) largest = std::fmax(largest, std::fabs(values[begin + i]));
    const float step = largest / 7;
    for (std::size_t i = 0; i < 32; ++i) {
      values[begin + i] = std::nearbyint(values[begin + i] / step) * step;
    }
  }
}

struct Kind {
  std::string_view type;
  std::string_view norm;
  bool quantised = false;
};

class Maker {
 public:
  explicit Maker(const Kind& kind) : kind_(kind) {}

  std::unique_ptr<Model> make() {
    add("embed.tokens", -1, {300, 128});
    for (int layer = 0; layer < 2; ++layer) {
      for (const char* const role : {"attn.k", "attn.o", "attn.q", "attn.v"}) {
        add(role, layer, {128, 128});
      }
      add("attn.norm", layer, {128});
      add("ffn.down", layer, {128, 352});
      add("ffn.gate", layer, {352, 128});
      add("ffn.norm", layer, {128});
      add("ffn.up", layer, {352, 128});
    }
    model_->shards.push_back(std::make_unique<MemorySource>("weights", std::string_view(data_)));
    model_->architecture.head_dim = 32;
    model_->architecture.layers = 2;
    model_->architecture.norm = std::string(kind_.norm);
    return std::move(model_);
  }

 private:
  void add(std::string role, int layer, std::vector<std::uint64_t> shape) {
    std::size_t count = 1;
    for (const std::uint64_t size : shape) count *= size;
    std::vector<float> values = numbers_.take(count);
    if (kind_.quantised) quantise(values);
    const ElementType& type = *find_element_type(kind_.type);
    const std::string bytes = stored(values, type);
    CanonicalTensor tensor = {.role = std::move(role),
                              .layer = layer,
                              .rows = shape[0],
                              .cols = shape.size() > 1 ? shape[1] : 1,
                              .tensor = model_->tensors.size()};
    StoredTensor entry;
    entry.entry.name = fmt::format("{}.{}", layer, tensor.role);
    entry.entry.type = &type;
    entry.entry.shape = std::move(shape);
    entry.entry.extent = {.begin = data_.size(), .end = data_.size() + bytes.size()};
    model_->tensors.push_back(std::move(entry));
    model_->canonical.push_back(std::move(tensor));
    data_ += bytes;
  }

  Kind kind_;
  Numbers numbers_{7};
  std::unique_ptr<Model> model_ = std::make_unique<Model>();
  std::string data_;
};

void show_reductions() {
  Numbers numbers(1);
  for (const std::size_t size : {0, 1, 7, 8, 9, 1000, 100'003}) {
    const auto a = numbers.take(size);
    const auto b = numbers.take(size);
    show(fmt::format("sum {}", size), sum(a));
    show(fmt::format("squares {}", size), sum_of_squares(a));
    show(fmt::format("dot {}", size), dot(a, b));
  }
}

bool show_fingerprint(const Kind& kind) {
  const auto model = Maker(kind).make();
  const auto print = make_fingerprint(*model, {.digests = true});
  if (!print) {
    fmt::print("problem {}: {}\n", print.error().code, print.error().message);
    return false;
  }
  const std::string name =
      fmt::format("{} {}{}", kind.type, kind.norm, kind.quantised ? " 4-bit" : "");
  std::size_t steps = 0;
  for (const Block& block : print->blocks) {
    const std::string what = fmt::format("{} block {}.{}", name, block.layer, block.role);
    show(what, bytes_of(block.values) + bytes_of(block.steps));
    steps += block.steps.size();
  }
  for (const Responses& item : print->responses) {
    show(fmt::format("{} responses {}.{}", name, item.layer, item.role), bytes_of(item.values));
  }
  for (const Moments& item : print->moments) {
    show(fmt::format("{} mean {}.{}", name, item.layer, item.role), item.mean);
    show(fmt::format("{} deviation {}.{}", name, item.layer, item.role), item.deviation);
  }
  fmt::print("{} bag {}\n", name, print->digests->bag);
  show(name + " container", to_bytes(*print));
  return print->responses.size() == 4 && (steps > 0) == kind.quantised;
}

}  // namespace

int main() {
  show_reductions();
  bool whole = true;
  for (const Kind& kind :
       {Kind{"BF16", "rmsnorm"}, Kind{"F32", "rmsnorm"}, Kind{"F32", "layernorm"},
        Kind{"F32", "rmsnorm", true}, Kind{"BF16", "rmsnorm", true}}) {
    whole = show_fingerprint(kind) && whole;
  }
  fmt::print("{}\n", whole ? "whole" : "something was not computed");
  return whole ? 0 : 1;
}
