#include "compare/net_wiring.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "compare/net_kernels.h"
#include "compare/net_tables.h"

namespace pedigree {
namespace {

constexpr std::size_t most_candidates = 8;
constexpr std::size_t most_positions = 4096;  // of a picture that is read as one vector
constexpr std::size_t most_kernels = 512;
constexpr std::size_t digits = 12;

// Runs of digits to one length: "block10" comes behind "block9".
std::string natural_key(std::string_view name) {
  std::string key;
  for (std::size_t at = 0; at < name.size();) {
    std::size_t end = at;
    while (end < name.size() && std::isdigit(static_cast<unsigned char>(name[end])) != 0) ++end;
    if (end == at) {
      key += name[at++];
      continue;
    }
    if (end - at < digits) key.append(digits - (end - at), '0');
    key += name.substr(at, end - at);
    at = end;
  }
  return key;
}

// A dense layer may read the channels of a convolution, position by position.
bool may_read(const WiredKernel& reader, const WiredKernel& producer, bool flattened) {
  if (&reader == &producer) return false;
  if (!flattened) return reader.inputs == producer.outputs;
  return reader.pair->shape.size() == 2 && producer.pair->shape.size() > 2 &&
         producer.outputs >= fewest_units && reader.inputs > producer.outputs &&
         reader.inputs % producer.outputs == 0 &&
         reader.inputs / producer.outputs <= most_positions;
}

class Wirer {
 public:
  Wirer(const Model& subject, const NetPairs& pairs) : subject_(subject), pairs_(pairs) {}

  Wiring wire() {
    list_kernels();
    if (kernels().size() > most_kernels) return {};
    tell_ends();
    put_in_order();
    for (std::size_t k = 0; k < kernels().size(); ++k) link(k);
    wiring_.complete =
        wiring_.complete &&
        std::ranges::all_of(kernels(), [&](const WiredKernel& each) { return is_placed(each); });
    return std::move(wiring_);
  }

 private:
  std::vector<WiredKernel>& kernels() { return wiring_.kernels; }

  void list_kernels() {
    const auto vectors = vector_sizes(pairs_);
    std::vector<std::pair<std::string, const NetPair*>> named;
    for (const NetPair& pair : pairs_.pairs) {
      if (pair.shape.size() < 2) continue;
      named.emplace_back(natural_key(subject_.tensors[pair.subject].entry.name), &pair);
    }
    std::ranges::stable_sort(named, {}, &decltype(named)::value_type::first);
    wiring_.complete = pairs_.mine_alone == 0 && pairs_.theirs_alone == 0;
    for (const auto& [name, pair] : named) {
      const KernelAxes axes = axes_of(*pair, vectors);
      const bool counts = are_finite(*pair) && is_informative(*pair) && axes.outputs > 0;
      if (!counts || may_be_recurrent(name)) {
        wiring_.complete = false;
        continue;
      }
      if (pair->equal && is_computed(*pair)) continue;  // a table
      kernels().push_back(
          {.pair = pair,
           .outputs = static_cast<std::size_t>(axes.outputs),
           .inputs = static_cast<std::size_t>(axes.inputs),
           .taps = pair->mine.size() / static_cast<std::size_t>(axes.outputs * axes.inputs),
           .outputs_last = axes.outputs_last});
    }
  }

  // An input beside the first's kind may read several kernels behind each other, a head be three
  // or four matrices in one: what their axes number is not known.
  bool is_placed(const WiredKernel& kernel) {
    const bool reads = kernel.is_input ? kernel.inputs == 1 || kernel.inputs == kernels()[0].inputs
                                       : !kernel.producers.empty();
    const bool is_read =
        kernel.is_head ? kernel.outputs != 3 * kernel.inputs && kernel.outputs != 4 * kernel.inputs
                       : !kernel.readers.empty();
    return reads && is_read;
  }

  void tell_ends() {
    for (WiredKernel& kernel : kernels()) {
      const auto reads = [&](bool flattened) {
        return
            [&, flattened](const WiredKernel& other) { return may_read(kernel, other, flattened); };
      };
      const auto is_read = [&](bool flattened) {
        return
            [&, flattened](const WiredKernel& other) { return may_read(other, kernel, flattened); };
      };
      kernel.is_input = kernel.inputs == 1 || (std::ranges::none_of(kernels(), reads(false)) &&
                                               std::ranges::none_of(kernels(), reads(true)));
      kernel.is_head = std::ranges::none_of(kernels(), is_read(false)) &&
                       std::ranges::none_of(kernels(), is_read(true));
    }
  }

  // Inputs first, heads last; between them always the first that reads what nobody has read
  // yet, else what stands before it.
  void put_in_order() {
    std::vector<WiredKernel> waiting = std::exchange(kernels(), {});
    std::ranges::stable_partition(waiting, &WiredKernel::is_input);
    const auto heads = std::ranges::stable_partition(
        waiting, [](const WiredKernel& each) { return !each.is_head; });
    std::vector<WiredKernel> last(heads.begin(), heads.end());
    waiting.erase(heads.begin(), heads.end());
    std::vector<bool> read;
    while (!waiting.empty()) {
      auto next = std::ranges::find_if(waiting, &WiredKernel::is_input);
      for (const bool unread : {true, false}) {
        if (next != waiting.end()) break;
        next = std::ranges::find_if(waiting, [&](const WiredKernel& each) {
          return producer_of(each, read, unread).has_value();
        });
      }
      if (next == waiting.end()) next = waiting.begin();
      if (const auto producer = producer_of(*next, read, true)) read[*producer] = true;
      kernels().push_back(std::move(*next));
      read.push_back(false);
      waiting.erase(next);
    }
    std::ranges::move(last, std::back_inserter(kernels()));
  }

  // The last placed kernel that `reader` may read, among those that were not read.
  std::optional<std::size_t> producer_of(const WiredKernel& reader, const std::vector<bool>& read,
                                         bool unread) {
    for (std::size_t p = kernels().size(); p-- > 0;) {
      if (unread && read[p]) continue;
      const WiredKernel& producer = kernels()[p];
      if (may_read(reader, producer, false) || may_read(reader, producer, true)) return p;
    }
    return std::nullopt;
  }

  void link(std::size_t k) {
    WiredKernel& kernel = kernels()[k];
    const bool flattened = std::ranges::none_of(
        kernels(), [&](const WiredKernel& other) { return may_read(kernel, other, false); });
    if (kernel.is_input) return;
    for (std::size_t p = k; p-- > 0 && kernel.producers.size() < most_candidates;) {
      WiredKernel& producer = kernels()[p];
      if (producer.is_head || !may_read(kernel, producer, flattened)) continue;
      kernel.producers.push_back(p);
      if (producer.readers.size() < most_candidates) producer.readers.push_back(k);
    }
  }

  const Model& subject_;
  const NetPairs& pairs_;
  Wiring wiring_;
};

}  // namespace

Wiring wiring_of(const Model& subject, const NetPairs& pairs) {
  return Wirer(subject, pairs).wire();
}

}  // namespace pedigree
