"""What interop tests share: the interpreters that have the official writers, and the tool's
verdicts case by case."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV = ROOT / "build" / "interop-venv" / "bin" / "python"
DEBIAN = "/usr/bin/python3"
WITHIN = "PEDIGREE_INTEROP"
SKIPPED = 77


def enter_venv():
    """Goes on in the interpreter of scripts/interop-venv, where it was made."""
    if VENV.exists() and not os.environ.get(WITHIN):
        os.execve(VENV, [str(VENV), *sys.argv], {**os.environ, WITHIN: "1"})


def skip(missing, remedy="scripts/interop-venv installs what this test needs"):
    print(f"SKIPPED: {missing}. {remedy}.")
    sys.exit(SKIPPED)


def run_debian(*arguments):
    """Runs Debian's interpreter, which has python3-torch, and not the one of the venv."""
    environment = {name: value for name, value in os.environ.items() if name != WITHIN}
    return subprocess.run([DEBIAN, *map(str, arguments)], env=environment, capture_output=True, text=True)


def has_debian_torch():
    return run_debian("-c", "import torch").returncode == 0


def beside_config(base, folder):
    for side in ("config.json", "tokenizer.json"):
        shutil.copy(base / side, folder)
    return folder


class Tool:
    def __init__(self, binary):
        self.binary = binary
        self.failed = 0

    def run(self, *arguments):
        done = subprocess.run([self.binary, *map(str, arguments), "-o", "json", "--no-progress"],
                              capture_output=True, text=True)
        if not done.stdout.strip():
            sys.exit(f"{arguments}: exit status {done.returncode}\n{done.stderr[-2000:]}")
        return json.loads(done.stdout)

    def check(self, title, truth, told=""):
        self.failed += not truth
        print(("ok   " if truth else "FAIL ") + title + ("" if truth else f"\n     {told}"), flush=True)

    def same(self, title, suspect, base, relation="identical", codes=()):
        report = self.run("compare", suspect, base)
        verdict = report["comparisons"][0]["verdict"]
        told = sorted({problem["code"] for problem in report.get("problems", [])
                       if not problem["code"].startswith(("card-", "config-missing"))})
        self.check(f"{title}: {relation}", verdict["relation"] == relation, verdict)
        self.check(f"{title}: problems {sorted(codes)}", told == sorted(codes), report.get("problems"))
