#!/usr/bin/env python3
"""The same bits from every compiler and at every level: builds the numeric rooms and numeric_bits.cc
four ways (g++ and clang++-19, -O0 and -O2) and compares what they print, line by line.

usage: determinism_test.py PEDIGREE

The rooms that compute nothing are taken from the libraries beside PEDIGREE.
"""

import concurrent.futures
import glob
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NUMERIC = ["src/tensor/*.cc", "src/tensor/kernels/*.cc", "src/tensor/types/*.cc"] + ["src/fingerprint/%s.cc" % name for name in (
    "fingerprint", "half", "lattice", "plan", "responses", "sampling", "value_hash", "container_write",
    "metadata_write", "canonical_json")]
WAYS = [(compiler, level) for compiler in ("g++", "clang++-19") for level in ("-O0", "-O2")]
FLAGS = ["-std=c++23", "-ffp-contract=off", "-fPIC", "-DEIGEN_DONT_VECTORIZE", "-DEIGEN_DONT_PARALLELIZE",
         "-DEIGEN_MPL2_ONLY", "-DFMT_SHARED"]
SYSTEM = ["-lcrypto", "-lfmt", "-ltbb", "-lutf8proc", "-lyaml-cpp"]


def skip(reason):
    print("SKIPPED: " + reason)
    sys.exit(0)


def sources():
    found = []
    for pattern in NUMERIC:
        matches = sorted(glob.glob(os.path.join(ROOT, pattern)))
        if not matches:
            sys.exit("nothing matches " + pattern)
        found += matches
    return found + [os.path.join(ROOT, "tests/bench/numeric_bits.cc")]


def libraries(pedigree):
    folder = os.path.dirname(os.path.abspath(pedigree))
    found = [os.path.join(folder, "libpedigree_%s.a" % room) for room in ("fingerprint", "model", "formats", "base")]
    for path in found:
        if not os.path.exists(path):
            sys.exit("there is no " + os.path.basename(path) + " beside the program")
        with open(path, "rb") as file:
            content = file.read()
        if b"__asan_" in content or b"__tsan_" in content or b"__ubsan_" in content:
            skip("the libraries beside the program carry a sanitizer; the plain build runs this")
    return found


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(" ".join(command[-3:]) + "\n" + done.stdout + done.stderr)
    return done.stdout


def compile_all(pool, directory):
    cache = [shutil.which("ccache")] if shutil.which("ccache") else []
    jobs, objects = [], {}
    for compiler, level in WAYS:
        for source in sources():
            name = "%s%s-%s.o" % (compiler, level, os.path.relpath(source, ROOT).replace("/", "-"))
            path = os.path.join(directory, name)
            objects.setdefault((compiler, level), []).append(path)
            jobs.append(pool.submit(run, cache + [compiler] + FLAGS + [level, "-I" + os.path.join(ROOT, "src"),
                                                                      "-c", source, "-o", path]))
    for job in jobs:
        job.result()
    return objects


def printed(way, objects, archives, directory):
    program = os.path.join(directory, "bits-" + "".join(way))
    run([way[0], "-o", program] + objects + ["-Wl,--start-group"] + archives + ["-Wl,--end-group"] + SYSTEM)
    return run([program]).splitlines()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for compiler in ("g++", "clang++-19"):
        if not shutil.which(compiler):
            skip(compiler + " is not installed, so its bits cannot be compared")
    archives = libraries(sys.argv[1])
    with tempfile.TemporaryDirectory() as directory, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = compile_all(pool, directory)
        outputs = {way: printed(way, objects[way], archives, directory) for way in WAYS}
    first = outputs[WAYS[0]]
    if len(first) < 100 or first[-1] != "whole":
        sys.exit("too little was computed:\n" + "\n".join(first[-5:]))
    failed = False
    for way, lines in outputs.items():
        differing = [pair for pair in zip(first, lines) if pair[0] != pair[1]]
        if differing or len(lines) != len(first):
            failed = True
            print("%s differs from %s in %d of %d lines" % (way, WAYS[0], len(differing), len(first)))
            for one, two in differing[:10]:
                print("  " + one + "\n  " + two)
    print("%d lines, %d builds: %s" % (len(first), len(WAYS), "DIFFERENT" if failed else "equal"))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
