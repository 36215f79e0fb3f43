#!/usr/bin/env python3
"""What a person may do wrong, with the real program: every case must end at once with one clear
error, whatever the verb, and no output format may carry a control character of the input.

usage: bad_input_test.py PEDIGREE
"""

import json
import os
import pathlib
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile

NOBODY = 65534
SECONDS = 120  # for a loaded machine; a hang is what is looked for
HOSTILE = "a\n\x1b[31mb\u202e\u0085"
failures = []


def expect(truth, what):
    if not truth:
        failures.append(what)
        print("FAILED: " + what)


def header(tensors):
    text = json.dumps(tensors).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def weights(names=("a", "b"), values=(1.0, -2.0)):
    data = struct.pack("<%df" % len(values), *values)
    tensors = {name: {"dtype": "F32", "shape": [len(values)],
                      "data_offsets": [i * len(data), (i + 1) * len(data)]}
               for i, name in enumerate(names)}
    return header(tensors) + data * len(names)


def index(shards):
    return json.dumps({"metadata": {"total_size": 16}, "weight_map": shards})


class Folder:
    """Where the cases live; every path is relative to it."""

    def __init__(self, root):
        self.root = pathlib.Path(root)

    def put(self, path, data):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data if isinstance(data, bytes) else data.encode())
        return target

    def build(self):
        self.put("good/model.safetensors", weights())
        self.put("missing-shard/model-00001-of-00002.safetensors", weights(["a"]))
        self.put("missing-shard/model.safetensors.index.json",
                 index({"a": "model-00001-of-00002.safetensors",
                        "b": "model-00002-of-00002.safetensors"}))
        self.put("truncated-shard/model-00001-of-00002.safetensors", weights(["a"]))
        self.put("truncated-shard/model-00002-of-00002.safetensors", weights(["b"])[:-3])
        self.put("truncated-shard/model.safetensors.index.json",
                 index({"a": "model-00001-of-00002.safetensors",
                        "b": "model-00002-of-00002.safetensors"}))
        self.put("zero-size/model.safetensors", weights(values=()))
        (self.root / "empty").mkdir()
        for shard in (1, 2):
            self.put("pointers/model-0000%d-of-00002.safetensors" % shard,
                     "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 13\n"
                     % (str(shard) * 64))
        self.put("hostile/model.safetensors", weights([HOSTILE, "b"]))
        self.put("hostile/README.md", "---\nbase_model: %s\n---\n" % json.dumps(HOSTILE))
        self.put("hostile/config.json",
                 json.dumps({"model_type": HOSTILE, "_name_or_path": HOSTILE}))
        self.put("hostile/" + "x\ny\x1b[2J.safetensors", weights([HOSTILE + "2"]))
        self.put("not-a-model.txt", "hello")
        self.put("nothing-in-it.safetensors", b"")
        sparse = self.put("sparse/model.safetensors", b"")
        with open(sparse, "wb") as file:
            size = 70 << 30
            file.write(header({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}))
            file.truncate(file.tell() + size)
        os.mkfifo(self.root / "fifo")
        for name in ("fifo-weights/model.safetensors", "fifo-config/config.json"):
            (self.root / name).parent.mkdir()
            os.mkfifo(self.root / name)
        self.put("fifo-config/model.safetensors", weights())
        (self.root / "loop").symlink_to("loop")
        self.put("self/model.safetensors", weights())
        (self.root / "self/inner").symlink_to(".")
        (self.root / "dangling").mkdir()
        (self.root / "dangling/model.safetensors").symlink_to("gone.safetensors")
        (self.root / "device").mkdir()
        (self.root / "device/model.safetensors").symlink_to("/dev/zero")
        self.put("locked/model.safetensors", weights())
        self.put("locked-file/model.safetensors", weights()).chmod(0)
        self.put("locked-card/model.safetensors", weights())
        self.put("locked-card/README.md", "---\nlicense: mit\n---\n").chmod(0)
        (self.root / "locked").chmod(0)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self.root / "socket"))
        server.close()


