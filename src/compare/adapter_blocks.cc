#include "compare/adapter_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>

#include "base/digest.h"
#include "compare/assignment.h"
#include "compare/rounding.h"
#include "model/adapter.h"
#include "model/adapter_targets.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::uint64_t most_rows = 64;
constexpr std::uint64_t most_values = std::uint64_t{1} << 22U;  // kept of all matrices
constexpr std::uint64_t most_cols = 256;
constexpr std::uint64_t largest_factor = std::uint64_t{1} << 28U;  // values of one A or B

using Place = std::tuple<int, std::string, int>;  // layer, role, expert

// Places drawn by `seed`, ascending.
std::vector<std::uint64_t> drawn(std::uint64_t count, std::uint64_t most, std::uint64_t seed) {
  const auto order = seeded_permutation(static_cast<std::size_t>(count), seed);
  std::vector<std::uint64_t> places(
      order.begin(),
      order.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(count, most)));
  std::ranges::sort(places);
  return places;
}

// An adapter can be made to fit any places that are known before it is made, one for each of
// its ranks. So they are drawn by its own bytes, all of them.
Result<std::uint64_t> seed_of(std::span<const NamedModel> adapters) {
  Sha256 hash;
  const auto feed = [&](std::span<const std::byte> bytes) -> std::optional<Problem> {
    hash.update(bytes);
    return std::nullopt;
  };
  for (const NamedModel& each : adapters) {
    for (const AdapterUpdate& update : each.model->adapter->updates) {
      for (const std::size_t tensor : {update.down, update.up}) {
        constexpr std::size_t chunk = std::size_t{1} << 20U;
        auto problem = stream_bytes(*each.model, each.model->tensors[tensor], chunk, feed);
        if (problem) return std::unexpected(*std::move(problem));
      }
    }
  }
  const Sha256Value digest = hash.finish();
  std::uint64_t seed = 0;
  std::memcpy(&seed, digest.data(), sizeof seed);
  return seed;
}

// An adapter's matrix as rows and columns of its own.
CanonicalTensor whole(const Model& model, std::size_t tensor, std::uint64_t rows) {
  const std::uint64_t count = model.tensors[tensor].entry.element_count();
  return {.rows = rows, .cols = count / rows, .tensor = tensor};
}

struct Update {
  std::size_t adapter = 0;
  AdapterTarget target = {};
};

// One adapter's B·A at some rows and columns of the canonical matrix.
class Product {
 public:
  Product(const Model& model, const Update& update, std::uint64_t heads)
      : model_(model),
        update_(model.adapter->updates[update.target.update]),
        part_(update.target.part),
        heads_(part_.paired_heads == 0 ? 0 : heads) {}

  // Fills values and the sums of magnitudes behind them.
  std::optional<Problem> at(std::span<const std::uint64_t> rows,
                            std::span<const std::uint64_t> cols, std::vector<double>& values,
                            std::vector<double>& behind) const {
    const CanonicalTensor down = whole(model_, update_.down, update_.rank);
    CanonicalTensor up = whole(model_, update_.up, update_.rows);
    const auto ranks = first_indices(static_cast<std::size_t>(update_.rank));
    // Of an embedding B·A is [hidden, vocabulary]: rows and columns change places.
    std::vector<std::uint64_t> outs(rows.begin(), rows.end());
    std::vector<std::uint64_t> ins(cols.begin(), cols.end());
    if (update_.embedding) std::swap(outs, ins);
    if (!update_.embedding) {
      if (heads_ > 0) {
        up.first_row = part_.first_row;
        up.rows = part_.rows;
        up.paired_heads = heads_;
      } else {
        for (std::uint64_t& row : outs) row += part_.first_row;
      }
    }
    const auto a = read_block(model_, down, ranks, ins);
    if (!a) return a.error();
    const auto b = read_block(model_, up, outs, ranks);
    if (!b) return b.error();
    multiply({.b = *b, .a = *a}, outs.size(), ins.size(), values, behind);
    return std::nullopt;
  }

 private:
  struct Factors {
    const std::vector<float>& b;
    const std::vector<float>& a;
  };

