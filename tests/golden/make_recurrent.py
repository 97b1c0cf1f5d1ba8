#!/usr/bin/env python3
"""Makes recurrent_*.txt: what recurrent layers compute, according to somebody else.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install numpy torch
    /tmp/golden/bin/python tests/golden/make_recurrent.py

Outputs and gradients come from PyTorch in double precision: nn.LSTM, nn.GRU and nn.RNN run each
sequence on its own (the GRU with reset before, which PyTorch lacks, is written with tensor
operations). A second, plain numpy forward pass must agree before anything is written. Weights are
distinct random numbers with six decimals, the same on every machine; I, H, T and B all differ.

Gate order: the files hold the order of include/rnn/cells.h. PyTorch's LSTM (i,f,g,o) and GRU
(r,z,n) have the same order, but its weights are [G*H,I]: transposed here. A simple RNN or LSTM of
ours has one bias, PyTorch has two: the second is zero.

A file is a sequence of tensors: "name extent extent ..." on one line, the numbers row by row after
it. Lengths are 5, 2 and 4; padding is written as zeros.
"""
import pathlib

import numpy as np
import torch

T, B, I, H = 5, 3, 4, 7
LENGTHS = [5, 2, 4]
GATES = {"lstm": 4, "gru": 3, "gru-reset-before": 3, "rnn-tanh": 1, "rnn-relu": 1}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_step(cell, x, h, c, W, U, b):
    """One step of one sequence, from the equations alone."""
    cut = lambda a, g: a[..., g * H:(g + 1) * H]
    if cell == "lstm":
        a = x @ W + h @ U + b
        c = sigmoid(cut(a, 1)) * c + sigmoid(cut(a, 0)) * np.tanh(cut(a, 2))
        return sigmoid(cut(a, 3)) * np.tanh(c), c
    if cell == "rnn-tanh":
        return np.tanh(x @ W + h @ U + b), c
    if cell == "rnn-relu":
        return np.maximum(x @ W + h @ U + b, 0), c
    bx, bh = (b[0], b[1]) if cell == "gru" else (b, np.zeros_like(b))
    p, q = x @ W + bx, h @ U + bh
    r, z = sigmoid(cut(p, 0) + cut(q, 0)), sigmoid(cut(p, 1) + cut(q, 1))
    if cell == "gru":
        n = np.tanh(cut(p, 2) + r * cut(q, 2))
    else:
        n = np.tanh(cut(p, 2) + (r * h) @ cut(U, 2))
    return (1 - z) * n + z * h, c


def torch_sequence(cell, x, h, c, W, U, b):
    """One sequence [L,I] through PyTorch's own module; returns y [L,H], h, c."""
    if cell == "gru-reset-before":
        y = []
        for step in x:
            p, q = step @ W + b, h @ U
            r, z = torch.sigmoid(p[:H] + q[:H]), torch.sigmoid(p[H:2 * H] + q[H:2 * H])
            n = torch.tanh(p[2 * H:] + (r * h) @ U[:, 2 * H:])
            h = (1 - z) * n + z * h
            y.append(h)
        return torch.stack(y), h, c
    module = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn-tanh": torch.nn.RNN,
              "rnn-relu": torch.nn.RNN}[cell]
    options = {"nonlinearity": cell[4:]} if cell.startswith("rnn") else {}
    layer = module(I, H, dtype=torch.float64, **options)
    bx, bh = (b[0], b[1]) if cell == "gru" else (b, torch.zeros_like(b))
    weights = {"weight_ih_l0": W.T, "weight_hh_l0": U.T, "bias_ih_l0": bx, "bias_hh_l0": bh}
    state = (h[None], c[None]) if cell == "lstm" else h[None]
    y, state = torch.func.functional_call(layer, weights, (x, state))
    return (y, state[0][0], state[1][0]) if cell == "lstm" else (y, state[0], c)


def order(length, backwards):
    return list(range(length - 1, -1, -1)) if backwards else list(range(length))


def make(cell, backwards, seed):
    random = np.random.default_rng(seed)
    draw = lambda *shape: np.round(random.uniform(-1, 1, shape), 6)
    width = GATES[cell] * H
    inputs = {"x": draw(T, B, I), "kernel": draw(I, width), "recurrent_kernel": draw(H, width),
              "bias": draw(2, width) if cell == "gru" else draw(width), "h0": draw(B, H)}
    if cell == "lstm":
        inputs["c0"] = draw(B, H)
    seeds = {"dy": draw(T, B, H), "dhn": draw(B, H)}
    if cell == "lstm":
        seeds["dcn"] = draw(B, H)
    for b, length in enumerate(LENGTHS):
        inputs["x"][length:, b] = 0
        seeds["dy"][length:, b] = 0

    leaf = {name: torch.tensor(value, requires_grad=True) for name, value in inputs.items()}
    outputs = {"y": np.zeros((T, B, H)), "hn": np.zeros((B, H)), "cn": np.zeros((B, H))}
    loss = 0
    for b, length in enumerate(LENGTHS):
        steps = order(length, backwards)
        c0 = leaf["c0"][b] if cell == "lstm" else torch.zeros(H, dtype=torch.float64)
        y, h, c = torch_sequence(cell, leaf["x"][steps, b], leaf["h0"][b], c0, leaf["kernel"],
                                 leaf["recurrent_kernel"], leaf["bias"])
        loss = loss + (y * torch.tensor(seeds["dy"][steps, b])).sum()
        loss = loss + (h * torch.tensor(seeds["dhn"][b])).sum()
        if cell == "lstm":
            loss = loss + (c * torch.tensor(seeds["dcn"][b])).sum()
        outputs["y"][steps, b] = y.detach()
        outputs["hn"][b], outputs["cn"][b] = h.detach(), c.detach()

        h, c = inputs["h0"][b], inputs["c0"][b] if cell == "lstm" else np.zeros(H)
        for t in steps:
            h, c = numpy_step(cell, inputs["x"][t, b], h, c, inputs["kernel"],
                              inputs["recurrent_kernel"], inputs["bias"])
            np.testing.assert_allclose(h, outputs["y"][t, b], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(c, outputs["cn"][b], rtol=1e-12, atol=1e-14)
    loss.backward()
    if cell != "lstm":
        del outputs["cn"]
    gradients = {"d" + name: tensor.grad.numpy() for name, tensor in leaf.items()}
    return {**inputs, **seeds, **outputs, **gradients}


def write(path, tensors):
    with open(path, "w", encoding="ascii", newline="\n") as out:
        for name, value in tensors.items():
            out.write(f"{name} {' '.join(map(str, value.shape))}\n")
            for row in value.reshape(-1, value.shape[-1]):
                out.write(" ".join(f"{number:.15g}" for number in row) + "\n")


if __name__ == "__main__":
    folder = pathlib.Path(__file__).parent
    for number, cell in enumerate(GATES):
        for backwards in (False, True):
            name = f"recurrent_{cell}{'_backwards' if backwards else ''}.txt"
            write(folder / name, make(cell, backwards, 2 * number + backwards))
