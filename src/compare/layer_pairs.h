// Pairing by index for any pair of layers of two models, each layer made ready
// once: a table of all pairs asks for each layer as often as the other side has
// layers. Threads may ask at the same time; answers do not depend on the order.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "compare/layer_looks.h"
#include "compare/pairing.h"

namespace pedigree {

class LayerPairs {
 public:
  // Both must outlive this.
  LayerPairs(const Fingerprint& subject, const Fingerprint& base);

  // `screened`: for one cell among a table, where plainly_unpaired() may rule it out
  // unsolved; it then counts as without a match, which can only lose evidence.
  Cell neurons(int a, int b, bool screened = false) const;
  Cell values(int a, int b, bool screened = false) const;  // a witness a head
  Cell attention(int a, int b, bool screened = false) const;
  Cell responses(int a, int b, bool screened = false) const;

  // Residual dimensions through columns of q, k, v, rows of o, and columns of the
  // embeddings and the head for tokens both have: one witness for the model.
  Cell hidden(const LayerMap& layers, unsigned threads) const;

 private:
  struct Part {
    PreparedRows rows = {};
    std::vector<bool> has_length = {};  // by unit, before
  };
  struct Lazy {
    std::once_flag made = {};
    std::vector<Part> parts = {};
  };
  struct SideOfLook {
    int reference = -1;                              // first layer that can be looked at
    std::vector<bool> as_reference = {};             // by layer: samples the same indices
    std::vector<std::unique_ptr<Lazy>> layers = {};  // against the other's reference
  };
  using Parts = std::shared_ptr<const std::vector<Part>>;

  SideOfLook side_of(Look look, const Fingerprint& sketch) const;
  std::vector<Part> made(Look look, bool of_subject, int layer, int other_layer) const;
  static Part part_made(Matrix raw);
  std::pair<Parts, Parts> by_tokens(std::string_view role, const CommonTokens& tokens) const;
  Parts parts(Look look, bool of_subject, int layer, int other_layer) const;
  Cell cell(std::span<const LookOf> looks, int a, int b, bool screened) const;

  const Fingerprint& subject_;
  const Fingerprint& base_;
  std::array<SideOfLook, look_count> subject_looks_;
  std::array<SideOfLook, look_count> base_looks_;
};

}  // namespace pedigree