class Program:
    """The program, run by someone whom permissions bind."""

    def __init__(self, pedigree, root):
        self.root = root
        self.path = str(pathlib.Path(root) / "pedigree")
        shutil.copyfile(pedigree, self.path)
        os.chmod(self.path, 0o755)

    def __call__(self, *words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE):
        identity = {"user": NOBODY, "group": NOBODY} if os.getuid() == 0 else {}
        environment = {"PATH": "/usr/bin:/bin", "HOME": self.root, "LC_ALL": "C.UTF-8",
                       "PEDIGREE_DETERMINISTIC": "1"}
        try:
            done = subprocess.run([self.path, *words], cwd=self.root, stdin=stdin, stdout=stdout,
                                  stderr=subprocess.PIPE, timeout=SECONDS, env=environment,
                                  check=False, **identity)
        except subprocess.TimeoutExpired:
            expect(False, "%s does not end" % (words,))
            return None
        said = (done.stdout or b"") + done.stderr
        expect(done.returncode in (0, 1, 2, 3, 4, 5), "%s ends with %d" % (words, done.returncode))
        expect(b"internal error" not in said, "%s: %s" % (words, said[-300:]))
        return done


def odd_characters(data):
    """Control characters and direction overrides of a text that may have lines."""
    text = data.decode("utf-8")
    return {character for character in text
            if (ord(character) < 32 and character != "\n") or 0x7f <= ord(character) < 0xa0
            or character in "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}


# (model, exit status, code that must be told, the file it names)
CASES = [
    ("absent", 2, "io-error", "absent"),
    ("not-a-model.txt", 2, "not-a-weight-file", "not-a-model.txt"),
    ("nothing-in-it.safetensors", 2, "not-a-weight-file", "nothing-in-it.safetensors"),
    ("/dev/null", 2, "not-a-regular-file", "/dev/null"),
    ("/dev/zero", 2, "not-a-regular-file", "/dev/zero"),
    ("fifo", 2, "not-a-regular-file", "fifo"),
    ("socket", 2, "not-a-regular-file", "socket"),
    ("loop", 2, "io-error", "loop"),
    ("locked", 2, "io-error", "locked"),
    ("missing-shard", 2, "index-missing-shard", "model.safetensors.index.json"),
    ("truncated-shard", 2, "safetensors-offsets", "model-00002-of-00002.safetensors"),
    ("fifo-weights", 2, "not-a-regular-file", "model.safetensors"),
    ("device", 2, "symlink-escape", "model.safetensors"),
    ("dangling", 2, "io-error", "model.safetensors"),
    ("locked-file", 2, "io-error", "model.safetensors"),
    ("empty", 3, "no-weights", None),
    ("pointers", 3, "weights-not-downloaded", "model-00001-of-00002.safetensors"),
]
VERBS = {
    "inspect": ["inspect", "MODEL"],
    "audit": ["audit", "MODEL"],
    "digest": ["digest", "MODEL"],
    "fingerprint": ["fingerprint", "MODEL", "--to", "out/"],
    "suspect": ["compare", "MODEL", "good"],
    "base": ["compare", "good", "MODEL"],
}


def problems_of(report):
    found = list(report.get("problems", ()))
    for comparison in report.get("comparisons", ()):
        found += comparison.get("problems", ())
    return found


def hold_cases(program):
    for model, status, code, file in CASES:
        for verb, words in VERBS.items():
            command = [model if word == "MODEL" else word for word in words]
            done = program(*command, "-o", "json")
            if done is None:
                continue
            what = "%s %s" % (verb, model)
            try:
                report = json.loads(done.stdout)
            except ValueError:
                expect(False, "%s wrote no JSON: %r" % (what, done.stdout[:200]))
                continue
            told = [problem for problem in problems_of(report) if problem["code"] == code]
            expect(len(told) == 1, "%s tells %s %d times" % (what, code, len(told)))
            for problem in told:
                # A base's problems name the base.
                names = [file, model + "/" + file if file else model]
                expect(problem.get("file") in names, "%s names %s" % (what, problem.get("file")))
                expect(problem["message"] and problem["remedy"], what + " has no words")
            expect(done.returncode == status,
                   "%s ends with %d, not %d" % (what, done.returncode, status))
            expect(code.encode() in done.stderr or not status == 2,
                   what + " says nothing on stderr")


def hold_readable(program):
    """What is odd and no reason to refuse."""
    for model in ("zero-size", "self", "sparse", "hostile"):
        for verb in ("inspect", "compare"):
            words = [verb, model] + (["good", "--quick"] if verb == "compare" else [])
            done = program(*words, "-o", "json")
            expect(done and done.returncode == 0, "%s: %s" % (words, done and done.stdout[-400:]))
    for verb in ("inspect", "digest"):
        done = program(verb, "locked-card", "-o", "json")
        report = json.loads(done.stdout)
        files = {problem.get("file") for problem in report["problems"]
                 if problem["code"] in ("auxiliary-file-unreadable", "io-error")}
        expect(files == {"README.md"}, "%s of an unreadable card names %s" % (verb, files))
        if verb == "digest":
            expect(done.returncode == 2 and len(report["subject"]["digest"]["files"]) == 1,
                   "the weights' digest is lost over an unreadable card")
    done = program("inspect", "fifo-config", "-o", "json")
    expect([problem["file"] for problem in json.loads(done.stdout)["problems"]
            if problem["code"] == "not-a-regular-file"] == ["config.json"],
           "a pipe in place of config.json is not told")


def hold_escapes(program):
    for verb in VERBS.values():
        words = ["hostile" if word == "MODEL" else word for word in verb]
        for style in ("text", "markdown", "json"):
            done = program(*words, "-o", style, "--verbose",
                           *(["--details"] if words[0] in ("compare", "audit") else
                             ["--tensors"] if words[0] == "inspect" else []))
            if done is None:
                continue
            for name, data in (("stdout", done.stdout), ("stderr", done.stderr)):
                odd = odd_characters(data)
                expect(not odd, "%s -o %s: %s holds %s" % (words, style, name, ascii(odd)))


def hold_usage(program):
    """Wrong calls: status 4 or 2, and one line that names what is wrong."""
    cases = [
        ((), 4, "no command"),
        (("frobnicate",), 4, "frobnicate"),
        (("inspect",), 4, "MODEL"),
        (("inspect", ""), 4, "empty"),
        (("inspect", "good", "--bogus"), 4, "--bogus"),
        (("inspect", "good", "-o", "yaml"), 4, "yaml"),
        (("inspect", "good", "--threads", "-1"), 4, "-1"),
        (("inspect", "good", "--config", "fifo"), 4, "fifo"),
        (("compare", "good"), 4, "BASE"),
        (("inspect", "good", "-o", "json=absent/x.json"), 2, "absent/x.json"),
        (("inspect", "good", "-o", "json=fifo"), 2, "fifo"),
        (("inspect", "good", "-o", "json=/dev/full"), 2, "/dev/full"),
        (("inspect", "good", "-o", "json=empty"), 2, "empty"),
        (("compare", "--pairs", "absent", "-o", "json"), 2, "absent"),
        (("compare", "--pairs", "empty", "-o", "json"), 2, "directory"),
        (("fingerprint", "--batch", "absent", "-o", "json"), 2, "absent"),
        (("digest", "good", "--verify", "fifo", "-o", "json"), 2, "fifo"),
        (("fingerprint", "good", "--salt", "fifo", "--to", "out/", "-o", "json"), 2, "fifo"),
        (("fingerprint", "good", "--to", "not-a-model.txt/x.pedigree", "-o", "json"), 2,
         "not-a-model.txt"),
    ]
    for words, status, named in cases:
        done = program(*words)
        if done is None:
            continue
        said = done.stderr.decode()
        expect(done.returncode == status, "%s ends with %d" % (words, done.returncode))
        expect(named in said and len(said.splitlines()) <= 3, "%s says: %s" % (words, said))
    expect(stat.S_ISFIFO(os.stat(pathlib.Path(program.root) / "fifo").st_mode),
           "a pipe was replaced by a report")
    expect(stat.S_ISCHR(os.stat("/dev/full").st_mode), "a device was replaced by a report")
    with open("/dev/full", "wb") as full:
        for words in (("inspect", "good"), ("help",), ("schema", "report-1")):
            done = program(*words, stdout=full)
            expect(done and done.returncode == 2 and b"No space left" in done.stderr,
                   "%s does not tell a full disk" % (words,))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o777)
        folder = Folder(root)
        folder.build()
        program = Program(sys.argv[1], root)
        try:
            hold_cases(program)
            hold_readable(program)
            hold_escapes(program)
            hold_usage(program)
        finally:
            (folder.root / "locked").chmod(0o700)
    print("%d failures" % len(failures))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
