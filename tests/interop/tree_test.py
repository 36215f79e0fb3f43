#!/usr/bin/python3
"""Draws the family tree of fixture models and some of their children, and holds it to their recipe.

usage: tree_test.py PEDIGREE

Who descends from whom is known: fixtures/README.md and derive_models.py say how each model was made.
Wanted: no wrong direction, no edge between strangers, every copy on its parent; the same bytes
whatever the order of the models and the number of threads; and DOT that parses and says what the
JSON says, also under hostile names. Graphviz itself is asked as well where it is installed.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import derive_models  # noqa: E402

# A child of each kind; all of them would take minutes.
CHILDREN = ("A-f16", "A-renamed", "A-permuted", "A-q4", "A-vocab-replaced", "A-ft-depth-pruned",
            "A-ft-upscaled", "A-ft-width-pruned", "A-ft-vocab-extended", "A-ft-moe", "B-f32")
TRAINED = {"A-ft": "A", "A-cpt": "A", "A-lora": "A", "A-partial": "A"}
STRANGERS = ("B", "C")
SAME_SEED = "E"
TOKEN = re.compile(r'\s+|"(?:[^"\\]|\\.)*"|->|[{}\[\];,=]|[A-Za-z_][A-Za-z0-9_]*')


def parents():
    found = dict(TRAINED)
    found.update({child: derive_models.CHILDREN[child][0] for child in CHILDREN})
    return found


def ancestors(name, known):
    while name in known:
        name = known[name]
        yield name


def run(binary, models, *more, cwd=None, threads="2"):
    done = subprocess.run([binary, "tree", *map(str, models), *more, "--no-progress",
                           "--deterministic", "--threads", threads],
                          capture_output=True, check=False, cwd=cwd)
    if done.returncode != 0:
        sys.exit(f"exit status {done.returncode}: {done.stderr.decode()[-2000:]}")
    return done.stdout.decode()


def faults_of(tree, known):
    family = {name: i for i, f in enumerate(tree["families"]) for name in f["members"]}
    for edge in tree["edges"]:
        if edge["direction"] == "from-is-parent" and \
                edge["from"] not in ancestors(edge["to"], known):
            yield f"{edge['from']} is called a parent of {edge['to']}"
        if edge["kind"] == "missing":
            yield f"a missing model is tied to {edge['to']}"
        elif known.get(edge["from"]) != edge["to"] and known.get(edge["to"]) != edge["from"]:
            yield f"{edge['from']} and {edge['to']} are linked ({edge['kind']})"
    for name in STRANGERS:
        if family[name] == family["A"]:
            yield f"{name} is in the family of A"
    if family[SAME_SEED] == family["A"]:
        yield "a model of the same seed is in the family of A"
    for child in known:
        if family[child] != family[known[child]]:
            yield f"{child} is not in the family of {known[child]}"


def parsed_dot(text):
    """({node: label}, [(from, to)]): a parser for the part of the DOT language that is written."""
    tokens, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        assert match, f"not DOT at {text[at:at + 40]!r}"
        at = match.end()
        if not match[0].isspace():
            tokens.append(match[0])
    nodes, edges, depth = {}, [], 0
    i = 0
    while i < len(tokens):
        token = tokens[i]
        depth += (token == "{") - (token == "}")
        if re.fullmatch(r"n\d+", token):
            head = [token]
            while tokens[i + 1] == "->":
                head.append(tokens[i + 2])
                i += 2
            assert tokens[i + 1] == "[", tokens[i:i + 4]
            end = tokens.index("]", i)
            fields = dict(zip(tokens[i + 2:end:4], tokens[i + 4:end:4]))
            if len(head) == 1:
                nodes[token] = re.sub(r"\\(.)", r"\1", fields["label"][1:-1])
            else:
                edges.append(tuple(head))
            i = end
        i += 1
    assert depth == 0, "braces do not balance"
    return nodes, edges


def check_dot(binary, models, cwd=None):
    text = run(binary, models, "-o", "dot", cwd=cwd)
    tree = json.loads(run(binary, models, "-o", "json", cwd=cwd))
    nodes, edges = parsed_dot(text)
    assert len(nodes) == len(tree["nodes"]), f"{len(nodes)} nodes, wanted {len(tree['nodes'])}"
    names = {(nodes[a], nodes[b]) for a, b in edges}
    if cwd is None:  # plain names stand in both as they are
        wanted = {(e["from"], e["to"]) for e in tree["edges"]}
        assert names == wanted, f"edges differ: {names ^ wanted}"
    if shutil.which("dot") is None:
        print("SKIPPED: drawing with Graphviz (no dot); the parser above read the graph")
        return
    drawn = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=False)
    assert drawn.returncode == 0 and "<svg" in drawn.stdout, drawn.stderr


def hostile_names(folder):
    """Directories whose names are anything but words."""
    source = ROOT / "fixtures" / "models"
    names = ['q"uote', "back\\slash\\N", "line\nbreak", "<b>bold|{x}", "ünïcode → 模型"]
    for name, model in zip(names, ("A", "A-ft", "A-lora", "A-partial", "B")):
        os.symlink(source / model, folder / name)
    return names


def main():
    binary = os.path.abspath(sys.argv[1])
    known = parents()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        names = sorted(set(known) | set(known.values()) | set(STRANGERS) | {SAME_SEED})
        models = [derive_models.build(name, folder / "children") for name in names]
        first = run(binary, models, "-o", "json")
        tree = json.loads(first)
        faults = list(faults_of(tree, known))
        if run(binary, models[::-1], "-o", "json", threads="1") != first:
            faults.append("another order of the models and one thread give other bytes")
        right = sum(known.get(e["from"]) == e["to"] or known.get(e["to"]) == e["from"]
                    for e in tree["edges"])
        print(f"{len(names)} models, {right} of {len(known)} parents linked, "
              f"{sum(e['direction'] != 'undetermined' for e in tree['edges'])} directions told")
        check_dot(binary, models[:6])
        hostile = folder / "hostile"
        hostile.mkdir()
        check_dot(binary, hostile_names(hostile), cwd=hostile)
    for fault in faults:
        print("FAIL", fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
