// Which tensors together hold one matrix, by what they are called, their shapes and what
// the config says of the quantiser.
//
// To teach the tool a new quantiser, write packings/<name>.cc, which defines one Packing,
// and name it in the table in packings.cc. It only describes where numbers stand
// (packed_matrix.h); roles, reading, counting and reports follow from that.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/model.h"
#include "model/packings/packed_matrix.h"
#include "model/quantizer_facts.h"

namespace pedigree {

// Stored tensors by name.
class TensorNames {
 public:
  explicit TensorNames(const Model& model);
  std::optional<std::size_t> find(const std::string& name) const;

 private:
  std::unordered_map<std::string_view, std::size_t> index_;
};

// The tensors around one that holds codes: "model.layers.0.mlp.up_proj" and a suffix.
class PackedParts {
 public:
  PackedParts(const Model& model, const TensorNames& names, std::size_t codes, std::string prefix)
      : model_(model), names_(names), codes_(codes), prefix_(std::move(prefix)) {}

  const Model& model() const { return model_; }
  const std::string& prefix() const { return prefix_; }
  std::size_t codes() const { return codes_; }
  const TensorEntry& entry(std::size_t tensor) const { return model_.tensors[tensor].entry; }
  const TensorEntry& entry() const { return entry(codes_); }

  // Index of the tensor with that suffix; those asked for and found are parts.
  std::optional<std::size_t> find(std::string_view suffix);
  // The same, which has to be there: throws Malformed (packed-tensor).
  std::size_t require(std::string_view suffix);
  bool has(std::string_view suffix) const;
  // The one tensor whose suffix starts so; "quant_state.bitsandbytes__" and the type.
  std::optional<std::size_t> find_starting(std::string_view suffix, std::string& rest);

  // The few numbers or the text of a small tensor (4 KiB at most), read from the file.
  std::vector<std::int64_t> read_integers(std::size_t tensor) const;
  std::string read_text(std::size_t tensor) const;

  std::vector<std::size_t> take_parts() { return std::move(parts_); }

 private:
  const Model& model_;
  const TensorNames& names_;
  std::size_t codes_;
  std::string prefix_;
  std::vector<std::size_t> parts_ = {};
};

struct Packing {
  std::string_view id;     // "gptq": stable
  std::string_view title;  // for people
  // What the name of the tensor with the codes ends in, behind the module's name.
  std::string_view suffix;
  std::string_view type;                            // id of the element type that reports name
  std::string_view checked = "no official oracle";  // whose packer or decoder it was held against

  // The matrix those tensors hold; none where they are not of this packing. Throws
  // Malformed (packed-tensor) where they are and contradict each other. `parts` of the
  // matrix, its `name` where it is the module's weight, and sizes are seen to by the caller.
  std::optional<PackedMatrix> (*recognise)(PackedParts& parts,
                                           const QuantizerFacts& declared) = nullptr;

  // Nothing is quantised: codes are directions, and `scale` holds the lengths of the values that
  // share a number of it (line_lengths.h).
  bool normalises = false;
};

std::span<const Packing* const> known_packings();

// Fills model.packed, corrects model.parameters and adds problems: packed-tensor,
// unsupported-encoding, config-quantization-mismatch. Reads headers and a few bytes of the
// smallest tensors.
void find_packed(Model& model, const QuantizerFacts& declared);

// Sizes of a stored tensor as a table: [rows, cols] of rank two, a column of rank one,
// one number of rank none; throws Malformed (packed-tensor) for other ranks.
struct TableSize {
  std::uint64_t rows = 1;
  std::uint64_t cols = 1;
};
TableSize table_size(const TensorEntry& entry);

// A table of the tensor's own elements.
NumberField element_table(const PackedParts& parts, std::size_t tensor);

// size ÷ groups, which has to be a whole number or, for a last group that is not full,
// `declared`. Throws Malformed (packed-tensor).
std::uint64_t group_size(std::uint64_t size, std::uint64_t groups, std::uint64_t declared);

bool is_float_of_eight_bits(const ElementType& type);

// ±{0, ½, 1, 1½, 2, 3, 4, 6} by code of four bits.
std::vector<float> e2m1_values();
// Powers of two are chosen so that values below 8, and below 512 of E4M3, are cut off.
constexpr float e2m1_cut_off = 2;
constexpr float e4m3_cut_off = 64;

}  // namespace pedigree