  void multiply(const Factors& of, std::size_t outs, std::size_t ins, std::vector<double>& values,
                std::vector<double>& behind) const {
    const auto rank = static_cast<std::size_t>(update_.rank);
    const double scale = update_.scale.value_or(1);
    values.assign(outs * ins, 0);
    behind.assign(outs * ins, 0);
    for (std::size_t out = 0; out < outs; ++out) {
      for (std::size_t in = 0; in < ins; ++in) {
        double sum = 0;
        double size = 0;
        for (std::size_t k = 0; k < rank; ++k) {
          const double term =
              static_cast<double>(of.b[out * rank + k]) * static_cast<double>(of.a[k * ins + in]);
          sum += term;
          size += std::abs(term);
        }
        const std::size_t at = update_.embedding ? in * outs + out : out * ins + in;
        if (!std::isfinite(scale * size)) continue;
        values[at] = scale * sum;
        behind[at] = std::abs(scale) * size;
      }
    }
  }

  const Model& model_;
  const AdapterUpdate& update_;
  const CanonicalTensor& part_;
  std::uint64_t heads_ = 0;
};

class Collector {
 public:
  Collector(const Model& subject, const Model& base, std::span<const NamedModel> adapters)
      : subject_(subject), base_(base), adapters_(adapters) {}

  Result<AdapterBlocks> collect() {
    for (std::size_t at = 0; at < adapters_.size(); ++at) note_targets(at);
    if (updates_.empty()) return std::move(result_);
    auto seed = seed_of(adapters_);
    if (!seed) return std::unexpected(std::move(seed.error()));
    seed_ = *seed;
    for (const CanonicalTensor& tensor : base_.canonical) {
      if (auto problem = add(tensor)) return std::unexpected(std::move(*problem));
    }
    return std::move(result_);
  }

 private:
  void note_targets(std::size_t at) {
    const Model& model = *adapters_[at].model;
    const Adapter& adapter = *model.adapter;
    bool scaled = true;
    for (const AdapterUpdate& update : adapter.updates) {
      scaled = scaled && update.scale.has_value();
      result_.scaled_rows = result_.scaled_rows || update.scaled_rows;
    }
    result_.scaled.push_back(scaled);
    for (AdapterTarget& target : adapter_targets(adapter, model, &base_)) {
      const AdapterUpdate& update = adapter.updates[target.update];
      const bool readable = model.tensors[update.down].entry.element_count() <= largest_factor &&
                            model.tensors[update.up].entry.element_count() <= largest_factor;
      if (!readable) continue;
      const Place place(target.part.layer, target.part.role, target.part.expert);
      updates_[place].push_back({.adapter = at, .target = std::move(target)});
    }
  }

  // 0 where no half step can be told: a quantiser's values are coarser than a float's.
  static bool has_steps(const Model& model, const CanonicalTensor& tensor) {
    return model.is_decodable(tensor) && !tensor.packed && model.type_of(tensor).precision != 0;
  }

  // Fewer rows of each where there are many matrices.
  std::uint64_t rows_of_each() const {
    const std::uint64_t matrices = std::max<std::uint64_t>(updates_.size(), 1);
    return std::clamp<std::uint64_t>(most_values / most_cols / matrices, 1, most_rows);
  }

  // Of half a matrix's rank and more a product comes near to any difference, whatever it is.
  bool explains_anything(const CanonicalTensor& base) const {
    const auto found = updates_.find({base.layer, base.role, base.expert});
    if (found == updates_.end()) return false;
    std::uint64_t rank = 0;
    for (const Update& update : found->second) {
      const Model& model = *adapters_[update.adapter].model;
      rank += model.adapter->updates[update.target.update].rank;
    }
    return 2 * rank > std::min(base.rows, base.cols);
  }

