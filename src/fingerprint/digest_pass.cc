#include "fingerprint/digest_pass.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "base/digest.h"
#include "base/parallel.h"
#include "fingerprint/informative.h"
#include "fingerprint/value_hash.h"
#include "model/weights.h"

namespace pedigree {
namespace {

// Large enough that a read costs nothing beside hashing it, small enough that
// both hashes find the bytes in the cache: of 128 KiB to 1 MiB, this cost least.
constexpr std::size_t chunk_bytes = std::size_t{512} << 10U;
constexpr std::size_t split_chunk_bytes = std::size_t{8} << 20U;

// Where sinks look things up and put their results.
struct Desk {
  const Model& model;
  const DigestOptions& options;
  std::vector<TensorDigest>& results;

  const TensorEntry& entry(const Piece& piece) const { return model.tensors[piece.tensor].entry; }
};

class RawSink {
 public:
  RawSink(const Desk& desk, const Piece& piece)
      : wants_h1_(desk.options.h1),
        result_(desk.results[piece.result]),
        probe_(desk.entry(piece)) {}

  void feed(std::span<const std::byte> bytes) {
    probe_.feed(bytes);
    if (wants_h1_) hash_.update(bytes);
  }
  void end() {
    result_.informative = probe_.informative();
    if (wants_h1_) result_.h1 = digest_string("h1/1", hash_.finish());
  }

 private:
  bool wants_h1_;
  TensorDigest& result_;
  InformationProbe probe_;
  Sha256 hash_;
};

class ValueSink {
 public:
  ValueSink(const Desk& desk, const Piece& piece)
      : result_(desk.results[piece.result]),
        hash_(*desk.entry(piece).type, piece.shape, desk.options.h2, desk.options.h3) {}

  void feed(std::span<const std::byte> bytes) { hash_.feed(bytes); }
  void end() {
    hash_.finish();
    result_.h2 = hash_.h2();
    result_.h3 = hash_.h3();
  }

 private:
  TensorDigest& result_;
  ValueHash hash_;
};

// Hands the bytes of each piece in turn to a `Sink` of its own, which is made
// when the piece begins, so that only one is alive at a time.
template <class Sink>
class Walk {
 public:
  Walk(const std::vector<Piece>& pieces, const Desk& desk) : pieces_(pieces), desk_(desk) {}

  void feed(std::uint64_t offset, std::span<const std::byte> bytes) {
    const std::uint64_t end = offset + bytes.size();
    while (next_ < pieces_.size() && pieces_[next_].extent.begin < end) {
      const Piece& piece = pieces_[next_];
      if (!sink_) sink_ = std::make_unique<Sink>(desk_, piece);
      const std::uint64_t from = std::max(piece.extent.begin, offset);
      const std::uint64_t to = std::min(piece.extent.end, end);
      if (to > from) sink_->feed(bytes.subspan(from - offset, to - from));
      if (piece.extent.end > end) return;
      sink_->end();
      sink_.reset();
      ++next_;
    }
  }

 private:
  const std::vector<Piece>& pieces_;
  const Desk& desk_;
  std::size_t next_ = 0;
  std::unique_ptr<Sink> sink_;
};

using Consumer = std::function<void(std::uint64_t offset, std::span<const std::byte> bytes)>;

struct Reading {
  const Source& source;
  Extent range;
  std::size_t chunk = chunk_bytes;
  const Progress& progress;
  FilePass::Tell tell;
};

std::optional<Problem> read_through(const Reading& reading, const Consumer& consume) {
  std::vector<std::byte> buffer(std::min<std::uint64_t>(reading.chunk, reading.range.size()));
  for (std::uint64_t at = reading.range.begin; at < reading.range.end;) {
    if (reading.progress.stop()) {
      return make_problem("interrupted", reading.source.name(), "interrupted");
    }
    const auto size = std::min<std::uint64_t>(buffer.size(), reading.range.end - at);
    const auto bytes = std::span(buffer).first(size);
    if (auto problem = reading.source.read_at(at, bytes)) return problem;
    consume(at, bytes);
    if (reading.tell) reading.tell(size);
    at += size;
  }
  return std::nullopt;
}

// Pieces without bytes, and those that share bytes with others, which are read
// again, each by itself.
template <class Sink>
std::optional<Problem> run_apart(const Source& source, const std::vector<Piece>& pieces,
                                 const Desk& desk) {
  for (const Piece& piece : pieces) {
    Sink sink(desk, piece);
    const Reading reading = {.source = source,
                             .range = piece.extent,
                             .chunk = chunk_bytes,
                             .progress = desk.options.progress,
                             .tell = {}};
    auto problem = read_through(
        reading, [&](std::uint64_t, std::span<const std::byte> bytes) { sink.feed(bytes); });
    if (problem) return problem;
    sink.end();
  }
  return std::nullopt;
}

}  // namespace

std::optional<Problem> FilePass::run(const Source& source, const ShardPlan& plan, FileDigest& file,
                                     const Tell& tell) const {
  const Desk desk = {.model = model_, .options = options_, .results = results_};
  Sha256 whole;
  Walk<RawSink> raw(plan.raw, desk);
  Walk<ValueSink> values(plan.values, desk);
  const bool h0 = options_.h0 && source.arranges() == nullptr;
  const bool in_two = split_ && h0 && !plan.raw.empty();
  const Reading reading = {.source = source,
                           .range = {.begin = 0, .end = source.size()},
                           .chunk = in_two ? split_chunk_bytes : chunk_bytes,
                           .progress = options_.progress,
                           .tell = tell};
  const auto consume = [&](std::uint64_t offset, std::span<const std::byte> bytes) {
    const auto side = [&](std::size_t index) -> std::optional<Problem> {
      if (index == 0 && h0) whole.update(bytes);
      if (index == 1) {
        raw.feed(offset, bytes);
        values.feed(offset, bytes);
      }
      return std::nullopt;
    };
    // Neither side can fail; stopping is asked for between chunks.
    parallel_for(2, in_two ? 2 : 1, {}, side);
  };
  if (auto problem = read_through(reading, consume)) return problem;
  if (auto changed = source.still_the_same()) return changed;
  if (h0) file.sha256 = to_hex(whole.finish());
  if (auto apart = run_apart<RawSink>(source, plan.raw_apart, desk)) return apart;
  return run_apart<ValueSink>(source, plan.values_apart, desk);
}

std::optional<Problem> FilePass::run_rows(const RowPart& part) const {
  const CanonicalTensor& tensor = model_.canonical[part.canonical];
  TensorDigest& result = results_[part.result];
  const ElementType& type = model_.type_of(tensor);
  ValueHash hash(type, result.shape, options_.h2, options_.h3);
  auto problem =
      stream_rows(model_, tensor, std::size_t{16} << 20U,
                  [&](std::uint64_t, std::span<const float> values) -> std::optional<Problem> {
                    if (options_.progress.stop())
                      return make_problem("interrupted", {}, "interrupted");
                    hash.feed_floats(values);
                    return std::nullopt;
                  });
  if (problem) return problem;
  hash.finish();
  result.h2 = hash.h2();
  result.h3 = hash.h3();
  return std::nullopt;
}

}  // namespace pedigree
