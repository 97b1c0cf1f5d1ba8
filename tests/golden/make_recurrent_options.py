#!/usr/bin/env python3
"""Makes options_*.txt: what recurrent layers with options compute, according to somebody else.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install numpy torch
    /tmp/golden/bin/python tests/golden/make_recurrent_options.py

The projected LSTM is PyTorch's own (nn.LSTM with proj_size). The others, which PyTorch lacks, are
written from the papers' equations with tensor operations, so that only the gradients and the
normalisation (torch.nn.functional.layer_norm) are PyTorch's. Double precision, one sequence at a
time, weights with six decimals; lengths, layout and gate order as in make_recurrent.py.
"""
import pathlib

import numpy as np
import torch

T, B, I, H, P = 5, 3, 6, 7, 4
LENGTHS = [5, 2, 4]
EPSILON = 0.125
CASES = {"lstm-projection": ("lstm", {"projection"}),
         "lstm-peepholes": ("lstm", {"peepholes"}),
         "lstm-coupled": ("lstm-coupled", set()),
         "lstm-coupled-peepholes": ("lstm-coupled", {"peepholes"}),
         "lstm-layer-norm": ("lstm", {"layer_norm"}),
         "lstm-zoneout": ("lstm", {"zoneout"}),
         "gru-layer-norm": ("gru", {"layer_norm"}),
         "gru-zoneout": ("gru", {"zoneout"})}


def norm(a, weight, bias=None):
    return torch.nn.functional.layer_norm(a, a.shape, weight, bias, EPSILON)


def torch_lstm(v, x, h, c):
    """nn.LSTM with a projection over a whole sequence."""
    layer = torch.nn.LSTM(I, H, proj_size=P, dtype=torch.float64)
    weights = {"weight_ih_l0": v["kernel"].T, "weight_hh_l0": v["recurrent_kernel"].T,
               "bias_ih_l0": v["bias"], "bias_hh_l0": torch.zeros_like(v["bias"]),
               "weight_hr_l0": v["projection"].T}
    y, (h, c) = torch.func.functional_call(layer, weights, (x, (h[None], c[None])))
    return y, h[0], c[0]


def lstm_step(v, x, h, c, coupled, z_h, z_c):
    a = x @ v["kernel"], h @ v["recurrent_kernel"]
    if "kernel_gamma" in v:
        a = norm(a[0], v["kernel_gamma"]), norm(a[1], v["recurrent_gamma"])
    gates = list((a[0] + a[1] + v["bias"]).split(H))
    peephole = v.get("peephole", torch.zeros(3, H, dtype=torch.float64))
    if coupled:
        f, g, o = gates
        f = torch.sigmoid(f + peephole[0] * c)
        i = 1 - f
    else:
        i, f, g, o = gates
        i, f = torch.sigmoid(i + peephole[0] * c), torch.sigmoid(f + peephole[1] * c)
    new_c = f * c + i * torch.tanh(g)
    o = torch.sigmoid(o + peephole[1 if coupled else 2] * new_c)
    seen = norm(new_c, v["cell_gamma"], v["cell_beta"]) if "cell_gamma" in v else new_c
    new_h = o * torch.tanh(seen)
    return z_h * h + (1 - z_h) * new_h, z_c * c + (1 - z_c) * new_c


def gru_step(v, x, h, z_h):
    p, q = x @ v["kernel"], h @ v["recurrent_kernel"]
    if "kernel_gamma" in v:
        p, q = norm(p, v["kernel_gamma"]), norm(q, v["recurrent_gamma"])
    (p_r, p_z, p_n), (q_r, q_z, q_n) = (p + v["bias"][0]).split(H), (q + v["bias"][1]).split(H)
    z = torch.sigmoid(p_z + q_z)
    new = (1 - z) * torch.tanh(p_n + torch.sigmoid(p_r + q_r) * q_n) + z * h
    return z_h * h + (1 - z_h) * new


def make(cell, options, seed):
    random = np.random.default_rng(seed)
    draw = lambda *shape: np.round(random.uniform(-1, 1, shape), 6)
    lstm, width = cell != "gru", (4 if cell == "lstm" else 3) * H
    state = P if "projection" in options else H
    values = {"x": draw(T, B, I), "kernel": draw(I, width), "recurrent_kernel": draw(state, width),
              "bias": draw(width) if lstm else draw(2, width), "h0": draw(B, state)}
    if lstm:
        values["c0"] = draw(B, H)
    if "projection" in options:
        values["projection"] = draw(H, P)
    if "peepholes" in options:
        values["peephole"] = draw(3 if cell == "lstm" else 2, H)
    if "layer_norm" in options:
        values["kernel_gamma"], values["recurrent_gamma"] = draw(width), draw(width)
        if lstm:
            values["cell_gamma"], values["cell_beta"] = draw(H), draw(H)
    masks = {}
    if "zoneout" in options:
        masks["zoneout_h"] = random.integers(0, 2, (T, B, H)).astype(float)
        if lstm:
            masks["zoneout_c"] = random.integers(0, 2, (T, B, H)).astype(float)
    seeds = {"dy": draw(T, B, state), "dhn": draw(B, state)}
    if lstm:
        seeds["dcn"] = draw(B, H)
    for b, length in enumerate(LENGTHS):
        values["x"][length:, b] = 0
        seeds["dy"][length:, b] = 0

    leaf = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    mask = {name: torch.tensor(value) for name, value in masks.items()}
    outputs = {"y": np.zeros((T, B, state)), "hn": np.zeros((B, state)), "cn": np.zeros((B, H))}
    loss = 0
    for b, length in enumerate(LENGTHS):
        h, c = leaf["h0"][b], leaf["c0"][b] if lstm else torch.zeros(H, dtype=torch.float64)
        if "projection" in options:
            y, h, c = torch_lstm(leaf, leaf["x"][:length, b], h, c)
        else:
            y = []
            for t in range(length):
                z_h = mask["zoneout_h"][t, b] if "zoneout_h" in mask else 0
                z_c = mask["zoneout_c"][t, b] if "zoneout_c" in mask else 0
                if lstm:
                    h, c = lstm_step(leaf, leaf["x"][t, b], h, c, cell != "lstm", z_h, z_c)
                else:
                    h = gru_step(leaf, leaf["x"][t, b], h, z_h)
                y.append(h)
            y = torch.stack(y)
        loss = loss + (y * torch.tensor(seeds["dy"][:length, b])).sum()
        loss = loss + (h * torch.tensor(seeds["dhn"][b])).sum()
        if lstm:
            loss = loss + (c * torch.tensor(seeds["dcn"][b])).sum()
        outputs["y"][:length, b] = y.detach()
        outputs["hn"][b], outputs["cn"][b] = h.detach(), c.detach()
    loss.backward()
    if not lstm:
        del outputs["cn"]
    gradients = {"d" + name: tensor.grad.numpy() for name, tensor in leaf.items()}
    return {**values, **masks, **seeds, **outputs, **gradients}


def write(path, tensors):
    with open(path, "w", encoding="ascii", newline="\n") as out:
        for name, value in tensors.items():
            out.write(f"{name} {' '.join(map(str, value.shape))}\n")
            for row in value.reshape(-1, value.shape[-1]):
                out.write(" ".join(f"{number:.15g}" for number in row) + "\n")


if __name__ == "__main__":
    folder = pathlib.Path(__file__).parent
    for number, (name, (cell, options)) in enumerate(CASES.items()):
        write(folder / f"options_{name}.txt", make(cell, options, 100 + number))
