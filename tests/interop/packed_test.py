#!/usr/bin/env python3
"""One model in every layout of quantised Hugging Face weights, by the tool's own verdicts:
`quantized` of the model it was made from, `independent` of another.

usage: packed_test.py PEDIGREE

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
    import made_models
    import packed_models
except ImportError as missing:
    interop.skip(missing)


def run(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments), "-o", "json", "--no-progress"],
                          capture_output=True, text=True)
    if not done.stdout.strip():
        sys.exit(f"{arguments}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def judge(report, wanted):
    verdict = (report.get("comparisons") or [{}])[0].get("verdict", {})
    wrong = []
    if verdict.get("relation") != wanted:
        wrong.append(f"relation is {verdict.get('relation')!r}: {verdict.get('summary')}")
    if wanted == "quantized" and verdict.get("direction") != "base-is-parent":
        wrong.append(f"direction is {verdict.get('direction')!r}, {verdict.get('mechanisms')}")
    wrong += [f"problem {problem}" for problem in report.get("problems", [])
              if problem.get("code") in ("packed-tensor", "unsupported-encoding",
                                         "config-quantization-mismatch")
              or problem.get("severity") == "error"]
    return wrong


def inspect_wrong(binary, folder, parameters):
    """Parameters are counted unpacked, and the family is found."""
    subject = json.loads(run(binary, "inspect", folder))["subject"]
    told = subject["parameters"], subject["architecture"].get("family")
    return [] if told == (parameters, "llama") else [f"inspect says {told}, not {parameters}"]


def main():
    binary = sys.argv[1]
    only = sys.argv[2:]
    if packed_models.mlx is None:
        print("SKIPPED: the MLX layouts, whose writer is not installed")
    if packed_models.bitsandbytes_library() is None:
        print("SKIPPED: bitsandbytes' own decoder, which is not installed")
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        one, two = made_models.llama(1), made_models.llama(2)
        parameters = sum(values.size for values in one.values())
        hub = {key: made_models.write_directory("llama", tensors, folder / key)
               for key, tensors in (("one", one), ("two", two))}
        layouts = [layout for layout in packed_models.LAYOUTS if not only or layout in only]
        rows = []
        for layout in layouts:
            packed = packed_models.write_directory(layout, one, folder / layout,
                                                   side_file=layout == "gptq-8")
            rows.append((layout, packed, "one", "quantized"))
            rows.append((layout, packed, "two", "independent"))
            if packed_models.has_official_decoder(layout):
                key = layout + "-unpacked"
                made = packed_models.unpacked_by_its_maker(layout, one)
                hub[key] = made_models.write_directory("llama", made, folder / key)
                rows.append((layout, packed, key, "identical"))
        pairs = folder / "pairs.tsv"
        pairs.write_text("".join(f"{packed}\t{hub[base]}\n" for _, packed, base, _ in rows))
        lines = run(binary, "compare", "--pairs", pairs).strip().splitlines()
        if len(lines) != len(rows):
            sys.exit(f"{len(lines)} reports for {len(rows)} pairs")
        for (layout, packed, base, wanted), line in zip(rows, lines):
            wrong = judge(json.loads(line), wanted)
            if base == "one":
                wrong += inspect_wrong(binary, packed, parameters)
            failed += bool(wrong)
            print(("FAIL " if wrong else "ok   ") + f"{layout} -- {base}"
                  + "".join(f"\n     {each}" for each in wrong))
    print(f"{len(rows) - failed} pairs as expected, {failed} not")
    sys.exit(1 if failed else 0)


main()
