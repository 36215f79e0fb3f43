#include "compare/net_tensors.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "compare/assignment.h"
#include "compare/net_content.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::uint64_t most_values = std::uint64_t{1} << 24U;
constexpr std::uint64_t most_values_in_all = std::uint64_t{1} << 26U;
constexpr std::size_t most_axes = 5;

using Shape = std::vector<std::uint64_t>;
using Axes = std::vector<std::size_t>;  // of the base, for each of the subject's
using Chosen = std::vector<std::pair<std::size_t, std::size_t>>;

}  // namespace

bool is_net_tensor(const TensorEntry& entry) {
  return entry.type->kind == ElementType::Kind::floating && entry.type->decode != nullptr &&
         entry.element_count() > 0 && entry.element_count() <= most_values &&
         entry.shape.size() <= most_axes;
}

Result<std::vector<float>> net_values(const Model& model, std::size_t tensor) {
  const Shape& shape = model.tensors[tensor].entry.shape;
  const std::uint64_t cols = shape.size() < 2 ? 1 : shape.back();
  const std::uint64_t all = model.tensors[tensor].entry.element_count();
  return read_all(model, {.rows = all / cols, .cols = cols, .tensor = tensor});
}

namespace {

std::vector<std::size_t> usable(const Model& model) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    if (is_net_tensor(model.tensors[i].entry)) places.push_back(i);
  }
  return places;
}

// Frameworks spell one name in several ways.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> synonyms = {{
    {"weights", "weight"},
    {"kernel", "weight"},
    {"biases", "bias"},
    {"gamma", "weight"},
    {"beta", "bias"},
}};

// Lower case, words with one mark between them: "conv4-1/weights" and "conv4_1.weight" meet.
std::string plain_name(std::string_view name) {
  std::string plain;
  std::string word;
  const auto put = [&] {
    const auto at = std::ranges::find(synonyms, word, &decltype(synonyms)::value_type::first);
    if (!word.empty()) plain += (at == synonyms.end() ? word : std::string(at->second)) + '.';
    word.clear();
  };
  for (const char each : name) {
    const auto byte = static_cast<unsigned char>(each);
    if (std::isalnum(byte) != 0) {
      word += static_cast<char>(std::tolower(byte));
    } else {
      put();
    }
  }
  put();
  return plain;
}

Shape sorted_shape(const Model& model, std::size_t tensor) {
  Shape shape = model.tensors[tensor].entry.shape;
  std::ranges::sort(shape);
  return shape;
}

class Pairer {
 public:
  Pairer(const Model& subject, const Model& base, const Chosen& known)
      : subject_(subject), base_(base), mine_(usable(subject)), theirs_(usable(base)) {
    for (const auto& [mine, theirs] : known) {
      chosen_.emplace_back(mine, theirs);
      std::erase(mine_, mine);
      std::erase(theirs_, theirs);
    }
  }

  // By name first; what is left by content, then by shape, in order, where both have as many of it.
  Result<Chosen> choose() {
    by_key([](const Model& model, std::size_t i) {
      return std::pair(plain_name(model.tensors[i].entry.name), sorted_shape(model, i));
    });
    if (auto problem = by_content()) return std::unexpected(*std::move(problem));
    by_key([](const Model& model, std::size_t i) {
      return std::pair(std::string(), sorted_shape(model, i));
    });
    std::ranges::sort(chosen_);
    return std::move(chosen_);
  }

 private:
  std::optional<Problem> by_content() {
    std::uint64_t values = 0;
    for (const std::size_t i : mine_) values += subject_.tensors[i].entry.element_count();
    for (const std::size_t i : theirs_) values += base_.tensors[i].entry.element_count();
    if (values > 2 * most_values_in_all) return std::nullopt;
    const auto same = same_content(subject_, mine_, base_, theirs_);
    if (!same) return same.error();
    for (const auto& [mine, theirs] : *same) {
      chosen_.emplace_back(mine, theirs);
      std::erase(mine_, mine);
      std::erase(theirs_, theirs);
    }
    return std::nullopt;
  }

  template <class Key>
  void by_key(Key key) {
    std::map<std::pair<std::string, Shape>, std::pair<Axes, Axes>> classes;
    std::unordered_set<std::size_t> my_chosen;
    std::unordered_set<std::size_t> their_chosen;
    for (const std::size_t i : mine_) classes[key(subject_, i)].first.push_back(i);
    for (const std::size_t i : theirs_) classes[key(base_, i)].second.push_back(i);
    for (const auto& [unused, both] : classes) {
      const auto& [mine, theirs] = both;
      if (mine.size() != theirs.size()) continue;
      for (std::size_t i = 0; i < mine.size(); ++i) {
        chosen_.emplace_back(mine[i], theirs[i]);
        my_chosen.insert(mine[i]);
        their_chosen.insert(theirs[i]);
      }
    }
    std::erase_if(mine_, [&](std::size_t i) { return my_chosen.contains(i); });
    std::erase_if(theirs_, [&](std::size_t i) { return their_chosen.contains(i); });
  }

