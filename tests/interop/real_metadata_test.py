#!/usr/bin/env python3
"""Config, index and card of real public models, without their weights: the right family, and
where something is wrong with them, the right finding. Nothing may be said of weights.

usage: real_metadata_test.py PEDIGREE

Without the shared folder beside the project nothing is tested, and the exit status (77) says so.
"""

import json
import pathlib
import subprocess
import sys

METADATA = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "real" / "metadata"

# Folder: what `inspect` has to say of its architecture, and codes of problems it has to have.
MODELS = {
    "01-ai__Yi-6B__original-names": (
        {"family": "yi", "roles_from": "index", "explained": 1, "layers": 32, "hidden": 4096,
         "kv_heads": 4, "vocab": 64000, "rope_theta": 5e6}, ()),
    "FlagAlpha__Atom-7B": ({"family": "llama", "roles_from": "index", "vocab": 65000}, ()),
    "Qwen__Qwen-72B": ({"family": "qwen", "layers": 80, "ffn": 24576}, ("remote-code",)),
    "Qwen__Qwen3-235B-A22B-FP8": ({"family": "qwen3_moe", "experts": 128, "layers": 94}, ()),
    "Qwen__Qwen3-8B": ({"family": "qwen3", "head_dim": 128, "kv_heads": 8}, ()),
    "YouriLalain__2PRYMMAL-Yi1.5-6B-SLERP": ({"family": "llama", "kv_heads": 4}, ()),
    "decapoda-research__llama-7b-hf": ({"family": "llama", "layers": 32, "explained": 1}, ()),
    "deepseek-ai__DeepSeek-V3": ({"family": "deepseek_v2", "layers": 61, "experts": 256},
                                 ("remote-code",)),
    "internlm__internlm-20b": ({"family": "llama", "layers": 60}, ()),
    "internlm__internlm-20b__before-llama-relabel": ({"family": "llama", "layers": 60},
                                                     ("remote-code",)),
    "lizpreciatior__lzlv_70b_fp16_hf": ({"family": "llama", "layers": 80, "kv_heads": 8}, ()),
    "lmsys__vicuna-7b-delta-v0": ({"family": "llama", "vocab": 32001}, ()),
    "mattshumer__Reflection-Llama-3.1-70B": ({"family": "llama", "context": 8192},
                                             ("config-name-contradicted",)),
    "meta-llama__Llama-2-7b-chat-hf": ({"family": "llama", "kv_heads": 32, "explained": 1}, ()),
    "meta-llama__Llama-4-Scout-17B-16E-Instruct": (
        {"family": "llama4", "layers": 48, "experts": 16, "head_dim": 128}, ()),
    "meta-llama__Meta-Llama-3.1-8B": ({"family": "llama", "rope_scaling": "llama3 ×8"}, ()),
    "microsoft__phi-2__mixformer-era": ({"family": "phi_original", "ffn": 10240}, ("remote-code",)),
    "mistralai__Mixtral-8x7B-v0.1": ({"family": "mixtral", "experts": 8, "experts_used": 2}, ()),
    "mustafaaljadery__llama3v": ({"family": "llama", "roles_from": "index", "layers": 32}, ()),
    "nvidia__Llama-3.1-70B-Instruct-FP8": ({"family": "llama", "context": 131072}, ()),
    "nvidia__Qwen3-235B-A22B-NVFP4": ({"family": "qwen3_moe", "ffn": 1536}, ()),
    "openai__gpt-oss-20b": ({"layers": 24, "experts": 32, "window": 128}, ()),
    "tiiuae__falcon-40b": ({"family": "falcon_new", "kv_heads": 8, "ffn": 32768}, ("remote-code",)),
    "togethercomputer__RedPajama-INCITE-7B-Base": (
        {"family": "gpt_neox", "rotary_share": 1, "parallel_residual": False}, ()),
}
# Problems that say something is wrong with a model, beside what it lacks.
TELLING = ("config-weights-mismatch", "config-name-contradicted", "architecture-unknown")
RESEMBLES = {
    "01-ai__Yi-6B__original-names": ("meta-llama/Llama-2-7b-hf",
                                     ["kv heads", "vocabulary", "rope theta"]),
    "tiiuae__falcon-40b": ("tiiuae/falcon-40b", []),
    "togethercomputer__RedPajama-INCITE-7B-Base": ("EleutherAI/pythia-6.9b",
                                                   ["rotary share", "parallel residual"]),
    "mattshumer__Reflection-Llama-3.1-70B": ("meta-llama/Meta-Llama-3-70B", ["vocabulary"]),
    "Qwen__Qwen3-8B": ("Qwen/Qwen3-8B", []),
}
# Subject, base, the answer on architecture, and the fields that differ.
PAIRS = [
    ("01-ai__Yi-6B__original-names", "meta-llama__Llama-2-7b-chat-hf", "yes",
     ["kv heads", "vocabulary", "rope theta", "norm epsilon"]),
    ("internlm__internlm-20b", "internlm__internlm-20b__before-llama-relabel", "yes", []),
    ("meta-llama__Llama-2-7b-chat-hf", "tiiuae__falcon-40b", "no", None),
    ("nvidia__Qwen3-235B-A22B-NVFP4", "Qwen__Qwen3-235B-A22B-FP8", "yes", []),
    ("meta-llama__Meta-Llama-3.1-8B", "Qwen__Qwen3-8B", "no", None),
]


