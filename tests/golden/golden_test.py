#!/usr/bin/python3
"""Runs the real binary over every case and compares its output byte for byte.

usage: golden_test.py BINARY [--update] [CASE…]

A case is a folder under tests/golden/cases: `command` holds the words behind the program's name,
`stdout`, `stderr` and `exit` what must come out; a file `stdin` is fed in, and files the command
writes are compared with `files/NAME`. Commands run in a fresh folder that holds the fixtures as
`models`, `weights`, `attacks` and `metadata`, and the small directories built below. JSON on stdout or in a
file is also held against its schema. --update rewrites what is expected; the diff is reviewed.
"""

import json
import os
import pathlib
import shlex
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SCHEMAS = {"pedigree-report/1": "report-1", "pedigree-problems/1": "problems-1",
           "pedigree-support/1": "support-1",
           "pedigree-tree/1": "tree-1"}

try:
    import jsonschema
except ImportError:
    jsonschema = None
    print("SKIPPED: schema validation of goldens (no python3-jsonschema); unit tests validate")


def safetensors(tensors, metadata=None):
    """The bytes of a safetensors file of F32 tensors: {name: (shape, values)}."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (shape, values) in tensors.items():
        part = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def build(root):
    """Models too small, broken or odd to be fixtures; every byte is written here."""
    def put(path, data):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data if isinstance(data, bytes) else data.encode())

    tiny = safetensors({"a": ([2, 3], [1, 2, 3, 4, 5, 6]), "b": ([2], [0.5, -0.5])})
    put("tiny/model.safetensors", tiny)
    put("tiny/README.md", "---\nbase_model: org/Base\nlicense: mit\n---\n# Tiny\n")
    put("sums-missing", "ab" * 32 + "  absent.bin\n")
    put("truncated/model.safetensors", tiny[:60])
    hostile = "bad\n\x1b[31m\u202e<script>|`x`[a](http://e.x)"
    put("hostile/model.safetensors", safetensors({hostile: ([2], [1, 2])}))
    put("hostile/README.md", "---\nbase_model: \"<b>org</b>/x|y\"\n---\n")
    put("pointers/model.safetensors",
        "version https://git-lfs.github.com/spec/v1\n"
        f"oid sha256:{'ab' * 32}\nsize 13000000000\n")
    (root / "empty").mkdir()
    put("error-page/model.safetensors", "<!DOCTYPE html><html>not found</html>")
    for name, source in (("exported", "corpus/onnx/aliases"),
                         ("data-missing", "attacks/onnx/external-missing/model.onnx")):
        put(f"{name}/model.onnx", (ROOT / "fixtures" / source).read_bytes())
    put("pairs.tsv", "tiny\ttiny\nmissing\ttiny\nno tab here\n")
    put("config-typo.json", "{\"thread\": 1}\n")
    for name in ("models", "weights", "attacks", "metadata"):
        (root / name).symlink_to(ROOT / "fixtures" / name)


def bf16_tensors(folder):
    """{name: (shape, values)} of a stored model."""
    blob = (folder / "model.safetensors").read_bytes()
    size, = struct.unpack_from("<Q", blob)
    tensors = {}
    for name, entry in json.loads(blob[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            words = struct.unpack(f"<{(end - begin) // 2}H", blob[8 + size + begin:8 + size + end])
            wide = struct.pack(f"<{len(words)}I", *(word << 16 for word in words))
            tensors[name] = (entry["shape"], struct.unpack(f"<{len(words)}f", wide))
    return tensors


def build_merges(root):
    """merged: 0.7 of A-ft and 0.3 of A-cpt. stacked: their layers in turn."""
    models = ROOT / "fixtures" / "models"
    one, two = bf16_tensors(models / "A-ft"), bf16_tensors(models / "A-cpt")
    mixed = {name: (shape, [0.7 * x + 0.3 * y for x, y in zip(values, two[name][1])])
             for name, (shape, values) in one.items()}
    stacked = {name: value for name, value in one.items() if ".layers." not in name}
    for new, (parent, old) in enumerate([(one, 0), (two, 0), (two, 1), (one, 1), (one, 2)]):
        stacked.update((name.replace(f".layers.{old}.", f".layers.{new}."), value)
                       for name, value in parent.items() if f".layers.{old}." in name)
    for name, tensors, layers in (("merged", mixed, 3), ("stacked", stacked, 5)):
        target = root / name
        target.mkdir()
        (target / "model.safetensors").write_bytes(safetensors(tensors, {"format": "pt"}))
        config = json.loads((models / "A-ft" / "config.json").read_text())
        config.update(num_hidden_layers=layers, torch_dtype="float32")
        (target / "config.json").write_text(json.dumps(config))
        (target / "tokenizer.json").write_bytes((models / "A-ft" / "tokenizer.json").read_bytes())
    (root / "merged" / "mergekit_config.yml").write_text(
        "models:\n  - model: fixtures/A-ft\n    parameters: {weight: 0.7}\n"
        "  - model: fixtures/A-cpt\n    parameters: {weight: 0.5}\n"
        "merge_method: linear\nparameters: {normalize: false}\n")


def build_adapters(root):
    """lora: an adapter for q of A. child: A with it merged, stored in F32. pipe: A and B."""
    models = ROOT / "fixtures" / "models"
    tensors, rank, size, scale = bf16_tensors(models / "A"), 2, 48, 8 / 2
    adapter = {}
    for layer in range(3):
        module = f"model.layers.{layer}.self_attn.q_proj"
        down = [((37 * i + 11 * layer) % 101 - 50) / 1024 for i in range(rank * size)]
        up = [((53 * i + 7 * layer) % 97 - 48) / 1024 for i in range(size * rank)]
        adapter[f"base_model.model.{module}.lora_A.weight"] = ([rank, size], down)
        adapter[f"base_model.model.{module}.lora_B.weight"] = ([size, rank], up)
        shape, values = tensors[module + ".weight"]
        added = [scale * sum(up[row * rank + k] * down[k * size + col] for k in range(rank))
                 for row in range(size) for col in range(size)]
        tensors[module + ".weight"] = (shape, [x + y for x, y in zip(values, added)])
    (root / "lora").mkdir()
    (root / "lora" / "adapter_model.safetensors").write_bytes(safetensors(adapter, {"format": "pt"}))
    (root / "lora" / "adapter_config.json").write_text(json.dumps(
        {"peft_type": "LORA", "base_model_name_or_path": "fixtures/A", "r": rank, "lora_alpha": 8,
         "target_modules": ["q_proj"]}))
    (root / "child").mkdir()
    (root / "child" / "model.safetensors").write_bytes(safetensors(tensors, {"format": "pt"}))
    for name in ("config.json", "tokenizer.json"):
        (root / "child" / name).write_bytes((models / "A" / name).read_bytes())
    for component, model in (("text_encoder", "B"), ("unet", "A")):
        target = root / "pipe" / component
        target.mkdir(parents=True)
        for file in ("config.json", "tokenizer.json", "model.safetensors"):
            (target / file).write_bytes((models / model / file).read_bytes())
    (root / "pipe" / "README.md").write_text("---\nbase_model: org/Pipe\n---\n")
    (root / "pipe" / "model_index.json").write_text(json.dumps(
        {"_class_name": "ExamplePipeline", "unet": ["diffusers", "UNet2DConditionModel"],
         "text_encoder": ["transformers", "CLIPTextModel"], "safety_checker": [None, None]}))


def build_claims(root):
    """Copies of A that say something untrue of themselves."""
    source = ROOT / "fixtures" / "models" / "A"

    def copy(name, **config):
        target = root / name
        target.mkdir()
        for file in ("model.safetensors", "tokenizer.json"):
            (target / file).write_bytes((source / file).read_bytes())
        said = json.loads((source / "config.json").read_text())
        said.update(config)
        (target / "config.json").write_text(json.dumps(said, indent=1))

    copy("eight-heads", num_attention_heads=8)
    copy("untrue-config", num_hidden_layers=-3, hidden_size=None, num_attention_heads=2 ** 64 - 1,
         num_local_experts=8, torch_dtype="float32", model_type="gpt2", tie_word_embeddings=True)


def clean_environment(home):
    return {"PATH": "/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8", "COLUMNS": "100",
            "PEDIGREE_DETERMINISTIC": "1", "PEDIGREE_THREADS": "2"}


def documents_in(text):
    """The JSON documents in a report: one, or one a line."""
    text = text.strip()
    if not text.startswith("{"):
        return []
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]


def schema_faults(text):
    if jsonschema is None:
        return []
    faults = []
    for document in documents_in(text):
        name = SCHEMAS.get(document.get("schema"))
        if name is None:
            continue
        schema = json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text())
        faults += [f"{'/'.join(map(str, e.path))}: {e.message[:200]}"
                   for e in jsonschema.Draft202012Validator(schema).iter_errors(document)]
    return faults


def run(binary, case):
    """{name: bytes} of what the case puts out."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        words = shlex.split((case / "command").read_text())
        build(root)
        if {"merged", "stacked"} & set(words):
            build_merges(root)
        if {"eight-heads", "untrue-config"} & set(words):
            build_claims(root)
        if {"lora", "child", "pipe"} & set(words):
            build_adapters(root)
        before = {p for p in root.rglob("*") if not p.is_symlink()}
        stdin = (case / "stdin").read_bytes() if (case / "stdin").exists() else b""
        done = subprocess.run([binary, *words], cwd=root, input=stdin, capture_output=True,
                              env=clean_environment(root), timeout=300, check=False)
        out = {"stdout": done.stdout, "stderr": done.stderr, "exit": b"%d\n" % done.returncode}
        for path in sorted(root.rglob("*")):
            if path not in before and path.is_file() and not path.is_symlink():
                out[f"files/{path.relative_to(root)}"] = path.read_bytes()
        return out