  const Model& subject_;
  const Model& base_;
  std::vector<std::size_t> mine_;
  std::vector<std::size_t> theirs_;
  Chosen chosen_;
};

// Counters beside a norm are none of the model's numbers.
bool is_counter(const TensorEntry& entry) {
  constexpr std::uint64_t few = 16;
  return entry.type->kind != ElementType::Kind::floating && entry.element_count() <= few;
}

std::size_t counted(const Model& model) {
  return static_cast<std::size_t>(std::ranges::count_if(
      model.tensors, [](const StoredTensor& tensor) { return !is_counter(tensor.entry); }));
}

// `values` of `shape` with axis `axes[i]` put in the place of axis i.
std::vector<float> turned(const std::vector<float>& values, const Shape& shape, const Axes& axes) {
  std::vector<std::uint64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  std::vector<float> result;
  result.reserve(values.size());
  std::vector<std::uint64_t> at(shape.size(), 0);
  std::uint64_t from = 0;
  for (std::size_t n = 0; n < values.size(); ++n) {
    result.push_back(values[from]);
    for (std::size_t i = axes.size(); i-- > 0;) {
      from += strides[axes[i]];
      if (++at[i] < shape[axes[i]]) break;
      from -= strides[axes[i]] * at[i];
      at[i] = 0;
    }
  }
  return result;
}

// All orders of the base's axes that give the subject's shape; as stored comes first, then
// the one in which kernels of TensorFlow become those of PyTorch.
std::vector<Axes> orders(const Shape& mine, const Shape& theirs) {
  Axes axes = first_indices(mine.size());
  std::vector<Axes> found;
  do {
    bool fits = true;
    for (std::size_t i = 0; i < axes.size(); ++i) fits &= theirs[axes[i]] == mine[i];
    if (fits) found.push_back(axes);
  } while (std::ranges::next_permutation(axes).found);
  const auto is_usual = [](const Axes& each) { return each == Axes{3, 2, 0, 1}; };
  const auto usual = std::ranges::find_if(found, is_usual);
  if (usual != found.end() && mine != theirs) std::rotate(found.begin(), usual, usual + 1);
  return found;
}

void line_up(NetPair& pair, const Shape& theirs, const std::vector<float>& stored) {
  std::optional<std::vector<float>> first;
  for (const Axes& axes : orders(pair.shape, theirs)) {
    const bool as_stored = std::ranges::is_sorted(axes);
    std::vector<float> values = as_stored ? stored : turned(stored, theirs, axes);
    if (values == pair.mine) {
      pair.equal = true;
      pair.turned = !as_stored;
      pair.theirs = std::move(values);
      return;
    }
    if (first) continue;
    first = std::move(values);
    pair.turned = !as_stored;
  }
  if (first) pair.theirs = *std::move(first);
}

std::uint64_t parameters_of(const Model& model) {
  std::uint64_t parameters = 0;
  for (const StoredTensor& tensor : model.tensors) {
    if (!is_counter(tensor.entry)) parameters += tensor.entry.element_count();
  }
  return parameters;
}

}  // namespace

Result<NetPairs> pair_tensors(const Model& subject, const Model& base, const Chosen& known) {
  Pairer pairer(subject, base, known);
  NetPairs result;
  std::uint64_t kept = 0;
  const auto chosen = pairer.choose();
  if (!chosen) return std::unexpected(chosen.error());
  for (const auto& [mine, theirs] : *chosen) {
    const TensorEntry& entry = subject.tensors[mine].entry;
    const TensorEntry& other = base.tensors[theirs].entry;
    kept += entry.element_count();
    if (kept > most_values_in_all) break;
    NetPair pair{.subject = mine, .base = theirs, .shape = entry.shape};
    auto values = net_values(subject, mine);
    if (!values) return std::unexpected(std::move(values.error()));
    auto stored = net_values(base, theirs);
    if (!stored) return std::unexpected(std::move(stored.error()));
    pair.mine = std::move(*values);
    line_up(pair, other.shape, *stored);
    result.renamed = result.renamed || entry.name != other.name;
    result.paired += entry.element_count();
    result.pairs.push_back(std::move(pair));
  }
  result.parameters = parameters_of(subject);
  result.their_parameters = parameters_of(base);
  result.mine_alone = counted(subject) - result.pairs.size();
  result.theirs_alone = counted(base) - result.pairs.size();
  return result;
}

}  // namespace pedigree
