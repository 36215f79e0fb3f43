#!/usr/bin/python3
"""Runs the tool over every pair of fixtures/pairs and holds its verdicts to expected.json.

usage: family_test.py PEDIGREE [CASE…]

Lineage is known because fixtures/README.md says how each model was made; the children that need no
training are built here. A list in expected.json gives the values allowed. Every pair is compared once
more by the deep fingerprints of both: these may say less, never the opposite, and what an
expected.json has under "fingerprints".
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import derive_models  # noqa: E402

VERDICT = ("derived", "relation", "direction", "architecture", "tokenizer", "stage")


def faults(expected, report):
    comparison = (report.get("comparisons") or [{}])[0]
    verdict = comparison.get("verdict", {})
    for key in VERDICT:
        if key in expected:
            allowed = expected[key] if isinstance(expected[key], list) else [expected[key]]
            if verdict.get(key) not in allowed:
                yield f"{key} is {verdict.get(key)!r}, wanted {' or '.join(map(repr, allowed))}"
    for mechanism in expected.get("mechanisms", []):
        if mechanism not in verdict.get("mechanisms", []):
            yield f"mechanisms {verdict.get('mechanisms')} lack {mechanism!r}"
    for transform in expected.get("transforms", []):
        if transform not in comparison.get("transforms", []):
            yield f"transforms {comparison.get('transforms')} lack {transform!r}"
    if "layer_map" in expected and comparison.get("layer_map") != expected["layer_map"]:
        yield f"layer map {comparison.get('layer_map')}, wanted {expected['layer_map']}"
    if "lora" in expected:
        for key, value in expected["lora"].items():
            if comparison.get("lora", {}).get(key) != value:
                yield f"lora {comparison.get('lora')}, wanted {key} {value}"
    for key, value in expected.get("kept", {}).items():
        if abs(comparison.get("kept", {}).get(key, -1) - value) > 0.005:
            yield f"kept {comparison.get('kept')}, wanted {key} {value}"
    experts = comparison.get("experts", {})
    for key, value in expected.get("experts", {}).items():
        got = len(experts.get("map", [])) if key == "links" else experts.get(key)
        if got != value:
            yield f"experts have {key} {got}, wanted {value}"
    for words in expected.get("summary_has", []):
        if words not in verdict.get("summary", "") + json.dumps(comparison, ensure_ascii=False):
            yield f"nowhere is {words!r} said"


def answers(report):
    verdict = (report.get("comparisons") or [{}])[0].get("verdict", {})
    return verdict.get("derived"), verdict.get("direction")


def contradictions(by_weights, by_sketches):
    """Less may be said than by weights, and nothing else."""
    (derived, direction), (sketched, sketched_direction) = answers(by_weights), answers(by_sketches)
    if sketched not in (derived, "inconclusive"):
        yield f"derived is {sketched!r} by fingerprints, {derived!r} by weights"
    if sketched_direction not in (direction, "undetermined"):
        yield f"direction is {sketched_direction!r} by fingerprints, {direction!r} by weights"


def faults_by_fingerprints(expected, by_weights, by_sketches):
    yield from contradictions(by_weights, by_sketches)
    for fault in faults(expected.get("fingerprints", {}), by_sketches):
        yield "by fingerprints: " + fault


def compared(binary, folder, pairs):
    """One report a pair of paths."""
    listed = pathlib.Path(folder) / "pairs.tsv"
    listed.write_text("".join(f"{one}\t{other}\n" for one, other in pairs))
    run = subprocess.run([binary, "compare", "--pairs", str(listed), "-o", "json", "--no-progress"],
                         capture_output=True, text=True)
    lines = [line for line in run.stdout.splitlines() if line.strip()]
    if run.returncode != 0 or len(lines) != len(pairs):
        sys.exit(f"exit status {run.returncode}, {len(lines)} reports for {len(pairs)} pairs:\n"
                 + run.stderr[-3000:])
    return [json.loads(line) for line in lines]


def fingerprinted(binary, folder, models):
    """{path of a model: path of its deep fingerprint}"""
    sketches = {}
    for model in models:
        sketches[model] = pathlib.Path(folder) / f"{len(sketches)}.pedigree"
        subprocess.run([binary, "fingerprint", model, "--deep", "--to", str(sketches[model]),
                        "--no-progress"], capture_output=True, check=True)
    return sketches


def main():
    binary, wanted = sys.argv[1], set(sys.argv[2:])
    cases = {path.parent.name: json.loads(path.read_text())
             for path in sorted((ROOT / "fixtures" / "pairs").glob("*/expected.json"))
             if not wanted or path.parent.name in wanted}
    assert cases, "no pair found"
    with tempfile.TemporaryDirectory() as folder:
        pairs = [tuple(str(derive_models.build(c[side], folder)) for side in ("suspect", "base"))
                 for c in cases.values()]
        sketches = fingerprinted(binary, folder, sorted({model for pair in pairs for model in pair}))
        reports = compared(binary, folder, pairs)
        sketched = compared(binary, folder, [(sketches[a], sketches[b]) for a, b in pairs])
        experts = [(name, pair) for name, pair in zip(cases, pairs) if "-moe" in name]
        mixed = {}
        for of_weights in (0, 1):
            half = [tuple(model if side == of_weights else sketches[model]
                          for side, model in enumerate(pair)) for _, pair in experts]
            for (name, _), report in zip(experts, compared(binary, folder, half) if half else []):
                mixed.setdefault(name, []).append(report)
    failed = 0
    for (name, expected), report, sketch in zip(cases.items(), reports, sketched):
        wrong = [*faults(expected, report), *faults_by_fingerprints(expected, report, sketch)]
        for by_one in mixed.get(name, []):
            wrong += ["by one fingerprint: " + fault for fault in contradictions(report, by_one)]
        failed += bool(wrong)
        print(("FAIL " if wrong else "ok   ") + name + "".join(f"\n     {w}" for w in wrong))
    print(f"{len(cases) - failed} pairs as expected, {failed} not")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
