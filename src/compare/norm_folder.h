// The kernels of one net that are another's times a batch norm's factors (net_folding.h says what
// that is worth), and those that are another's but for rounding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compare/batch_norms.h"
#include "compare/computed_net.h"
#include "compare/folded_kernels.h"
#include "model/model.h"

namespace pedigree {

class NormFolder {
 public:
  // `computed` are names of tensors of `plain` that no file stores. All three outlive this.
  NormFolder(const Model& plain, const Model& folded, const std::set<std::string>& computed)
      : plain_(plain), folded_(folded), computed_(computed), left_out_(plain.tensors.size()) {}

  // Is there anything to fold, or to round alike?
  Result<bool> find();

  std::size_t folded_count() const { return folds_; }
  std::size_t kernel_count() const { return kernels_; }

  // In place of the plain net, with pairs of its tensors and the folded net's.
  std::unique_ptr<Model> take(std::vector<std::pair<std::size_t, std::size_t>>& pairs) const;

 private:
  using Shape = std::vector<std::uint64_t>;

  struct Norm {
    BatchNorm tensors = {};
    NormValues values = {};
    int precision = 0;
    bool used = false;
  };

  struct Kernel {
    std::size_t tensor = 0;
    const Shape& shape;
    std::vector<float> values = {};
    int precision = 0;
  };

  // A kernel of the folded net in the axes of the plain one's.
  struct Other {
    std::size_t tensor = 0;
    std::span<const float> values = {};  // of read_, or `turned`
    std::vector<float> turned = {};
    int precision = 0;
  };

  std::optional<Problem> read_norms();
  void list_kernels();
  std::optional<Problem> read_other(std::size_t tensor, const std::vector<float>*& out);
  // The other's kernel in these axes; none where it has another shape, or was used before.
  std::optional<Problem> in_axes_of(const Kernel& kernel, std::size_t tensor,
                                    std::optional<Other>& out);
  std::optional<Problem> look_at(std::size_t tensor);
  // Could strangers agree so far in so many values?
  bool is_certain(std::span<const float> values, double tolerance) const;
  bool agrees(const Kernel& kernel, const Other& other) const;
  std::optional<Problem> fold(const Kernel& kernel, const Other& other, bool& found);
  // Is the other's kernel this one times the norm's factors?
  bool fits(const Kernel& kernel, const Other& other, const OutputAxis& axis, const Norm& norm,
            double epsilon) const;
  void keep(const Kernel& kernel, const Other& other);
  std::optional<Problem> keep_fold(const Kernel& kernel, const Other& other, Norm& norm,
                                   double epsilon);
  // "conv1.weight" to "conv1.bias".
  std::string bias_name(const Kernel& kernel) const;
  std::optional<Problem> fold_bias(const Kernel& kernel, const Norm& norm, double epsilon);
  std::optional<Problem> use_their_bias(const Norm& norm, std::span<const double> slack,
                                        const std::string& name, std::vector<float>& biases);

  const Model& plain_;
  const Model& folded_;
  const std::set<std::string>& computed_;
  std::vector<Norm> norms_ = {};
  std::set<std::size_t> of_norms_ = {};
  std::vector<std::size_t> plain_kernels_ = {};
  std::map<std::uint64_t, std::vector<std::size_t>> kernels_by_size_ = {};  // of the folded net
  std::map<std::uint64_t, std::vector<std::size_t>> vectors_by_size_ = {};
  std::size_t folded_kernels_ = 0;
  double log10_tried_ = 0;
  std::map<std::size_t, std::vector<float>> read_ = {};
  std::uint64_t kept_ = 0;
  std::set<std::size_t> used_ = {};  // tensors of the folded net
  std::vector<bool> left_out_;
  std::vector<ComputedTensor> made_ = {};
  std::vector<std::pair<std::string, std::size_t>> pairs_ = {};
  std::size_t kernels_ = 0;
  std::size_t folds_ = 0;
};

}  // namespace pedigree
