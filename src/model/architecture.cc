#include "model/architecture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace pedigree {
namespace {

constexpr std::string_view unknown = "unknown";

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

bool compatible(const std::string& a, const std::string& b) {
  return a == b || a == unknown || b == unknown;
}

// 5000000, 1e-05: the way config files spell them.
std::string number_text(double value) {
  const bool whole = std::abs(value) < 1e15 && value == std::trunc(value);
  return whole ? fmt::format("{:.0f}", value) : fmt::format("{}", value);
}

using Differences = std::vector<std::pair<std::string, std::string>>;

void add(Differences& differences, std::string name, const std::string& a, const std::string& b) {
  if (a.empty() || b.empty() || a == unknown || b == unknown || a == b) return;
  differences.emplace_back(std::move(name), a + " against " + b);
}

// Zero is "not known" for every count in an Architecture but experts.
std::string count_text(std::uint64_t count) { return count == 0 ? "" : fmt::format("{}", count); }

std::string optional_text(const std::optional<double>& value) {
  return value ? number_text(*value) : "";
}

std::string yes_no(bool value) { return value ? "yes" : "no"; }

std::string additions_text(const Architecture& architecture) {
  const std::vector<std::string> additions = parse_structure(architecture.structure).additions;
  return additions.empty() ? "none" : fmt::format("{}", fmt::join(additions, ", "));
}

}  // namespace

Structure parse_structure(std::string_view text) {
  const std::vector<std::string> parts = split(text, '/');
  Structure structure;
  if (parts.size() < 4) return structure;
  const std::vector<std::string> norm = split(parts[1], '-');
  structure.kind = parts[0];
  structure.norm = norm[0];
  structure.placement = norm.size() > 1 ? norm[1] : "";
  structure.positions = parts[2];
  structure.gated = parts[3].starts_with("gated-");
  structure.activation = parts[3].substr(parts[3].find('-') + 1);
  structure.additions.assign(parts.begin() + 4, parts.end());
  return structure;
}

std::string structure_text(const Structure& structure) {
  std::string text =
      fmt::format("{}/{}-{}/{}/{}-{}", structure.kind, structure.norm, structure.placement,
                  structure.positions, structure.gated ? "gated" : "plain", structure.activation);
  for (const std::string& addition : structure.additions) text += "/" + addition;
  return text;
}

bool same_architecture(const Architecture& a, const Architecture& b) {
  const Structure left = parse_structure(a.structure);
  const Structure right = parse_structure(b.structure);
  if (left.kind.empty() || right.kind.empty()) {
    // Of what nobody has roles for, shapes of the blocks are all there is.
    const bool without_roles = a.layers == 0 && b.layers == 0;
    return without_roles && left.kind == right.kind && !a.layer_template.empty() &&
           a.layer_template == b.layer_template;
  }
  return compatible(left.kind, right.kind) && compatible(left.norm, right.norm) &&
         left.gated == right.gated && compatible(left.placement, right.placement) &&
         compatible(left.positions, right.positions) &&
         compatible(left.activation, right.activation) && left.additions == right.additions;
}

std::vector<std::pair<std::string, std::string>> architecture_differences(const Architecture& a,
                                                                          const Architecture& b) {
  const Structure left = parse_structure(a.structure);
  const Structure right = parse_structure(b.structure);
  Differences differences;
  add(differences, "norm", a.norm, b.norm);
  add(differences, "norm placement", left.placement, right.placement);
  add(differences, "positions", a.positions, b.positions);
  if (!left.kind.empty() && !right.kind.empty()) {
    add(differences, "gated MLP", yes_no(a.gated_mlp), yes_no(b.gated_mlp));
    add(differences, "activation", left.activation, right.activation);
    add(differences, "block additions", additions_text(a), additions_text(b));
  }
  add(differences, "layers", count_text(a.layers), count_text(b.layers));
  add(differences, "hidden size", count_text(a.hidden), count_text(b.hidden));
  add(differences, "heads", count_text(a.heads), count_text(b.heads));
  add(differences, "kv heads", count_text(a.kv_heads), count_text(b.kv_heads));
  add(differences, "head size", count_text(a.head_dim), count_text(b.head_dim));
  add(differences, "MLP size", count_text(a.ffn), count_text(b.ffn));
  add(differences, "experts", count_text(a.experts), count_text(b.experts));
  add(differences, "vocabulary", count_text(a.vocab), count_text(b.vocab));
  add(differences, "experts used", count_text(a.experts_used), count_text(b.experts_used));
  add(differences, "rope theta", optional_text(a.rope_theta), optional_text(b.rope_theta));
  add(differences, "rope scaling", a.rope_scaling, b.rope_scaling);
  add(differences, "rotary share", optional_text(a.rotary_share), optional_text(b.rotary_share));
  if (a.parallel_residual && b.parallel_residual) {
    add(differences, "parallel residual", yes_no(*a.parallel_residual),
        yes_no(*b.parallel_residual));
  }
  add(differences, "attention window", count_text(a.window), count_text(b.window));
  add(differences, "norm epsilon", optional_text(a.norm_eps), optional_text(b.norm_eps));
  add(differences, "context", count_text(a.context.value_or(0)), count_text(b.context.value_or(0)));
  if (a.vocab != 0 && b.vocab != 0) {
    add(differences, "tied embeddings", yes_no(a.tied_embeddings), yes_no(b.tied_embeddings));
  }
  return differences;
}

}  // namespace pedigree
