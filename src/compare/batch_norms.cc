#include "compare/batch_norms.h"

#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "compare/computed_net.h"
#include "compare/net_tensors.h"

namespace pedigree {
namespace {

struct Spelling {
  std::string_view variance = {};  // what names end in, behind a common start
  std::string_view mean = {};
  std::string_view gain = {};
  std::string_view shift = {};
};

// torch/nn/modules/batchnorm.py; keras/src/layers/normalization/batch_normalization.py, whose
// variables TensorFlow's checkpoints end in ":0" or not.
constexpr std::array spellings = {
    Spelling{.variance = "running_var", .mean = "running_mean", .gain = "weight", .shift = "bias"},
    Spelling{
        .variance = "moving_variance", .mean = "moving_mean", .gain = "gamma", .shift = "beta"},
    Spelling{.variance = "moving_variance:0",
             .mean = "moving_mean:0",
             .gain = "gamma:0",
             .shift = "beta:0"},
};

// The tensor that is one number a channel.
std::optional<std::size_t> vector_named(const Model& net, const std::string& name,
                                        std::uint64_t size) {
  const auto at = tensor_named(net, name);
  if (!at || !is_net_tensor(net.tensors[*at].entry)) return std::nullopt;
  const TensorEntry& entry = net.tensors[*at].entry;
  return entry.shape.size() == 1 && entry.shape.front() == size ? at : std::nullopt;
}

std::optional<BatchNorm> norm_of(const Model& net, std::size_t tensor, const Spelling& spelling) {
  const TensorEntry& entry = net.tensors[tensor].entry;
  if (!entry.name.ends_with(spelling.variance) || entry.shape.size() != 1) return std::nullopt;
  if (!is_net_tensor(entry)) return std::nullopt;
  const std::string start = entry.name.substr(0, entry.name.size() - spelling.variance.size());
  const auto beside = [&](std::string_view ending) {
    return vector_named(net, start + std::string(ending), entry.shape.front());
  };
  const auto mean = beside(spelling.mean);
  if (!mean) return std::nullopt;
  return BatchNorm{.mean = *mean,
                   .variance = tensor,
                   .gain = beside(spelling.gain),
                   .shift = beside(spelling.shift),
                   .size = entry.shape.front()};
}

}  // namespace

std::vector<BatchNorm> batch_norms(const Model& net) {
  std::vector<BatchNorm> norms;
  for (std::size_t i = 0; i < net.tensors.size(); ++i) {
    for (const Spelling& spelling : spellings) {
      if (auto norm = norm_of(net, i, spelling)) {
        norms.push_back(*norm);
        break;
      }
    }
  }
  return norms;
}

double NormValues::factor(std::size_t channel, double epsilon) const {
  const double spread = static_cast<double>(variance[channel]) + epsilon;
  return static_cast<double>(gain[channel]) / std::sqrt(spread);
}

Result<NormValues> norm_values(const Model& net, const BatchNorm& norm) {
  auto mean = net_values(net, norm.mean);
  if (!mean) return std::unexpected(std::move(mean.error()));
  auto variance = net_values(net, norm.variance);
  if (!variance) return std::unexpected(std::move(variance.error()));
  NormValues values = {.mean = *std::move(mean),
                       .variance = *std::move(variance),
                       .gain = std::vector<float>(norm.size, 1.0F),
                       .shift = std::vector<float>(norm.size, 0.0F)};
  if (norm.gain) {
    auto gain = net_values(net, *norm.gain);
    if (!gain) return std::unexpected(std::move(gain.error()));
    values.gain = *std::move(gain);
  }
  if (norm.shift) {
    auto shift = net_values(net, *norm.shift);
    if (!shift) return std::unexpected(std::move(shift.error()));
    values.shift = *std::move(shift);
  }
  return values;
}

}  // namespace pedigree