  std::optional<Problem> add(const CanonicalTensor& base) {
    const CanonicalTensor* subject = subject_.find(base.role, base.layer, base.expert);
    const bool tied = base.role == "head.out" && subject_.architecture.tied_embeddings;
    if (subject == nullptr && tied) return std::nullopt;
    if (subject == nullptr || subject->rows != base.rows || subject->cols != base.cols) {
      ++result_.others_changed;
      return std::nullopt;
    }
    if (!has_steps(subject_, *subject) || !has_steps(base_, base)) {
      ++result_.unread;
      return std::nullopt;
    }
    if (explains_anything(base)) {
      ++result_.unread;
      return std::nullopt;
    }
    const auto rows = drawn(base.rows, rows_of_each(), seed_);
    const auto cols = drawn(base.cols, most_cols, seed_ + 1);
    const auto ours = read_block(subject_, *subject, rows, cols);
    if (!ours) return ours.error();
    const auto theirs = read_block(base_, base, rows, cols);
    if (!theirs) return theirs.error();
    AdapterBlock block{.role = base.role, .layer = base.layer, .expert = base.expert};
    fill(block, *ours, *theirs, *subject, base);
    bool targeted = false;
    if (auto problem = add_products(block, base, rows, cols, targeted)) return problem;
    if (targeted) {
      result_.blocks.push_back(std::move(block));
    } else if (!block.is_unchanged()) {
      ++result_.others_changed;
    }
    return std::nullopt;
  }

  void fill(AdapterBlock& block, const std::vector<float>& ours, const std::vector<float>& theirs,
            const CanonicalTensor& subject, const CanonicalTensor& base) const {
    const ElementType& our_type = subject_.type_of(subject);
    const ElementType& their_type = base_.type_of(base);
    // A base of another type may itself have been rounded from what was added to.
    const bool cast = our_type.id != their_type.id;
    block.slack = std::ldexp(4.0, -our_type.precision);
    block.change.reserve(ours.size());
    block.step.reserve(ours.size());
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const auto mine = static_cast<double>(ours[i]);
      const auto other = static_cast<double>(theirs[i]);
      if (!std::isfinite(mine) || !std::isfinite(other)) {
        block.change.push_back(0);
        block.step.push_back(-1);
        continue;
      }
      block.change.push_back(mine - other);
      block.subject_energy += mine * mine;
      double step = unit_in_last_place(std::max(std::abs(mine), std::abs(other)),
                                       our_type.precision, our_type.smallest_exponent);
      if (cast && their_type.precision < our_type.precision) {
        step += unit_in_last_place(other, their_type.precision, their_type.smallest_exponent);
      }
      block.step.push_back(step / 2);
    }
  }

  std::optional<Problem> add_products(AdapterBlock& block, const CanonicalTensor& base,
                                      std::span<const std::uint64_t> rows,
                                      std::span<const std::uint64_t> cols, bool& targeted) const {
    block.added.resize(adapters_.size());
    block.behind.resize(adapters_.size());
    const auto found = updates_.find({base.layer, base.role, base.expert});
    if (found == updates_.end()) return std::nullopt;
    for (const Update& update : found->second) {
      const CanonicalTensor& part = update.target.part;
      if (part.rows != base.rows || part.cols != base.cols) continue;
      const Architecture& built = base_.architecture;
      const std::uint64_t heads = base.role.starts_with("attn.q") ? built.heads : built.kv_heads;
      const Product product(*adapters_[update.adapter].model, update, heads);
      auto problem =
          product.at(rows, cols, block.added[update.adapter], block.behind[update.adapter]);
      if (problem) return problem;
      targeted = true;
    }
    return std::nullopt;
  }

  const Model& subject_;
  const Model& base_;
  std::span<const NamedModel> adapters_;
  std::map<Place, std::vector<Update>> updates_;
  std::uint64_t seed_ = 0;
  AdapterBlocks result_;
};

}  // namespace

bool AdapterBlock::is_unchanged() const {
  constexpr double most_outside = 0.005;
  std::size_t outside = 0;
  for (std::size_t at = 0; at < change.size(); ++at) {
    if (!(std::abs(change[at]) <= step[at] * (1 + 1e-6))) ++outside;
  }
  return static_cast<double>(outside) <= most_outside * static_cast<double>(change.size());
}

Result<AdapterBlocks> adapter_blocks(const Model& subject, const Model& base,
                                     std::span<const NamedModel> adapters) {
  return Collector(subject, base, adapters).collect();
}

}  // namespace pedigree
