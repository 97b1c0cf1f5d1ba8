#!/usr/bin/env python3
"""Reads a safetensors file of ours with the public `safetensors` package and prints what it holds,
then writes it back beside itself for us to read.

Run by hand, since the suite must pass without Python packages:
  python3 -m venv /tmp/venv && /tmp/venv/bin/pip install safetensors numpy
  /tmp/venv/bin/python tests/interop/read_safetensors.py MODEL_DIRECTORY/model.safetensors OUT
"""
import sys

import numpy
from safetensors import safe_open
from safetensors.numpy import load_file, save_file


def main():
    source, copy = sys.argv[1], sys.argv[2]
    tensors = load_file(source)
    with safe_open(source, framework="numpy") as file:
        metadata = file.metadata()
        names = list(file.keys())
    assert sorted(names) == sorted(tensors), "the header and the tensors disagree"
    for name in sorted(tensors):
        values = tensors[name]
        assert values.dtype == numpy.float32, f"{name}: {values.dtype}"
        assert numpy.isfinite(values).all(), f"{name} holds what is no number"
        norm = float(numpy.linalg.norm(values.astype(numpy.float64)))
        print(f"{name} {list(values.shape)} norm {norm:.6f}")
    print("metadata:", metadata)
    save_file(tensors, copy, metadata=metadata)
    again = load_file(copy)
    assert all(again[name].tobytes() == tensors[name].tobytes() for name in tensors)
    print(f"{len(tensors)} tensors, {sum(v.size for v in tensors.values())} numbers")


if __name__ == "__main__":
    main()
