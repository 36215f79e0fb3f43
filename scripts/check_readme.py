#!/usr/bin/python3
"""Runs every command the documents show and compares the output with what they print below it.

usage: scripts/check_readme.py [--update] [FILE…]

Looked at are the ```console blocks of README.md, CONTRIBUTING.md and docs/. A line that begins with
"$ " is a command, run by bash at the top of the checkout; the lines up to the next command are its
standard output, and a line "…" stands for any number of lines. A command whose status is not 0 ends
with "; echo $?" so that the status is shown as well. --update writes the real output into the file
(blocks with "…" lines are left alone). Other blocks (```sh) are not run.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
ANY = "…"


def commands_of(block):
    """[(command, [lines shown])] of one block."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line.rstrip())
        else:
            sys.exit(f"a console block begins with output: {line}")
    return found


def output_of(command):
    environment = dict(os.environ, NO_COLOR="1", COLUMNS="100", LC_ALL="C.UTF-8", CI="true")
    run = subprocess.run(["bash", "-c", command], cwd=ROOT, env=environment, text=True,
                         stdin=subprocess.DEVNULL, capture_output=True)
    return run.returncode, [line.rstrip() for line in run.stdout.rstrip("\n").split("\n")], run.stderr


def matches(shown, real):
    if not shown:
        return not real
    if shown[0] == ANY:
        return any(matches(shown[1:], real[skip:]) for skip in range(len(real) + 1))
    return bool(real) and shown[0] == real[0] and matches(shown[1:], real[1:])


def refreshed(shown, real):
    """The shown pieces with what now stands between their first and last lines; None if not found."""
    if ANY not in shown:
        return real
    fresh, piece, at = [], [], 0
    for line in [*shown, ANY]:
        if line != ANY:
            piece.append(line)
            continue
        if piece:
            try:
                first = real.index(piece[0], at)
                at = real.index(piece[-1], first) + 1
            except ValueError:
                return None
            fresh += real[first:at]
        fresh.append(ANY)
        piece = []
    return fresh if shown[-1] == ANY else fresh[:-1]


def checked_block(path, block, update, faults):
    """Returns the block as it should be; notes what was wrong with it."""
    lines = []
    for command, shown in commands_of(block):
        status, real, complaint = output_of(command)
        while shown and not shown[-1]:
            shown.pop()
        real = [] if real == [""] else real
        good = status == 0 and matches(shown, real)
        print(f"{'ok  ' if good else 'FAIL'} {path.relative_to(ROOT)}: {command}", flush=True)
        if status != 0:
            faults.append(command)
            print(f"exit status {status}\n{complaint[-2000:]}")
        elif not good and not update:
            faults.append(command)
            print("--- shown\n" + "\n".join(shown) + "\n--- real\n" + "\n".join(real))
        if update and status == 0 and not good:
            fresh = refreshed(shown, real)
            if fresh is None:
                faults.append(command)
                print("a piece of the output is no longer there; edit the document by hand")
            shown = fresh or shown
        lines += ["$ " + command, *shown]
    return "```console\n" + "".join(line + "\n" for line in lines) + "```"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("files", nargs="*")
    asked = parser.parse_args()
    files = [pathlib.Path(f).resolve() for f in asked.files] or [
        ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    faults, blocks = [], 0
    for path in files:
        text = path.read_text()
        blocks += len(BLOCK.findall(text))
        fresh = BLOCK.sub(lambda m: checked_block(path, m[1], asked.update, faults), text)
        if asked.update and fresh != text:
            path.write_text(fresh)
    print(f"documented commands: {blocks} blocks, {len(faults)} faults")
    sys.exit(1 if faults or not blocks else 0)


if __name__ == "__main__":
    main()
