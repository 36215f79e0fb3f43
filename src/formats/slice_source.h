// A part of a source as a source of its own: an archive within an archive.
#pragma once

#include "base/source.h"
#include "tensor/tensor.h"

namespace pedigree {

class SliceSource final : public Source {
 public:
  // Does not own `outer`, which must outlive it; `extent` lies inside.
  SliceSource(const Source& outer, Extent extent) : outer_(outer), extent_(extent) {
    check(extent.begin <= extent.end && extent.end <= outer.size(), "a slice beyond its source");
  }

  const std::string& name() const override { return outer_.name(); }
  std::uint64_t size() const override { return extent_.size(); }
  std::optional<Problem> still_the_same() const override { return outer_.still_the_same(); }

 protected:
  std::optional<Problem> do_read(std::uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size() || out.size() > size() - offset) {
      return make_problem("io-short-read", name(), "bytes beyond an inner archive were asked for",
                          extent_.begin);
    }
    return outer_.read_at(extent_.begin + offset, out);
  }

 private:
  const Source& outer_;
  Extent extent_;
};

}  // namespace pedigree
