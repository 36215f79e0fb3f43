#include "compare/norm_folder.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "compare/net_tensors.h"
#include "compare/search.h"

namespace pedigree {
namespace {

constexpr std::uint64_t most_values_in_all = std::uint64_t{1} << 26U;
constexpr std::size_t most_norms = 4096;
// PyTorch's, Keras's and those of known nets.
constexpr std::array epsilons = {1e-5, 1e-3, 1e-12, 1e-6, 1e-4, 1e-8, 1.001e-5, 2e-5, 1e-2, 0.0};

}  // namespace

Result<bool> NormFolder::find() {
  if (auto problem = read_norms()) return std::unexpected(*std::move(problem));
  if (norms_.empty() && computed_.empty()) return false;
  list_kernels();
  for (const std::size_t kernel : plain_kernels_) {
    if (auto problem = look_at(kernel)) return std::unexpected(*std::move(problem));
  }
  return !made_.empty();
}

std::unique_ptr<Model> NormFolder::take(
    std::vector<std::pair<std::size_t, std::size_t>>& pairs) const {
  auto net = with_computed(plain_, left_out_, made_);
  for (const auto& [name, theirs] : pairs_) {
    if (const auto mine = tensor_named(*net, name)) pairs.emplace_back(*mine, theirs);
  }
  return net;
}

std::optional<Problem> NormFolder::read_norms() {
  const std::vector<BatchNorm> all = batch_norms(plain_);
  for (const BatchNorm& each : all) {
    for (const std::size_t part : {each.mean, each.variance}) of_norms_.insert(part);
    if (each.gain) of_norms_.insert(*each.gain);
    if (each.shift) of_norms_.insert(*each.shift);
  }
  if (all.size() <= batch_norms(folded_).size() || all.size() > most_norms) return std::nullopt;
  for (const BatchNorm& each : all) {
    auto values = norm_values(plain_, each);
    if (!values) return std::move(values.error());
    norms_.push_back({.tensors = each,
                      .values = *std::move(values),
                      .precision = plain_.tensors[each.variance].entry.type->precision});
  }
  return std::nullopt;
}

void NormFolder::list_kernels() {
  for (std::size_t i = 0; i < plain_.tensors.size(); ++i) {
    const TensorEntry& entry = plain_.tensors[i].entry;
    if (is_net_tensor(entry) && entry.shape.size() > 1) plain_kernels_.push_back(i);
  }
  for (std::size_t i = 0; i < folded_.tensors.size(); ++i) {
    const TensorEntry& entry = folded_.tensors[i].entry;
    if (!is_net_tensor(entry) || entry.type->precision == 0) continue;
    (entry.shape.size() > 1 ? kernels_by_size_ : vectors_by_size_)[entry.element_count()].push_back(
        i);
    if (entry.shape.size() > 1) ++folded_kernels_;
  }
  const double tried = static_cast<double>(plain_kernels_.size()) *
                       static_cast<double>(folded_kernels_) *
                       static_cast<double>(norms_.size() + 1) * epsilons.size() * 3;
  log10_tried_ = std::log10(std::max(1.0, tried));
}

std::optional<Problem> NormFolder::read_other(std::size_t tensor, const std::vector<float>*& out) {
  auto at = read_.find(tensor);
  if (at == read_.end()) {
    kept_ += folded_.tensors[tensor].entry.element_count();
    std::vector<float> values;
    if (kept_ <= most_values_in_all) {
      auto read = net_values(folded_, tensor);
      if (!read) return std::move(read.error());
      values = *std::move(read);
    }
    at = read_.emplace(tensor, std::move(values)).first;
  }
  out = &at->second;
  return std::nullopt;
}

// The other's kernel in these axes; none where it has another shape, or was used before.
std::optional<Problem> NormFolder::in_axes_of(const Kernel& kernel, std::size_t tensor,
                                              std::optional<Other>& out) {
  const TensorEntry& entry = folded_.tensors[tensor].entry;
  const bool turned = kernel.shape.size() == 2 && entry.shape.size() == 2 &&
                      entry.shape[0] == kernel.shape[1] && entry.shape[1] == kernel.shape[0] &&
                      entry.shape != kernel.shape;
  if (used_.contains(tensor) || (entry.shape != kernel.shape && !turned)) return std::nullopt;
  const std::vector<float>* values = nullptr;
  if (auto problem = read_other(tensor, values)) return problem;
  if (values->size() != kernel.values.size()) return std::nullopt;
  out = Other{.tensor = tensor, .values = *values, .precision = entry.type->precision};
  if (!turned) return std::nullopt;
  out->turned.resize(values->size());
  const std::uint64_t cols = kernel.shape[1];
  for (std::size_t i = 0; i < values->size(); ++i) {
    out->turned[i] = (*values)[i % cols * kernel.shape[0] + i / cols];
  }
  out->values = out->turned;
  return std::nullopt;
}

std::optional<Problem> NormFolder::look_at(std::size_t tensor) {
  const TensorEntry& entry = plain_.tensors[tensor].entry;
  const auto candidates = kernels_by_size_.find(entry.element_count());
  const bool is_computed = computed_.contains(entry.name);
  if (candidates == kernels_by_size_.end() || entry.type->precision == 0) return std::nullopt;
  if (norms_.empty() && !is_computed) return std::nullopt;
  auto values = net_values(plain_, tensor);
  if (!values) return std::move(values.error());
  const Kernel kernel = {.tensor = tensor,
                         .shape = entry.shape,
                         .values = *std::move(values),
                         .precision = entry.type->precision};
  for (const std::size_t candidate : candidates->second) {
    std::optional<Other> other;
    if (auto problem = in_axes_of(kernel, candidate, other)) return problem;
    if (!other) continue;
    if (std::ranges::equal(other->values, kernel.values)) {  // stands there as it is
      used_.insert(candidate);
      return std::nullopt;
    }
    if (is_computed && agrees(kernel, *other)) {
      keep(kernel, *other);
      return std::nullopt;
    }
    bool found = false;
    if (auto problem = fold(kernel, *other, found)) return problem;
    if (found) return std::nullopt;
  }
  return std::nullopt;
}

// Could strangers agree so far in so many values?
bool NormFolder::is_certain(std::span<const float> values, double tolerance) const {
  return log10_chance_alike(values, tolerance) + log10_tried_ <= certain;
}

bool NormFolder::agrees(const Kernel& kernel, const Other& other) const {
  const double tolerance = rounding_tolerance(std::min(kernel.precision, other.precision));
  return are_alike(kernel.values, other.values, tolerance) && is_certain(other.values, tolerance);
}

std::optional<Problem> NormFolder::fold(const Kernel& kernel, const Other& other, bool& found) {
  for (const OutputAxis& axis : output_axes(kernel.shape)) {
    for (Norm& norm : norms_) {
      if (norm.used || norm.tensors.size != axis.outputs) continue;
      for (const double epsilon : epsilons) {
        if (!fits(kernel, other, axis, norm, epsilon)) continue;
        found = true;
        return keep_fold(kernel, other, norm, epsilon);
      }
    }
  }
  return std::nullopt;
}

// Is the other's kernel this one times the norm's factors?
bool NormFolder::fits(const Kernel& kernel, const Other& other, const OutputAxis& axis,
                      const Norm& norm, double epsilon) const {
  const double tolerance =
      rounding_tolerance(std::min({kernel.precision, other.precision, norm.precision}));
  const OutputFactors factors = {.axis = axis, .factor = [&](std::uint64_t output) {
                                   return norm.values.factor(output, epsilon);
                                 }};
  return are_products(kernel.values, other.values, factors, tolerance) &&
         is_certain(other.values, tolerance);
}

void NormFolder::keep(const Kernel& kernel, const Other& other) {
  const std::string& name = plain_.tensors[kernel.tensor].entry.name;
  left_out_[kernel.tensor] = true;
  used_.insert(other.tensor);
  made_.push_back(
      {.name = name, .shape = kernel.shape, .values = {other.values.begin(), other.values.end()}});
  pairs_.emplace_back(name, other.tensor);
  ++kernels_;
}

std::optional<Problem> NormFolder::keep_fold(const Kernel& kernel, const Other& other, Norm& norm,
                                             double epsilon) {
  keep(kernel, other);
  norm.used = true;
  ++folds_;
  left_out_[norm.tensors.mean] = left_out_[norm.tensors.variance] = true;
  if (norm.tensors.gain) left_out_[*norm.tensors.gain] = true;
  if (norm.tensors.shift) left_out_[*norm.tensors.shift] = true;
  return fold_bias(kernel, norm, epsilon);
}

// "conv1.weight" to "conv1.bias".
std::string NormFolder::bias_name(const Kernel& kernel) const {
  std::string name = plain_.tensors[kernel.tensor].entry.name;
  for (const std::string_view ending : {"weight", "kernel"}) {
    if (!name.ends_with(ending)) continue;
    name.resize(name.size() - ending.size());
    return name + "bias";
  }
  return name + ".bias";
}

std::optional<Problem> NormFolder::fold_bias(const Kernel& kernel, const Norm& norm,
                                             double epsilon) {
  std::string name = bias_name(kernel);
  std::vector<float> biases(norm.tensors.size, 0);
  if (const auto at = tensor_named(plain_, name)) {
    const TensorEntry& entry = plain_.tensors[*at].entry;
    const bool fits_it = is_net_tensor(entry) && entry.shape == Shape{norm.tensors.size};
    if (!fits_it || of_norms_.contains(*at)) return std::nullopt;
    auto read = net_values(plain_, *at);
    if (!read) return std::move(read.error());
    biases = *std::move(read);
    left_out_[*at] = true;
  }
  std::vector<double> slack(biases.size());
  for (std::size_t i = 0; i < biases.size(); ++i) {
    const double factor = norm.values.factor(i, epsilon);
    const auto own = static_cast<double>(biases[i]);
    const auto mean = static_cast<double>(norm.values.mean[i]);
    const auto shift = static_cast<double>(norm.values.shift[i]);
    slack[i] = (std::fabs(own) + std::fabs(mean)) * std::fabs(factor) + std::fabs(shift);
    biases[i] = static_cast<float>((own - mean) * factor + shift);
  }
  if (auto problem = use_their_bias(norm, slack, name, biases)) return problem;
  const Shape shape = {biases.size()};
  made_.push_back({.name = std::move(name), .shape = shape, .values = std::move(biases)});
  return std::nullopt;
}

std::optional<Problem> NormFolder::use_their_bias(const Norm& norm, std::span<const double> slack,
                                                  const std::string& name,
                                                  std::vector<float>& biases) {
  const auto candidates = vectors_by_size_.find(biases.size());
  if (candidates == vectors_by_size_.end()) return std::nullopt;
  for (const std::size_t tensor : candidates->second) {
    if (used_.contains(tensor)) continue;
    const std::vector<float>* values = nullptr;
    if (auto problem = read_other(tensor, values)) return problem;
    if (values->size() != biases.size()) continue;
    const int precision = folded_.tensors[tensor].entry.type->precision;
    const double tolerance = rounding_tolerance(std::min(precision, norm.precision));
    bool alike = true;
    for (std::size_t i = 0; i < biases.size() && alike; ++i) {
      const double apart = static_cast<double>((*values)[i]) - static_cast<double>(biases[i]);
      alike = std::fabs(apart) <= tolerance * slack[i];
    }
    if (!alike) continue;
    used_.insert(tensor);
    pairs_.emplace_back(name, tensor);
    biases = *values;
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace pedigree
