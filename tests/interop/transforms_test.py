#!/usr/bin/env python3
"""Every transform of the table in tests/support/transform_rows.py, both ways: a model stored
plainly and stored otherwise is one model, the report names the transform, and a model of
another seed is not accused.

usage: transforms_test.py PEDIGREE [TRANSFORM…]

Needs what scripts/interop-venv installs; without it nothing is tested, and the exit status
(77) says so. Nets are written by Debian's python3-torch, and skipped aloud without it.
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
    import transform_rows
except ImportError as missing:
    interop.skip(missing)

NOT_ACCUSED = ("no", "inconclusive")


class Pairs:
    """What was stored, and what must be said of it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.rows = []
        self.count = 0

    def place(self):
        self.count += 1
        return self.folder / f"model-{self.count}"

    def add_row(self, row):
        values, others = row.plain.values(1), row.plain.values(2)
        plain = row.plain.store(values, self.place())
        other = row.other.store(values, self.place())
        stranger = row.other.store(others, self.place())
        self.add(row, plain, other, stranger)

    def add(self, row, plain, other, stranger):
        title = f"{row.transform}: {row.title}"
        self.rows.append((title, other, plain, row.relation, row.names))
        self.rows.append((f"{title}, turned round", plain, other, row.relation, row.names))
        self.rows.append((f"{title}, another model", stranger, plain, None, []))

    def run(self, binary):
        listed = self.folder / "pairs.tsv"
        listed.write_text("".join(f"{a}\t{b}\n" for _, a, b, *_ in self.rows))
        run = subprocess.run([binary, "compare", "--pairs", str(listed), "-o", "json",
                              "--no-progress"], capture_output=True, text=True)
        reports = [json.loads(line) for line in run.stdout.splitlines() if line.strip()]
        if len(reports) != len(self.rows):
            sys.exit(f"{len(reports)} reports for {len(self.rows)} pairs:\n{run.stderr[-2000:]}")
        return sum(judged(row, report) for row, report in zip(self.rows, reports))


def judged(row, report):
    title, _, _, relation, names = row
    comparison = (report.get("comparisons") or [{}])[0]
    verdict, faults = comparison.get("verdict", {}), []
    if relation is None and verdict.get("derived") not in NOT_ACCUSED:
        faults.append(f"is accused: {verdict}")
    if relation is not None and verdict.get("relation") != relation:
        faults.append(f"relation is {verdict.get('relation')}, wanted {relation}: "
                      f"{verdict.get('summary')}")
    faults += [f"{name} is not named among {comparison.get('transforms')}" for name in names
               if name not in comparison.get("transforms", [])]
    faults += [f"problem {problem}" for problem in report.get("problems", [])
               if problem.get("severity") == "error"]
    print(("FAIL " if faults else "ok   ") + title + "".join(f"\n     {f}" for f in faults))
    return bool(faults)


def main():
    binary, wanted = sys.argv[1], set(sys.argv[2:])
    if not transform_rows.GGUF:
        print("SKIPPED: rows of GGUF files. scripts/interop-venv installs the writer.")
    with tempfile.TemporaryDirectory() as folder:
        pairs = Pairs(folder)
        for row in transform_rows.rows():
            if not wanted or row.transform in wanted:
                pairs.add_row(row)
        if not interop.has_debian_torch():
            print("SKIPPED: nets; Debian's python3-torch is not there")
        else:
            for row in transform_rows.net_rows(folder):
                if not wanted or row.transform in wanted:
                    pairs.add(row, row.plain, row.other, row.stranger)
        failed = pairs.run(binary)
        print(f"{len(pairs.rows) - failed} pairs as expected, {failed} not")
        sys.exit(1 if failed else 0)


main()
