#include "model/adapter.h"
#include "report/json_parts.h"

namespace pedigree {

OrderedJson json_adapter(const Adapter& adapter) {
  const AdapterDeclaration& declared = adapter.declared;
  OrderedJson out;
  put_text(out, "type", declared.type);
  put_text(out, "layout", adapter.layout);
  put_text(out, "base", declared.base);
  if (adapter.largest_rank > 0) out["rank"] = adapter.largest_rank;
  if (adapter.least_rank != adapter.largest_rank) out["least_rank"] = adapter.least_rank;
  if (declared.rank) out["declared_rank"] = *declared.rank;
  if (declared.alpha) out["alpha"] = json_number(*declared.alpha);
  if (declared.rank_stabilised) out["rslora"] = true;
  if (declared.decomposed) out["dora"] = true;
  if (!declared.target_modules.empty()) out["target_modules"] = json_texts(declared.target_modules);
  if (!declared.modules_to_save.empty()) {
    out["modules_to_save"] = json_texts(declared.modules_to_save);
  }
  out["updates"] = adapter.updates.size();
  if (!adapter.roles.empty()) out["roles"] = json_texts(adapter.roles);
  if (!adapter.copies.empty()) out["whole_tensors"] = adapter.copies.size();
  if (adapter.others > 0) out["other_tensors"] = adapter.others;
  return out;
}

}  // namespace pedigree
