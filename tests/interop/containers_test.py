#!/usr/bin/env python3
"""One model in every container, by the official writers: each pair of them `identical`, each
`independent` of another model.

usage: containers_test.py PEDIGREE

Needs what scripts/interop-venv installs; without it nothing is tested, and the exit status (77)
says so. PyTorch's containers need Debian's python3-torch, and are left out aloud without it.
"""

import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import interop  # noqa: E402
from interop import beside_config  # noqa: E402

interop.enter_venv()
try:
    import numpy as np
    from safetensors.numpy import save_file

    import gguf_models
    import made_models
    import onnx_models
except ImportError as missing:
    interop.skip(missing)

PARAMS = {"dim": made_models.HIDDEN, "n_layers": made_models.LAYERS, "n_heads": made_models.HEADS,
          "n_kv_heads": made_models.KV_HEADS, "vocab_size": made_models.VOCAB,
          # 3/4 of ⌊8 · 256 / 3⌋ is 511, and the next multiple 512.
          "multiple_of": 256, "ffn_dim_multiplier": 0.75, "norm_eps": 1e-5}


def in_three(tensors, folder, base):
    folder.mkdir()
    names = list(tensors)
    index = {"metadata": {"total_size": sum(4 * tensors[name].size for name in names)}, "weight_map": {}}
    for number in range(3):
        file = f"model-{number + 1:05d}-of-00003.safetensors"
        part = names[number::3]
        save_file({name: np.ascontiguousarray(tensors[name]) for name in part}, folder / file)
        index["weight_map"].update(dict.fromkeys(part, file))
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return beside_config(base, folder)


def in_torch(tensors, work, base):
    if not interop.has_debian_torch():
        print("SKIPPED: zip, legacy and Meta's files; Debian's python3-torch is not there")
        return {}
    np.savez(work / "tensors.npz", **tensors)
    (work / "params.json").write_text(json.dumps(PARAMS))
    run = interop.run_debian(ROOT / "tests" / "support" / "torch_containers.py", work / "tensors.npz",
                             work / "params.json", work)
    if run.returncode != 0:
        sys.exit(run.stderr)
    return {"zip": beside_config(base, work / "zip"), "legacy": beside_config(base, work / "legacy"),
            "meta-1": work / "meta-1", "meta-2": work / "meta-2"}


def containers(work):
    """F32 copies of weights that F16 holds too, so that no container rounds them."""
    tensors = {name: values.astype(np.float16).astype(np.float32)
               for name, values in made_models.llama(1).items()}
    tensors = {name: made_models.bf16(values) for name, values in tensors.items()}
    base = made_models.write_directory("llama", tensors, work / "one-shard")
    made = {"one-shard": base, "three-shards": in_three(tensors, work / "three-shards", base)}
    for kind in ("F32", "F16", "BF16"):
        made[f"gguf-{kind}"] = gguf_models.write_gguf("llama", tensors, work / f"{kind}.gguf", kind)
    made["onnx"] = beside_config(base, onnx_models.save(onnx_models.folded(tensors), work / "onnx"))
    (work / "npz").mkdir()
    np.savez(work / "npz" / "model.npz", **tensors)
    made["npz"] = beside_config(base, work / "npz")
    return {**made, **in_torch(tensors, work, base)}


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        made = containers(work)
        other = made_models.write_directory("llama", made_models.llama(2), work / "other")
        wanted = [(a, b, "identical") for a, b in itertools.combinations(made, 2)]
        wanted += [(b, a, "identical") for a, b in list(itertools.combinations(made, 2))[::5]]
        rows = [(made[a], made[b]) for a, b, _ in wanted]
        for title, place in made.items():
            wanted.append((title, "another model", "independent"))
            rows.append((place, other))
        (work / "pairs").write_text("".join(f"{a}\t{b}\n" for a, b in rows))
        run = subprocess.run([binary, "compare", "--pairs", str(work / "pairs"), "-o", "json",
                              "--no-progress"], capture_output=True, text=True)
        lines = run.stdout.splitlines()
        failed = run.returncode != 0 or len(lines) != len(rows)
        for (a, b, relation), line in zip(wanted, lines):
            verdict = json.loads(line)["comparisons"][0]["verdict"]
            if verdict["relation"] != relation:
                failed += 1
                print(f"FAIL {a} -- {b}: {verdict['relation']}, wanted {relation}: {verdict['summary']}")
        print(f"{len(made)} containers ({', '.join(made)}), {len(lines)} pairs, {int(failed)} wrong")
        if failed:
            print(run.stderr[-1000:])
        sys.exit(1 if failed else 0)


main()
