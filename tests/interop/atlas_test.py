#!/usr/bin/env python3
"""Every family file, in every layout it describes: the same roles with the same values back.

usage: atlas_test.py PEDIGREE [FAMILY…]

Generated from src/model/architectures: a new file is covered by being there. The digests
wanted are made here from the values, by the rule of docs/fingerprint.md. Without the packages
of scripts/interop-venv the GGUF layouts are left out, and the test says so.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV = ROOT / "build" / "interop-venv" / "bin" / "python"
sys.path.insert(0, str(ROOT / "tests" / "support"))
try:
    import atlas_gguf
except ImportError as missing:
    if VENV.exists() and not os.environ.get("PEDIGREE_INTEROP"):
        os.execve(VENV, [str(VENV), *sys.argv], {**os.environ, "PEDIGREE_INTEROP": "1"})
    print(f"SKIPPED: GGUF layouts, for {missing}. scripts/interop-venv installs the writer.")
    atlas_gguf = None
try:
    import atlas_models
except ImportError as missing:
    print(f"SKIPPED: {missing}. scripts/interop-venv installs it.")
    sys.exit(77)


def said(binary, command, path):
    run = subprocess.run([binary, *command, str(path), "-o", "json", "--no-progress"],
                         capture_output=True, text=True)
    try:
        return json.loads(run.stdout)
    except json.JSONDecodeError:
        sys.exit(f"{' '.join(command)} {path}: exit status {run.returncode}\n{run.stderr[-2000:]}")


def digest_faults(report, wanted):
    """Which roles are missing, too many, or have other values."""
    found = {}
    for row in report["subject"]["digest"]["tensors"]:
        if "role" in row:
            key = row["role"], row.get("layer", -1), row.get("expert", -1)
            found.setdefault(key, []).append(row.get("h2"))
    for key in sorted(set(wanted) | set(found), key=str):
        if key not in found:
            yield f"{key} is not found"
        elif key not in wanted:
            yield f"{key} is found and was not written"
        elif found[key] != [wanted[key]]:
            yield f"{key} has other values than were written"


def problem_faults(report):
    for problem in report["problems"]:
        if problem["code"] != "card-missing":
            yield f"problem: {problem['message']}"


def report_faults(report, family):
    built = report["subject"]["architecture"]
    if built["family"] != family["id"]:
        yield f"the family is {built['family']}"
    if built["explained"] != 1:
        yield f"explained is {built['explained']}"
    yield from problem_faults(report)


def transforms_between(family, own):
    """What has to be undone on one side alone."""
    made = set()
    if any(t.transposed for t in own):
        made.add("transpose")
    if family["gguf"].get("pairs_heads"):
        made.add("rope-permute")
    if family.get("norm_plus_one"):
        made.add("norm-plus-one")
    if any(t.each for t in own):
        made.add("stack-experts")
    turns = {"heads": "split-head-interleave", "kv_heads": "split-group-interleave",
             "rows": "split-gate-up-interleave"}
    made |= {turns[t.turns] for t in own if t.turns}
    if any(role == "attn.k_b" for t in own for role, _ in t.roles()):
        made.add("split-mla-kv")
    return made


class Test:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, pathlib.Path(folder)
        self.pairs = []
        self.failed = self.layouts = 0

    def tell(self, what, faults):
        self.layouts += 1
        self.failed += bool(faults)
        shown = faults[:6] + ([f"and {len(faults) - 6} more"] if len(faults) > 6 else [])
        print(("FAIL " if faults else "ok   ") + what + "".join(f"\n     {f}" for f in shown))

    def own(self, family, optional):
        tensors = atlas_models.tensors_of(family, optional)
        values = atlas_models.canonical_values(tensors, 1)
        name = f"{family['id']}-{'all' if optional else 'own'}"
        path = atlas_models.write_directory(family, atlas_models.own_layout(tensors, values),
                                            self.folder / name)
        report = said(self.binary, ["digest", "--tiers", "h1,h2"], path)
        wanted = {key: atlas_models.h2(v) for key, v in values.items()}
        self.tell(name, [*report_faults(report, family), *digest_faults(report, wanted)])
        return tensors, values, path

    def gguf(self, family, architecture, own):
        tensors, values, directory = own
        stored, held = atlas_gguf.converted(family, tensors, values, architecture)
        path = atlas_gguf.write(family, stored, architecture,
                                self.folder / f"{family['id']}-{architecture}.gguf")
        report = said(self.binary, ["digest", "--tiers", "h1,h2"], path)
        wanted = {key: atlas_models.h2(values[key]) for key in held}
        faults = [*problem_faults(report), *digest_faults(report, wanted)]
        self.tell(path.name, faults)
        if not faults:
            # What converters do not write, such as heads of tied models, is left out.
            relation = "identical" if len(held) == len(values) else "pruned"
            self.pairs.append((path, directory, relation, transforms_between(family, tensors)))

    def compare(self):
        listed = self.folder / "pairs.tsv"
        listed.write_text("".join(f"{a}\t{b}\n" for a, b, *_ in self.pairs))
        run = subprocess.run([self.binary, "compare", "--pairs", str(listed), "-o", "json",
                              "--no-progress"], capture_output=True, text=True)
        reports = [json.loads(line) for line in run.stdout.splitlines() if line.strip()]
        if len(reports) != len(self.pairs):
            sys.exit(f"{len(reports)} reports for {len(self.pairs)} pairs:\n{run.stderr[-2000:]}")
        for (path, directory, relation, transforms), report in zip(self.pairs, reports):
            comparison = report["comparisons"][0]
            verdict, faults = comparison["verdict"], []
            if verdict["relation"] != relation:
                faults.append(f"relation is {verdict['relation']}: {verdict['summary']}")
            faults += [f"{t} is not named among {comparison.get('transforms')}"
                       for t in sorted(transforms - set(comparison.get("transforms", [])))]
            self.tell(f"{path.name} -- {directory.name}", faults)


def main():
    binary, wanted = sys.argv[1], set(sys.argv[2:])
    with tempfile.TemporaryDirectory() as folder:
        test = Test(binary, folder)
        for family in atlas_models.families():
            if wanted and family["id"] not in wanted:
                continue
            own = test.own(family, False)
            test.own(family, True)
            for architecture in family.get("gguf", {}).get("architectures", []):
                if atlas_gguf and architecture in atlas_gguf.ARCHITECTURES:
                    test.gguf(family, architecture, own)
        if test.pairs:
            test.compare()
        print(f"{test.layouts - test.failed} layouts and pairs as expected, {test.failed} not")
        sys.exit(1 if test.failed else 0)


main()
