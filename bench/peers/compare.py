"""Our recurrent kernels against PyTorch and ONNX Runtime on the same work, alternating in one run.

  ./dev peers    installs what it needs into build/peers-venv and runs it
  build/peers-venv/bin/python bench/peers/compare.py build/release/rnn_bench_kernels [--threads 2] [--rounds 5]

Each round runs our program for one case, then the same case in the other library, and takes the
ratio within the round; the medians of the ratios are printed. Above 1: ours is faster.
"""
import argparse
import statistics
import subprocess
import tempfile
import time

import torch


def ours(program, case, threads):
    """Seconds of one forward pass, one backward pass (training), or one call (inference)."""
    line = subprocess.run(
        [program, "--threads", str(threads), "--rounds", "1", "--case", ",".join(map(str, case))],
        check=True, capture_output=True, text=True).stdout.split()
    return [float(word) for word in line]


def seconds(work, least=0.1):
    work()
    start, calls = time.perf_counter(), 0
    while time.perf_counter() - start < least:
        work()
        calls += 1
    return (time.perf_counter() - start) / calls


def torch_layer(cell, hidden):
    return (torch.nn.LSTM if cell == "lstm" else torch.nn.GRU)(hidden, hidden)


def torch_passes(cell, T, B, H):
    """The forward pass, and both passes."""
    layer = torch_layer(cell, H)
    x = torch.randn(T, B, H, requires_grad=True)
    dy = torch.randn(T, B, H)

    def forward():
        return layer(x)[0]

    def both():
        y = forward()
        y.backward(dy)

    return forward, both


def torch_training(forward, both):
    """Seconds of a forward and of a backward pass."""
    f = seconds(forward)
    return f, max(1e-9, seconds(both) - f)


def set_better_threads(work, threads):
    """Lets PyTorch have one thread or `threads`, whichever is faster for this."""
    times = {}
    for n in {1, threads}:
        torch.set_num_threads(n)
        times[n] = seconds(work)
    torch.set_num_threads(min(times, key=times.get))


def onnx_inference(cell, T, H, threads):
    import warnings

    import numpy
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    G = 4 if cell == "lstm" else 3
    weights = [("W", (1, G * H, H)), ("R", (1, G * H, H)), ("Bias", (1, 2 * G * H))]
    tensors = [numpy_helper.from_array(
        (0.05 * numpy.random.randn(*shape)).astype(numpy.float32), name) for name, shape in weights]
    states = ["h0", "c0"] if cell == "lstm" else ["h0"]
    finals = ["hn", "cn"] if cell == "lstm" else ["hn"]
    attributes = {} if cell == "lstm" else {"linear_before_reset": 1}
    node = helper.make_node(cell.upper(), ["X", "W", "R", "Bias", ""] + states, ["Y"] + finals,
                            hidden_size=H, **attributes)
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        [node], "layer", [value("X", [T, 1, H])] + [value(s, [1, 1, H]) for s in states],
        [value("Y", [T, 1, 1, H])] + [value(s, [1, 1, H]) for s in finals], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file, warnings.catch_warnings():
        file.write(model.SerializeToString())
        file.flush()
        session = onnxruntime.InferenceSession(file.name, options,
                                               providers=["CPUExecutionProvider"])
    feed = {"X": numpy.random.randn(T, 1, H).astype(numpy.float32)}
    feed |= {s: numpy.zeros((1, 1, H), numpy.float32) for s in states}
    return lambda: session.run(None, feed)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    import onnxruntime
    print(f"PyTorch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}, "
          f"ours {args.threads} threads, theirs the better of 1 and {args.threads}; milliseconds, ratio above 1: ours is faster", flush=True)
    for cell in ("lstm", "gru"):
        for H, B in ((200, 20), (256, 64), (512, 20), (650, 20), (1024, 20)):
            passes = torch_passes(cell, 35, B, H)
            set_better_threads(passes[1], args.threads)
            rows = []
            for _ in range(args.rounds):
                mine = ours(args.program, ("train", cell, 35, B, H), args.threads)
                rows.append((mine, torch_training(*passes)))
            for i, name in enumerate(("forward", "backward")):
                print(f"{cell} T35 B{B} H{H} {name}: "
                      f"{1e3 * statistics.median(m[i] for m, _ in rows):.2f} against PyTorch "
                      f"{1e3 * statistics.median(t[i] for _, t in rows):.2f}, ratio "
                      f"{statistics.median(t[i] / m[i] for m, t in rows):.2f}", flush=True)
        for H, T in ((512, 100), (512, 1), (1024, 1)):
            sessions = {n: onnx_inference(cell, T, H, n) for n in {1, args.threads}}
            rows = []
            for _ in range(args.rounds):
                mine = ours(args.program, ("infer", cell, T, 1, H), args.threads)[0]
                rows.append((mine, min(seconds(run) for run in sessions.values())))
            print(f"{cell} T{T} B1 H{H} inference: {1e3 * statistics.median(m for m, _ in rows):.3f} "
                  f"against ONNX Runtime {1e3 * statistics.median(t for _, t in rows):.3f}, ratio "
                  f"{statistics.median(t / m for m, t in rows):.2f}", flush=True)


if __name__ == "__main__":
    main()
