#include "tests/support/fault_source.h"

namespace pedigree {

std::optional<Problem> FaultSource::still_the_same() const {
  if (fault_ != Fault::changes) return inner_.still_the_same();
  return make_problem("file-changed-while-reading", name(), "the file changed during the run");
}

std::optional<Problem> FaultSource::do_read(std::uint64_t offset, std::span<std::byte> out) const {
  const bool now = reads_.fetch_add(1) == nth_;
  if (now && fault_ == Fault::fails) {
    return make_problem("io-error", name(), "the disk reported an error", offset);
  }
  if (now && fault_ == Fault::shortens) {
    const std::size_t half = out.size() / 2;
    if (auto problem = inner_.read_at(offset, out.first(half))) return problem;
    return make_problem("io-short-read", name(), "the file ended early", offset + half);
  }
  return inner_.read_at(offset, out);
}

std::optional<Problem> SparseSource::do_read(std::uint64_t offset, std::span<std::byte> out) const {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t at = offset + i;
    out[i] = at < head_.size() ? static_cast<std::byte>(head_[static_cast<std::size_t>(at)])
                               : std::byte{0};
  }
  return std::nullopt;
}

}  // namespace pedigree
