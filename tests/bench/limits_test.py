#!/usr/bin/python3
"""Holds the tool to what it may read and keep in memory on large models. Never to seconds.

usage: limits_test.py PEDIGREE

The models are written by scripts/make-big: a 13 GB one that is all holes, for what must read headers
alone, and one of 1 GB with real bytes.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from measured_run import measured, openssl_sha256_speed  # noqa: E402

MB = 1_000_000
FAULTS = []


def hold(what, value, limit, unit="MB"):
    good = value <= limit
    print(f"{'ok  ' if good else 'FAIL'} {what}: {value:.1f} {unit}, at most {limit:.1f}")
    if not good:
        FAULTS.append(what)


def weight_bytes(folder):
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def check_inspect(pedigree, folder):
    run = measured([pedigree, "inspect", str(folder), "-o", "json", "--no-progress"])
    side_files = sum(p.stat().st_size for p in folder.glob("*.json"))
    # Headers, side files once each, and the program's own libraries.
    hold("inspect reads", run.read_bytes / MB, (2 * side_files + 2 * MB) / MB)
    hold("inspect keeps", run.peak_bytes / MB, 50)
    assert json.loads(run.stdout)["subject"]["architecture"]["family"] == "llama", run.stdout[:300]


def check_fingerprint(pedigree, folder, out):
    run = measured([pedigree, "fingerprint", str(folder), "--to", str(out), "--no-progress"])
    hold("fingerprint reads", 100 * run.read_bytes / weight_bytes(folder), 2, "% of the bytes")
    hold("fingerprint keeps", run.peak_bytes / MB, 200)
    hold("fingerprint file", out.stat().st_size / MB, 8)


def check_compare(pedigree, out):
    run = measured([pedigree, "compare", str(out), str(out), "-o", "json", "--no-progress"])
    hold("compare of fingerprints reads", run.read_bytes / MB, 2 * out.stat().st_size / MB + 2)
    assert json.loads(run.stdout)["comparisons"][0]["verdict"]["derived"] == "yes", run.stdout[:300]


def check_digest(pedigree, folder):
    size = weight_bytes(folder)
    command = [pedigree, "digest", str(folder), "-o", "json", "--no-progress"]
    measured(command)  # fills the page cache
    run = measured(command)
    hold("digest reads every byte once", run.read_bytes / size, 1.01, "of the bytes")
    hold("digest keeps", run.peak_bytes / MB, 200)
    # Two tiers are hashed. Processor time against processor time, because other tests run beside
    # this one; the full demand, 90 % of all cores, is scripts/bench's.
    speed = 2 * size / run.cpu_seconds
    hold("digest against openssl, by processor time", openssl_sha256_speed() / speed, 1.6,
         "times slower")


# Sampling is linear in the models; deep tests are at most 4 + 8 a model (docs/decisions/0013).
def check_tree(pedigree):
    models = [str(ROOT / "fixtures" / "models" / name)
              for name in ("A", "A-ft", "A-cpt", "A-lora", "A-partial", "B", "C", "E")]
    command = [pedigree, "tree", "-o", "json", "--no-progress"]
    few, many = (measured([*command, "--quick", *models[:count]]).read_bytes for count in (4, 8))
    hold("tree of twice the models samples", many / few, 2.2, "times the bytes")
    run = measured([*command, *models])
    tests = json.loads(run.stdout)["tests"]
    hold("tree tests deeply", tests["deep_pairs"], 12 * len(models), "pairs")
    largest = max(weight_bytes(pathlib.Path(model)) for model in models)
    # Both sides once a stage that reads whole matrices, of pairs tested and of edges shown.
    hold("tree reads", (run.read_bytes - many) / largest,
         8 * (tests["deep_pairs"] + len(models)), "times a model")


def main():
    pedigree = sys.argv[1]
    check_tree(pedigree)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, options in (("holes", ["--sparse"]), ("real", ["--gb", "1"])):
            subprocess.run([sys.executable, str(ROOT / "scripts" / "make-big"),
                            str(folder / name), *options], check=True)
        check_inspect(pedigree, folder / "holes")
        check_fingerprint(pedigree, folder / "real", folder / "real.pedigree")
        check_compare(pedigree, folder / "real.pedigree")
        check_digest(pedigree, folder / "real")
    sys.exit(f"over the limit: {', '.join(FAULTS)}" if FAULTS else 0)


if __name__ == "__main__":
    main()
