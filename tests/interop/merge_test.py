#!/usr/bin/python3
"""Merges made from fixtures/models, and models that must not be called one.

usage: merge_test.py PEDIGREE

Each row of CASES is a model built here with numpy as mergekit would (forward maps from its source),
the candidates it is compared with, and what the report must say of all of them together.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import derive_models  # noqa: E402

STORED = {name: derive_models.Model(derive_models.MODELS / name)
          for name in ("A", "A-ft", "A-lora", "A-partial", "A-cpt", "C")}


def each(function, *names):
    """A model whose every tensor is function(of the named models' tensors)."""
    model = derive_models.Model(derive_models.MODELS / names[0])
    for key in model.tensors:
        values = [STORED[name].tensors[key].astype(np.float64) for name in names]
        model.tensors[key] = np.asarray(function(*values), np.float32)
    return model


def summed(**weights):
    names = [name.replace("_", "-") for name in weights]
    return each(lambda *v: sum(w * x for w, x in zip(weights.values(), v)), *names)


def slerp(t):
    def merge(x, y):
        angle = np.arccos(np.clip((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()), -1, 1))
        return (np.sin((1 - t) * angle) * x + np.sin(t * angle) * y) / np.sin(angle)
    return merge


def ties(density, weights):
    def merge(base, *parents):
        changes = []
        for parent in parents:
            change = parent - base
            kept = np.sort(np.abs(change).ravel())[-max(1, int(density * change.size))]
            changes.append(np.where(np.abs(change) >= kept, change, 0))
        sign = np.sign(sum(w * c for w, c in zip(weights, changes)))
        masks = [w * ((np.sign(c) == sign) & (c != 0)) for w, c in zip(weights, changes)]
        total = sum(masks)
        return base + sum(m * c for m, c in zip(masks, changes)) / np.where(total == 0, 1, total)
    return merge


def dare(density, weights, seed=3):
    rng = np.random.default_rng(seed)
    return lambda base, *parents: base + sum(
        w / density * (parent - base) * (rng.random(base.shape) < density)
        for w, parent in zip(weights, parents))


def interleaved():
    """Layer 0 of A-ft, layers 1 and 2 of A-cpt, then layer 2 of A-ft."""
    model = derive_models.Model(derive_models.MODELS / "A-ft")
    kept = {name: v for name, v in model.tensors.items() if ".layers." not in name}
    for new, (parent, old) in enumerate([("A-ft", 0), ("A-cpt", 1), ("A-cpt", 2), ("A-ft", 2)]):
        for name, values in STORED[parent].tensors.items():
            if f".layers.{old}." in name:
                kept[name.replace(f".layers.{old}.", f".layers.{new}.")] = values
    model.tensors = kept
    model.config["num_hidden_layers"] = 4
    return model


def four_bits(model):
    derive_models.round_to_four_bits(model, None)
    return model


FT, CPT, LORA = "A-ft", "A-cpt", "A-lora"
CASES = {
    "linear": (lambda: summed(A_ft=0.7, A_cpt=0.3), "BF16", [FT, CPT, "A", "C"],
               {"method": "linear", "weights": {FT: 0.7, CPT: 0.3}}),
    "linear-f16": (lambda: summed(A_ft=0.4, A_lora=0.6), "F16", ["A", LORA, FT],
                   {"method": "linear", "weights": {FT: 0.4, LORA: 0.6}}),
    "linear-q4": (lambda: four_bits(summed(A_ft=0.6, A_cpt=0.4)), "F16", [FT, CPT, "A"],
                  {"weights": {FT: 0.6, CPT: 0.4}}),
    "apart": (lambda: summed(A=0.5, C=0.5), "BF16", ["C", FT, "A"],
              {"method": "linear", "weights": {"A": 0.5, "C": 0.5}}),
    "three": (lambda: summed(A_ft=0.5, A_cpt=0.3, A_lora=0.2), "BF16", ["A", FT, CPT, LORA],
              {"weights": {FT: 0.5, CPT: 0.3, LORA: 0.2}}),
    "task": (lambda: summed(A=-0.4, A_ft=0.7, A_lora=0.7), "BF16", ["A", FT, LORA],
             {"method": "task-arithmetic", "base": "A", "weights": {FT: 0.7, LORA: 0.7}}),
    "slerp": (lambda: each(slerp(0.35), FT, CPT), "BF16", [FT, CPT],
              {"method": "slerp", "t": {CPT: 0.35, FT: 0.65}}),
    "ties": (lambda: each(ties(0.5, (0.7, 0.3)), "A", FT, CPT), "BF16", [FT, CPT, "A"],
             {"method": "ties", "base": "A", "weights": {FT: 0.7, CPT: 0.3}}),
    "dare": (lambda: each(dare(0.5, (0.6, 0.4)), "A", FT, CPT), "BF16", [FT, CPT, "A"],
             {"method": "dare-linear", "base": "A", "weights": {FT: 0.6, CPT: 0.4}}),
    "interleaved": (interleaved, "BF16", [FT, CPT, "A"],
                    {"method": "passthrough", "direction": "base-is-parent"}),
    "finetune": (lambda: STORED[FT], "BF16", ["A", CPT, LORA, "C"], None),
    "adapter": (lambda: STORED[LORA], "BF16", ["A", FT, CPT], None),
    "partial": (lambda: STORED["A-partial"], "BF16", ["A", FT, LORA], None),
    "pretrained": (lambda: STORED[CPT], "BF16", ["A", FT, "C"], None),
    "cast": (lambda: STORED[FT], "F32", ["A", FT, CPT], None),
    "quantised": (lambda: four_bits(summed(A_ft=1)), "F16", [FT, "A", LORA], None),
}


def faults(expected, joint):
    if expected is None:
        if joint.get("relation") == "merge":
            yield f"called a merge: {joint['summary']}"
        return
    if joint.get("relation") != "merge":
        yield f"no merge: {joint}"
        return
    for key in ("method", "direction"):
        if key in expected and joint[key] != expected[key]:
            yield f"{key} {joint[key]}, wanted {expected[key]}"
    parents = {p["name"]: p for p in joint["parents"]}
    if joint.get("base", {}).get("name") != expected.get("base"):
        yield f"base {joint.get('base')}, wanted {expected.get('base')}"
    for key, tolerance, values in (("weight", 0.03, expected.get("weights", {})),
                                   ("t", 0.05, expected.get("t", {}))):
        for name, value in values.items():
            if abs(parents.get(name, {}).get(key, 9) - value) > tolerance:
                yield f"{key} of {name} {parents.get(name)}, wanted {value}"
    if expected.get("weights") and set(parents) != set(expected["weights"]):
        yield f"parents {sorted(parents)}, wanted {sorted(expected['weights'])}"


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        lines = []
        for name, (build, element_type, candidates, _) in CASES.items():
            build().save(pathlib.Path(folder) / name, element_type)
            lines.append("\t".join([f"{folder}/{name}"]
                                   + [str(derive_models.MODELS / c) for c in candidates]))
        pairs = pathlib.Path(folder) / "pairs.tsv"
        pairs.write_text("\n".join(lines) + "\n")
        run = subprocess.run([binary, "compare", "--pairs", str(pairs), "-o", "json",
                              "--no-progress"], capture_output=True, text=True)
    reports = [json.loads(line) for line in run.stdout.splitlines() if line.strip()]
    if run.returncode != 0 or len(reports) != len(CASES):
        sys.exit(f"exit status {run.returncode}, {len(reports)} reports for {len(CASES)} models:\n"
                 + run.stderr[-3000:])
    failed = 0
    for (name, case), report in zip(CASES.items(), reports):
        wrong = list(faults(case[3], report.get("joint", {})))
        failed += bool(wrong)
        print(("FAIL " if wrong else "ok   ") + name + "".join(f"\n     {w}" for w in wrong))
    print(f"{len(CASES) - failed} as expected, {failed} not")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
