#!/usr/bin/env python3
"""One model in many containers: files of the official GGUF writer against the same weights
as safetensors, by the tool's own verdicts.

usage: gguf_test.py PEDIGREE

Needs the packages that scripts/interop-venv installs; without them nothing is tested, and
the exit status (77) says so.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import interop  # noqa: E402

interop.enter_venv()
try:
    import gguf_models
    import llama_quantiser
    import made_models
    import numpy as np
except ImportError as missing:
    interop.skip(missing)

EXACT = ("F32", "F16", "BF16")
QUANTISED = ("Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0", "Q6_K", "Q4_K", "IQ4_XS", "MXFP4")
# Those that llama.cpp's library alone writes.
SEARCHED = ("Q5_K", "Q3_K", "Q2_K", "IQ4_NL", "IQ3_S", "IQ3_XXS", "IQ2_S", "IQ2_XS", "IQ2_XXS",
            "IQ1_M", "IQ1_S")
GRIDS = tuple(kind for kind in SEARCHED if kind.startswith(("IQ1", "IQ2", "IQ3")))
REPEATABLE = ("Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0")  # their quantisers leave no choice


class Cases:
    """Pairs with what must be said of them."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.rows = []

    def add(self, suspect, base, relations, transforms=()):
        self.rows.append((str(suspect), str(base), relations, transforms))

    def run(self, binary):
        pairs = self.folder / "pairs.tsv"
        pairs.write_text("".join(f"{s}\t{b}\n" for s, b, _, _ in self.rows))
        run = subprocess.run([binary, "compare", "--pairs", str(pairs), "-o", "json",
                              "--no-progress"], capture_output=True, text=True)
        lines = [line for line in run.stdout.splitlines() if line.strip()]
        if run.returncode != 0 or len(lines) != len(self.rows):
            sys.exit(f"exit status {run.returncode}, {len(lines)} reports for {len(self.rows)} "
                     f"pairs:\n{run.stderr[-3000:]}")
        return sum(self.judge(row, json.loads(line)) for row, line in zip(self.rows, lines))

    def judge(self, row, report):
        suspect, base, relations, transforms = row
        comparison = (report.get("comparisons") or [{}])[0]
        verdict = comparison.get("verdict", {})
        wrong = []
        if verdict.get("relation") not in relations:
            wrong.append(f"relation is {verdict.get('relation')!r}, wanted {relations}: "
                         f"{verdict.get('summary')}")
        for transform in transforms:
            if transform not in comparison.get("transforms", []):
                wrong.append(f"transforms {comparison.get('transforms')} lack {transform!r}")
        if relations[0] != "independent" and verdict.get("tokenizer") != "yes":
            wrong.append(f"tokenizer is {verdict.get('tokenizer')!r}")
        kind = pathlib.Path(suspect).stem.rsplit("-", 1)[-1]
        if relations == ["quantized"] and verdict.get("mechanisms") != ["quantized"]:
            wrong.append(f"mechanisms are {verdict.get('mechanisms')}")
        if relations == ["quantized"] and kind not in GRIDS:
            if verdict.get("direction") != "base-is-parent":
                wrong.append(f"direction is {verdict.get('direction')!r}")
        for problem in report.get("problems", []):
            if problem.get("severity") == "error":
                wrong.append(f"problem {problem}")
        name = f"{pathlib.Path(suspect).name} -- {pathlib.Path(base).name}"
        print(("FAIL " if wrong else "ok   ") + name + "".join(f"\n     {w}" for w in wrong))
        return bool(wrong)


TRANSFORMS = {"llama": ["rope-permute"], "gemma": ["norm-plus-one"], "gpt2": ["transpose"],
              "mixtral": ["rope-permute", "stack-experts"]}


