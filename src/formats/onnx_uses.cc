#include "formats/onnx_uses.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>
#include <vector>

#include "base/text.h"

namespace pedigree {
namespace {

// How the matrix at an input lies: the operator multiplies x·W or W·x, or an attribute says.
enum class Lies { out_in, in_out, by_attribute, no_matrix };

// Operator, number of its input, what that is of a parameter, how it lies; and the attribute
// that, when it is 1, says that the matrix lies as [out, in].
using Row = std::tuple<std::string_view, std::size_t, std::string_view, Lies, std::string_view>;

// Of the operators of ONNX and of ONNX Runtime's own domain.
constexpr std::array rows = {
    Row{"MatMul", 1, "weight", Lies::in_out, ""},
    Row{"MatMul", 0, "weight", Lies::out_in, ""},
    Row{"Gemm", 1, "weight", Lies::by_attribute, "transB"},
    Row{"Gemm", 2, "bias", Lies::no_matrix, ""},
    Row{"FusedMatMul", 1, "weight", Lies::by_attribute, "transB"},
    Row{"FusedGemm", 1, "weight", Lies::by_attribute, "transB"},
    Row{"FusedGemm", 2, "bias", Lies::no_matrix, ""},
    Row{"MatMulInteger", 1, "weight", Lies::in_out, ""},
    Row{"QLinearMatMul", 3, "weight", Lies::in_out, ""},
    Row{"Attention", 1, "weight", Lies::in_out, ""},
    Row{"Attention", 2, "bias", Lies::no_matrix, ""},
    Row{"Conv", 1, "weight", Lies::no_matrix, ""},
    Row{"Conv", 2, "bias", Lies::no_matrix, ""},
    Row{"ConvTranspose", 1, "weight", Lies::no_matrix, ""},
    Row{"ConvTranspose", 2, "bias", Lies::no_matrix, ""},
    Row{"Gather", 0, "weight", Lies::no_matrix, ""},
    Row{"LayerNormalization", 1, "weight", Lies::no_matrix, ""},
    Row{"LayerNormalization", 2, "bias", Lies::no_matrix, ""},
    Row{"RMSNormalization", 1, "weight", Lies::no_matrix, ""},
    Row{"SimplifiedLayerNormalization", 1, "weight", Lies::no_matrix, ""},
    Row{"SkipLayerNormalization", 2, "weight", Lies::no_matrix, ""},
    Row{"SkipLayerNormalization", 3, "bias", Lies::no_matrix, ""},
    Row{"SkipSimplifiedLayerNormalization", 2, "weight", Lies::no_matrix, ""},
    Row{"GroupNormalization", 1, "weight", Lies::no_matrix, ""},
    Row{"GroupNormalization", 2, "bias", Lies::no_matrix, ""},
    Row{"InstanceNormalization", 1, "weight", Lies::no_matrix, ""},
    Row{"InstanceNormalization", 2, "bias", Lies::no_matrix, ""},
    Row{"BatchNormalization", 1, "weight", Lies::no_matrix, ""},
    Row{"BatchNormalization", 2, "bias", Lies::no_matrix, ""},
    Row{"BatchNormalization", 3, "running_mean", Lies::no_matrix, ""},
    Row{"BatchNormalization", 4, "running_var", Lies::no_matrix, ""},
    Row{"PRelu", 1, "weight", Lies::no_matrix, ""},
    Row{"Mul", 0, "weight", Lies::no_matrix, ""},
    Row{"Mul", 1, "weight", Lies::no_matrix, ""},
    Row{"Add", 0, "bias", Lies::no_matrix, ""},
    Row{"Add", 1, "bias", Lies::no_matrix, ""},
};

bool is_elementwise(std::string_view op) { return op == "Mul" || op == "Add"; }

std::vector<std::string_view> parts_of(std::string_view text, char between) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(between, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// "/model/layers.0/mlp/mlp.0/MatMul": containers without code of their own leave "layers.0"
// alone, those with some stand twice.
std::string module_of_path(std::string_view path) {
  if (!path.starts_with('/')) return {};
  std::vector<std::string_view> parts = parts_of(path.substr(1), '/');
  parts.pop_back();
  std::string module;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool repeated = i + 1 < parts.size() && parts[i + 1].size() > parts[i].size() &&
                          parts[i + 1].starts_with(parts[i]) &&
                          parts[i + 1][parts[i].size()] == '.';
    if (parts[i].empty() || repeated) continue;
    if (!module.empty()) module += '.';
    module += parts[i];
  }
  return module;
}

// "['', 'model', 'model.layers.0.mlp.up_proj', 'linear']": the last but one is the module.
std::string module_of_scopes(std::string_view scopes) {
  std::vector<std::string_view> quoted;
  for (std::size_t begin = scopes.find('\''); begin != scopes.npos;) {
    const std::size_t end = scopes.find('\'', begin + 1);
    if (end == scopes.npos) break;
    quoted.push_back(scopes.substr(begin + 1, end - begin - 1));
    begin = scopes.find('\'', end + 1);
  }
  return quoted.size() < 2 ? std::string() : std::string(quoted[quoted.size() - 2]);
}

std::string module_of(const OnnxNode& node) {
  if (std::string module = module_of_scopes(node.scopes); !module.empty()) return module;
  if (std::string module = module_of_path(node.name); !module.empty()) return module;
  return node.outputs.empty() ? std::string() : module_of_path(node.outputs.front());
}

}  // namespace

std::optional<TensorUse> use_of(const OnnxNode& node, std::size_t input, std::size_t rank) {
  const auto* const row = std::ranges::find_if(rows, [&](const Row& each) {
    return std::get<0>(each) == node.op && std::get<1>(each) == input;
  });
  if (row == rows.end() || (is_elementwise(node.op) && rank != 1)) return std::nullopt;
  const auto& [op, at, leaf, lies, attribute] = *row;
  TensorUse use;
  if (std::string module = module_of(node); !module.empty()) {
    use.parameter = percent_escaped(module + "." + std::string(leaf));
  }
  const bool turned =
      lies == Lies::in_out || (lies == Lies::by_attribute && node.number(attribute, 0) == 0);
  use.in_out = rank == 2 && turned;
  return use;
}

std::optional<bool> hands_on(const OnnxNode& node) {
  if (node.op == "Identity" || node.op == "Cast") return false;
  if (node.op != "Transpose") return std::nullopt;
  const auto order = std::ranges::find(node.attributes, "perm", &OnnxAttribute::name);
  const bool swaps =
      order == node.attributes.end() || order->numbers == std::vector<std::int64_t>{1, 0};
  return swaps ? std::optional(true) : std::nullopt;
}

bool names_parameter(std::string_view stored) {
  return stored.find('.') != stored.npos && !stored.starts_with("onnx::") &&
         !stored.starts_with('/');
}

std::string original_parameter(std::string_view stored) {
  std::vector<std::string_view> parts = parts_of(stored, '.');
  if (parts.size() < 3) return {};
  const std::string_view op = parts[parts.size() - 2];
  if (op != "MatMul" && op != "Gemm" && op != "Add") return {};
  parts.erase(parts.end() - 2);
  std::string original;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) original += '.';
    const bool projection = i + 1 < parts.size() && parts[i + 1].ends_with("_proj");
    original += parts[i] == "attn" && projection ? std::string_view("self_attn") : parts[i];
  }
  return original;
}

}  // namespace pedigree
