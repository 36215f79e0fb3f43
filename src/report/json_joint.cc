#include "report/json_parts.h"
#include "report/numbers.h"

namespace pedigree {
namespace {

OrderedJson json_parent(const JointParent& parent) {
  OrderedJson out;
  out["name"] = json_text(parent.name);
  out["weight"] = json_number(parent.weight);
  if (parent.t) out["t"] = json_number(*parent.t);
  if (parent.kept) out["kept"] = json_number(*parent.kept);
  return out;
}

OrderedJson json_part(const JointPart& part) {
  OrderedJson out;
  if (part.layer >= 0) out["layer"] = part.layer;
  put_text(out, "role", part.role);
  out["weights"] = OrderedJson::array();
  for (const double weight : part.weights) out["weights"].push_back(json_number(weight));
  if (part.t) out["t"] = json_number(*part.t);
  if (part.from && *part.from >= 0) out["from"] = *part.from;
  return out;
}

}  // namespace

OrderedJson json_joint(const Joint& joint) {
  OrderedJson out;
  out["relation"] = json_text(joint.relation);
  put_text(out, "method", joint.method);
  out["parents"] = OrderedJson::array();
  for (const JointParent& each : joint.parents) out["parents"].push_back(json_parent(each));
  if (joint.base) out["base"] = json_parent(*joint.base);
  if (!joint.unneeded.empty()) out["unneeded"] = json_texts(joint.unneeded);
  out["residual"] = json_number(joint.residual);
  if (joint.rounding_ratio) out["rounding_ratio"] = json_number(*joint.rounding_ratio);
  out["within_rounding"] = joint.within_rounding;
  if (joint.condition) out["condition"] = json_number(*joint.condition);
  out["direction"] = json_text(joint.direction);
  put_text(out, "direction_because", joint.direction_because);
  if (joint.lora) out["lora"] = json_lora(*joint.lora);
  for (const JointPart& each : joint.parts) out["parts"].push_back(json_part(each));
  out["evidence"] = OrderedJson::array();
  for (const Evidence& each : joint.evidence) out["evidence"].push_back(json_evidence(each));
  out["summary"] = json_text(joint.summary);
  return out;
}

}  // namespace pedigree