def expected_of(case):
    return {str(p.relative_to(case)): p.read_bytes() for p in case.rglob("*")
            if p.is_file() and p.name not in ("command", "stdin")}


def write(case, out):
    for name in expected_of(case).keys() - out.keys():
        (case / name).unlink()
    for name, data in out.items():
        target = case / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def difference(want, got):
    """The first line that differs, both sides."""
    a, b = want.decode(errors="replace").splitlines(), got.decode(errors="replace").splitlines()
    for number, pair in enumerate(zip(a + [None], b + [None]), 1):
        if pair[0] != pair[1]:
            return f"line {number}:\n  wanted {pair[0]!r}\n  got    {pair[1]!r}"
    return f"wanted {len(a)} lines, got {len(b)}"


def faults_of(case, out):
    want = expected_of(case)
    faults = [f"{name} is not expected" for name in out.keys() - want.keys()]
    faults += [f"{name} was not written" for name in want.keys() - out.keys()]
    faults += [f"{name}: {difference(want[name], out[name])}"
               for name in sorted(want.keys() & out.keys()) if want[name] != out[name]]
    return faults


def main():
    words = [w for w in sys.argv[1:] if w != "--update"]
    update = "--update" in sys.argv
    if not words:
        sys.exit(__doc__)
    binary, wanted = os.path.abspath(words[0]), set(words[1:])
    failed = ran = 0
    for case in sorted(p.parent for p in (HERE / "cases").glob("*/command")):
        if wanted and case.name not in wanted:
            continue
        ran += 1
        out = run(binary, case)
        faults = schema_faults(out["stdout"].decode())
        faults += [f for name in out if name.endswith(".json") for f in schema_faults(out[name].decode())]
        if update:
            write(case, out)
        else:
            faults += faults_of(case, out)
        for fault in faults:
            print(f"{case.name}: {fault}")
        failed += bool(faults)
    print(f"{ran} cases, {failed} failed")
    sys.exit(1 if failed or not ran else 0)


if __name__ == "__main__":
    main()
