#!/usr/bin/python3
"""Writes the tensors of an .npz as PyTorch does: FOLDER/zip and FOLDER/legacy
(pytorch_model.bin), FOLDER/meta-1 and FOLDER/meta-2 (Meta's own shares).

usage: torch_containers.py TENSORS.npz PARAMS.json FOLDER

Debian's python3-torch is the writer.
"""

import json
import pathlib
import sys

import numpy
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import meta_files  # noqa: E402


def main():
    tensors = {name: torch.from_numpy(values) for name, values in numpy.load(sys.argv[1]).items()}
    params = json.loads(pathlib.Path(sys.argv[2]).read_text())
    folder = pathlib.Path(sys.argv[3])
    for name, as_zip in (("zip", True), ("legacy", False)):
        (folder / name).mkdir()
        torch.save(tensors, folder / name / "pytorch_model.bin", _use_new_zipfile_serialization=as_zip)
    meta = meta_files.renamed(tensors, params)
    for count in (1, 2):
        meta_files.write(folder / f"meta-{count}", meta, params, count)


main()
