// Files beside a weight file that hold its tensors' bytes (ONNX external data).
//
// They belong to the model: each is opened once, listed among its files and hashed like a
// weight file. Their names come from the weight file, so they are confined to its folder.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/layout.h"
#include "model/model.h"

namespace pedigree {

class ExternalData {
 public:
  // Both outlive it; `model` gets shards, files and problems.
  ExternalData(const ModelLayout& layout, const Limits& limits, Model& model)
      : layout_(layout), limits_(limits), model_(model) {}

  // The tensors that `weight_file` keeps in files beside it. Those whose file or bytes are
  // not there are left out, and said to be: path-escape, external-data-missing,
  // external-data-range, weights-not-downloaded.
  std::vector<StoredTensor> add(const std::string& weight_file,
                                std::vector<ExternalTensor> tensors);

 private:
  static constexpr std::size_t unopened = static_cast<std::size_t>(-1);

  std::size_t open(const std::string& weight_file, const ExternalTensor& tensor);
  std::optional<ListedFile> find(const std::string& weight_file, const ExternalTensor& tensor);
  std::optional<ListedFile> beside_given(const std::string& path);
  bool is_pointer(const Source& source);
  void list(const ListedFile& file);

  const ModelLayout& layout_;
  const Limits& limits_;
  Model& model_;
  std::map<std::string, std::size_t>
      shards_;  // by folder and location; `unopened` where that failed
};

}  // namespace pedigree
