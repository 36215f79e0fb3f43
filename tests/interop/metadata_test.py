#!/usr/bin/env python3
"""What is told from metadata alone: the same architecture as with the weights at hand.

usage: metadata_test.py PEDIGREE [FAMILY…]

Every family file's small model is written whole, then as an index and a config, then as a
config alone; `inspect` has to say the same of all three, and nothing about weights.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import interop

try:
    import atlas_models
except ImportError as missing:
    interop.enter_venv()
    interop.skip(missing)
from atlas_models import SIZES

SAME = ("structure", "norm", "positions", "gated_mlp", "layers", "hidden", "heads", "kv_heads",
        "head_dim", "ffn", "vocab", "experts", "layer_template")


def config(family):
    made = atlas_models.config(family)
    rules = family.get("config", {})
    offset = 2 if any(r.endswith("+2") for r in rules.get("positions", [])) else 0
    made.update({
        "max_position_embeddings": SIZES["positions"] - offset, "head_dim": SIZES["head_dim"],
        "max_target_positions": SIZES["positions"], "max_source_positions": SIZES["other_positions"],
        "type_vocab_size": SIZES["types"], "relative_attention_num_buckets": SIZES["buckets"],
        "embedding_size": SIZES["embed"], "word_embed_proj_dim": SIZES["embed"],
        "projection_dim": SIZES["projection"],
        "shared_expert_intermediate_size": SIZES["shared_ffn"], "n_inner": SIZES["ffn"],
        "ffn_hidden_size": SIZES["ffn"], "expansion_ratio": None})
    if '"inner"' in json.dumps(family):
        made.update({"d_inner": SIZES["inner"], "state_size": SIZES["state"],
                     "time_step_rank": SIZES["dt_rank"], "conv_kernel": SIZES["kernel"]})
    if "q_rank" in json.dumps(family):
        made.update({"q_lora_rank": SIZES["q_rank"], "kv_lora_rank": SIZES["kv_rank"],
                     "qk_rope_head_dim": SIZES["kv_in"] - SIZES["kv_rank"],
                     "qk_nope_head_dim": SIZES["plain_keys"] // SIZES["heads"],
                     "v_head_dim": SIZES["values"] // SIZES["heads"]})
    if family["structure"].startswith("two-towers"):
        made["vision_config"] = {"hidden_size": SIZES["other_hidden"],
                                 "num_hidden_layers": atlas_models.LAYERS}
    for key, value in family.get("when", {}).items():
        *outer, last = key.split(".")
        place = made
        for step in outer:
            place = place.setdefault(step, {})
        place[last] = {"true": True, "false": False}.get(value, value)
    return made


def architecture(binary, path):
    run = subprocess.run([binary, "inspect", str(path), "-o", "json", "--no-progress"],
                         capture_output=True, text=True)
    if not run.stdout:
        sys.exit(f"inspect {path}: exit status {run.returncode}\n{run.stderr[-2000:]}")
    report = json.loads(run.stdout)
    return report["subject"]["architecture"], report["problems"], run.returncode


def agrees(whole, found, field):
    """A size that no usual key of a config gives is a question mark, in a layer's text alone."""
    if field != "layer_template" or "?" not in (found.get(field) or ""):
        return whole.get(field) == found.get(field)
    pattern = re.escape(found[field]).replace(r"\?", "[0-9]+")
    return re.fullmatch(pattern, whole.get(field, "")) is not None


def faults(whole, found, problems, fields):
    for field in fields:
        if not agrees(whole, found, field):
            yield f"{field}: {found.get(field)} and not {whole.get(field)}"
    for problem in problems:
        if problem["code"] not in ("no-weights", "index-missing-shard", "card-missing"):
            yield f"{problem['code']}: {problem['message']}"


def main():
    binary, wanted = sys.argv[1], set(sys.argv[2:])
    failed = done = 0
    for family in atlas_models.families():
        if wanted and family["id"] not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            tensors = atlas_models.tensors_of(family, False)
            values = atlas_models.canonical_values(tensors, 1)
            stored = atlas_models.own_layout(tensors, values)
            whole = atlas_models.write_directory(family, stored, folder / "whole")
            said = json.dumps(config(family))
            (whole / "config.json").write_text(said)
            truth, _, _ = architecture(binary, whole)
            for layout in ("index", "config"):
                path = folder / layout
                path.mkdir()
                (path / "config.json").write_text(said)
                if layout == "index":
                    (path / "model.safetensors.index.json").write_text(json.dumps(
                        {"metadata": {}, "weight_map": {n: "model.safetensors" for n in stored}}))
                found, problems, status = architecture(binary, path)
                # Which optional tensors there are shows in names alone.
                fields = SAME + ("renames",) if layout == "index" else SAME
                wrong = list(faults(truth, found, problems, fields))
                if found.get("roles_from") != layout:
                    wrong.append(f"roles_from is {found.get('roles_from')}")
                if status != 3:
                    wrong.append(f"exit status {status} where there are no weights")
                done += 1
                failed += bool(wrong)
                print(("FAIL " if wrong else "ok   ") + f"{family['id']} by {layout}"
                      + "".join(f"\n     {w}" for w in wrong))
    print(f"{done - failed} as with weights, {failed} not")
    sys.exit(1 if failed else 0)


main()
