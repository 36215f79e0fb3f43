// Models whose one matrix a quantiser has spread over several tensors.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/model.h"
#include "model/packings/packings.h"
#include "model/weights.h"
#include "tests/support/model_directory.h"
#include "tests/support/safetensors_builder.h"

namespace pedigree {

template <class T>
std::string raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

inline std::string words(const std::vector<std::uint32_t>& values) { return raw(values); }
inline std::string floats(const std::vector<float>& values) { return raw(values); }
inline std::string bytes(const std::vector<std::uint8_t>& values) { return raw(values); }

// A directory that is opened as a whole: weights and what the config says of them.
class PackedModel {
 public:
  PackedModel& tensor(std::string_view name, std::string_view type,
                      std::vector<std::uint64_t> shape, std::string_view data) {
    weights_.tensor(name, type, std::move(shape), data);
    return *this;
  }
  PackedModel& declare(std::string_view quantization) {
    config_ = "{\"quantization_config\":" + std::string(quantization) + "}";
    return *this;
  }

  std::unique_ptr<Model> open() const {
    ModelDirectory directory;
    directory.write("model.safetensors", weights_.build()).write("config.json", config_);
    auto model = open_model(directory.path());
    return model ? std::move(*model) : nullptr;
  }

  // What the one packed matrix holds as [out, in], row by row.
  Result<std::vector<float>> values() const {
    const auto model = open();
    if (model == nullptr || model->packed.empty()) {
      return std::unexpected(make_problem("packed-tensor", {}, "none was found"));
    }
    return read_all(*model, whole(*model));
  }
  std::vector<float> steps() const {
    const auto model = open();
    if (model == nullptr || model->packed.empty()) return {};
    const CanonicalTensor tensor = whole(*model);
    std::vector<std::uint64_t> rows;
    std::vector<std::uint64_t> cols;
    for (std::uint64_t i = 0; i < tensor.rows; ++i) rows.push_back(i);
    for (std::uint64_t i = 0; i < tensor.cols; ++i) cols.push_back(i);
    return read_block_steps(*model, tensor, rows, cols).value_or(std::vector<float>());
  }

  // Codes of the problems of opening, and then of reading; "" where there are none.
  std::string problems() const {
    const auto model = open();
    std::string text;
    if (model == nullptr) return "not opened";
    for (const Problem& problem : model->problems) {
      if (problem.code == "packed-tensor" || problem.code == "unsupported-encoding" ||
          problem.code == "config-quantization-mismatch") {
        text += problem.code + " ";
      }
    }
    if (model->packed.empty()) return text;
    const auto read = read_all(*model, whole(*model));
    if (!read) text += "read:" + read.error().code;
    return text;
  }

  static CanonicalTensor whole(const Model& model) {
    const PackedMatrix& matrix = model.packed.front();
    const std::uint64_t lines = matrix.rows();
    const std::uint64_t width = matrix.columns();
    return {.role = "ffn.up",
            .rows = matrix.transposed ? width : lines,
            .cols = matrix.transposed ? lines : width,
            .tensor = matrix.parts.front(),
            .packed = 0,
            .transposed = matrix.transposed};
  }

 private:
  SafetensorsBuilder weights_;
  std::string config_ = "{}";
};

}  // namespace pedigree