def add_family(cases, family, folder):
    made = {name: made_models.MAKERS[family](seed) for name, seed in (("one", 1), ("two", 2))}
    hub = {name: made_models.write_directory(family, tensors, folder / f"{family}-{name}")
           for name, tensors in made.items()}
    files = {}
    searched = SEARCHED if llama_quantiser.available() else ()
    whole = (*EXACT, *QUANTISED, *searched)
    for kind in whole if family == "llama" else ("F32", "F16", "BF16", "Q8_0", "Q4_0"):
        files[kind] = gguf_models.write_gguf(family, made["one"], folder / f"{family}-{kind}.gguf",
                                             kind)
        exact = kind in EXACT
        cases.add(files[kind], hub["one"], ["identical"] if exact else ["quantized"],
                  TRANSFORMS[family] if exact else [])
        cases.add(files[kind], hub["two"], ["independent"])
    cases.add(files["BF16"], files["F32"], ["identical"])
    return made["one"], hub["one"], files


def inspect_fails(binary, path):
    """What one file says of itself, against what was written into it."""
    run = subprocess.run([binary, "inspect", str(path), "-o", "json"], capture_output=True,
                         text=True)
    subject = json.loads(run.stdout)["subject"]
    built, claims = subject["architecture"], subject["claims"]
    told = {"family": built["family"], "layers": built["layers"], "heads": built["heads"],
            "kv heads": built["kv_heads"], "tokens": subject["tokenizer"]["tokens"],
            "formats": subject["format"],
            "parents": [c["value"] for c in claims if c["kind"] == "base-model"]}
    wanted = {"family": "llama", "layers": made_models.LAYERS, "heads": made_models.HEADS,
              "kv heads": made_models.KV_HEADS, "tokens": made_models.VOCAB, "formats": ["gguf"],
              "parents": ["https://huggingface.co/made/llama"]}
    for key, value in wanted.items():
        if told[key] != value:
            print(f"FAIL inspect: {key} is {told[key]!r}, wanted {value!r}")
    return told != wanted


def repeats_wrongly(binary, made, hub, folder, kind):
    """A copy's codes come out again from its source, and not from a close relative of it."""
    rng = np.random.default_rng(9)
    near = {name: made_models.bf16(values * (1 + 0.004 * rng.standard_normal(values.shape)))
            for name, values in made.items()}
    shares = {}
    for name, tensors in (("source", made), ("relative", near)):
        path = gguf_models.write_gguf("llama", tensors, folder / f"{kind}-{name}.gguf", kind)
        run = subprocess.run([binary, "compare", str(path), str(hub), "-o", "json"],
                             capture_output=True, text=True)
        evidence = json.loads(run.stdout)["comparisons"][0]["evidence"]
        shares[name] = [e["value"] for e in evidence if e["statistic"] == "requantised/1"]
    wrong = shares["source"] != [1.0] or any(share > 0.5 for share in shares["relative"])
    print(("FAIL " if wrong else "ok   ") + f"{kind} quantised again: {shares}")
    return wrong


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if not llama_quantiser.available():
            print(f"SKIPPED: llama.cpp's own quantiser, so also {', '.join(SEARCHED)}. "
                  "scripts/build-ggml-quantiser makes it.")
        cases = Cases(folder)
        made, hub, files = add_family(cases, "llama", folder)
        for family in ("gemma", "gpt2", "mixtral"):
            add_family(cases, family, folder)
        big = gguf_models.write_gguf("llama", made, folder / "llama-big.gguf", "F16",
                                     big_endian=True)
        cases.add(big, hub, ["identical"])
        (folder / "split").mkdir()
        gguf_models.write_gguf("llama", made, folder / "split" / "m.gguf", "F32", split=10)
        cases.add(folder / "split", hub, ["identical"], ["rope-permute"])
        for kind, relation in (("F32", "identical"), ("Q8_0", "quantized")):
            for name, pairs, transforms in (
                    ("unpaired", gguf_models.UNPAIRED, []),
                    ("paired-in-2023", gguf_models.PAIRED_IN_2023, ["legacy-permute"])):
                path = folder / f"llama-{name}-{kind}.gguf"
                cases.add(gguf_models.write_gguf("llama", made, path, kind, pairs), hub,
                          [relation], transforms)
        failed = cases.run(binary) + inspect_fails(binary, files["Q4_0"])
        failed += sum(repeats_wrongly(binary, made, hub, folder, kind) for kind in REPEATABLE)
        print(f"{len(cases.rows) - failed} pairs as expected, {failed} not")
        sys.exit(1 if failed else 0)


main()
