#!/usr/bin/python3
"""Nets of no known architecture, trained for seconds: strangers and retrains are never called
derived, copies are found however their channels were dealt, gates ordered or layers exported.

usage: trained_nets_test.py PEDIGREE

Debian's python3-torch trains and exports them. Skips, and says so, where it is missing.
"""

import io
import itertools
import pathlib
import sys
import tempfile
import warnings

try:
    import numpy
    import torch
except ImportError as missing:
    print(f"SKIPPED: {missing}; Debian's python3-torch and python3-numpy make the nets judged here")
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "support"))
import trained_nets as nets  # noqa: E402
from interop import Tool  # noqa: E402

KINDS = (nets.Convolutional, nets.Dense, nets.OddDense)
SEEDS = range(3)


class Judge:
    def __init__(self, binary, folder):
        self.tool, self.folder = Tool(binary), pathlib.Path(folder)

    def path(self, name, net):
        target = self.folder / f"{name}.pt"
        torch.save(net.state_dict(), target)
        return target

    def expect(self, title, subject, base, relations, transforms=()):
        found = self.tool.run("compare", subject, base)["comparisons"][0]
        relation = found["verdict"]["relation"]
        good = relation in relations and set(transforms) <= set(found.get("transforms", []))
        self.tool.check(f"{title}: {relation}", good, f"wanted {relations} {transforms}: {found}")


def judge_kind(judge, kind):
    name = kind.__name__
    models = [nets.trained(kind, seed) for seed in SEEDS]
    files = [judge.path(f"{name}{seed}", net) for seed, net in zip(SEEDS, models)]
    strangers = ("independent", "inconclusive")
    for one, other in itertools.combinations(files, 2):
        judge.expect(f"{name}: strangers of one task", one, other, strangers)

    first = models[0]
    base = files[0]
    judge.expect(f"{name}: trained on", judge.path("on", nets.trained_on(first)), base,
                 ("common-origin",))
    again = nets.trained(kind, SEEDS[0], data_seed=31)
    judge.expect(f"{name}: the same seed, other pictures", judge.path("again", again), base,
                 ("common-origin",))
    dealt = nets.dealt_anew(first, 4)
    x, _ = nets.pictures(3, 8)
    judge.tool.check(f"{name}: dealt anew it answers alike",
                     torch.allclose(first(x), dealt(x), atol=1e-4))
    dealt_file = judge.path("dealt", dealt)
    judge.expect(f"{name}: dealt anew", dealt_file, base, ("reparametrised",), ("channel-permute",))
    judge.expect(f"{name}: dealt anew, against a stranger", dealt_file, files[1], strangers)
    judge.expect(f"{name}: dealt anew and trained on",
                 judge.path("dealt_on", nets.trained_on(dealt)), base, ("common-origin",),
                 ("channel-permute",))
    if kind is nets.Dense:
        judge.expect(f"{name}: dealt anew with factors",
                     judge.path("scaled", nets.dealt_anew(first, 6, spread=1.0)), base,
                     ("reparametrised",), ("channel-permute", "channel-scale"))
    if kind is nets.OddDense:
        judge.expect(f"{name}: dealt anew with signs",
                     judge.path("turned", nets.dealt_anew(first, 6, signs=True)), base,
                     ("reparametrised",), ("channel-permute", "channel-sign"))


def as_keras(state, gates):
    """Kernels transposed, gates in Keras' order; names after its variables."""
    arrays = {}
    for name, values in state.items():
        array = values.numpy()
        if name.startswith("rnn."):
            array = array.reshape((len(gates), -1) + array.shape[1:])[gates].reshape(array.shape)
        array = array.T if array.ndim == 2 else array
        name = name.replace("weight_ih", "kernel").replace("weight_hh", "recurrent_kernel")
        arrays[name.replace(".", "/")] = numpy.ascontiguousarray(array)
    return arrays


def judge_recurrent(judge):
    for kind, gates in ((torch.nn.LSTM, [0, 1, 2, 3]), (torch.nn.GRU, [1, 0, 2])):
        name = kind.__name__
        torch.manual_seed(3)
        net = nets.Recurrent(kind).eval()
        file = judge.path(name, net)
        exported = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(net, torch.randn(2, 20, 12), exported, opset_version=13)
        onnx_file = judge.folder / f"{name}.onnx"
        onnx_file.write_bytes(exported.getvalue())
        judge.expect(f"{name} exported to ONNX", onnx_file, file, ("identical",),
                     ("gate-order", "stack-directions"))
        keras = judge.folder / f"{name}.npz"
        numpy.savez(keras, **as_keras(net.state_dict(), gates))
        judge.expect(f"{name} in Keras' layout", keras, file, ("identical",), ("transpose",))
        torch.manual_seed(4)
        other = judge.path(f"other{name}", nets.Recurrent(kind))
        judge.expect(f"{name} of another seed", onnx_file, other, ("inconclusive", "independent"))


def main():
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(sys.argv[1], folder)
        for kind in KINDS:
            judge_kind(judge, kind)
        judge_recurrent(judge)
    sys.exit(1 if judge.tool.failed else 0)


main()