def report_of(binary, *arguments):
    run = subprocess.run([binary, *map(str, arguments), "-o", "json", "--no-progress"],
                         capture_output=True, text=True)
    if not run.stdout:
        sys.exit(f"{arguments}: exit status {run.returncode}\n{run.stderr[-2000:]}")
    return json.loads(run.stdout), run.returncode


def inspect_faults(binary, name):
    wanted, problems = MODELS[name]
    report, status = report_of(binary, "inspect", METADATA / name)
    built, codes = report["subject"]["architecture"], [p["code"] for p in report["problems"]]
    for field, value in wanted.items():
        if built.get(field) != value:
            yield f"{field} is {built.get(field)} and not {value}"
    for code in problems:
        if code not in codes:
            yield f"no {code}"
    for code in codes:
        if code in TELLING and code not in problems:
            yield f"{code} without a reason"
    if status != 3:
        yield f"exit status {status}"
    if name in RESEMBLES:
        known, fields = RESEMBLES[name]
        found = built.get("resembles", {"names": [], "differences": []})
        if known not in found["names"] or fields != [d["field"] for d in found["differences"]]:
            yield f"resembles {found['names']} except {found['differences']}"


def compare_faults(binary, subject, base, answer, fields):
    report, status = report_of(binary, "compare", METADATA / subject, METADATA / base)
    comparison = report["comparisons"][0]
    verdict = comparison["verdict"]
    if verdict["architecture"] != answer:
        yield f"architecture is {verdict['architecture']}: {verdict['architecture_because']}"
    differing = [d["field"] for d in comparison.get("config_differences", [])]
    if fields is not None and differing != fields:
        yield f"differs in {differing}"
    for question in ("derived", "relation", "tokenizer"):
        if verdict[question] != "inconclusive":
            yield f"{question} is {verdict[question]} without weights or tokenizers"
    if status != 3:
        yield f"exit status {status}"


def main():
    binary = sys.argv[1]
    if not METADATA.is_dir():
        print("SKIPPED: no shared folder with real metadata beside the project.")
        sys.exit(77)
    failed = 0

    def tell(what, faults):
        nonlocal failed
        failed += bool(faults)
        print(("FAIL " if faults else "ok   ") + what + "".join(f"\n     {f}" for f in faults))

    for folder in sorted(METADATA.iterdir()):
        if folder.name in MODELS:
            tell(folder.name, list(inspect_faults(binary, folder.name)))
    for subject, base, answer, fields in PAIRS:
        tell(f"{subject} -- {base}",
             list(compare_faults(binary, subject, base, answer, fields)))
    sys.exit(1 if failed else 0)


main()
