"""Whole training steps of language models in PyTorch: the work of rnn_bench_training.

    python training_pytorch.py CASE [--threads N] [--seconds S] [--bf16]

Prints tokens a second, as the median over rounds of about a second. Without --threads it takes one
thread or as many as there are cores, whichever is faster.
"""
import argparse
import os
import statistics
import time

import torch

CASES = {  # vocabulary, width, layers, batch, bptt
    "ptb-small": (10000, 200, 2, 20, 20),
    "ptb-medium": (10000, 650, 2, 20, 35),
    "char-512": (66, 512, 1, 32, 100),
}


class LanguageModel(torch.nn.Module):
    def __init__(self, vocabulary, width, layers):
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, width)
        self.lstm = torch.nn.LSTM(width, width, layers)
        self.decoder = torch.nn.Linear(width, vocabulary)

    def forward(self, ids, state):
        features, state = self.lstm(self.embedding(ids), state)
        return self.decoder(features), state


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--bf16", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(1)
    vocabulary, width, layers, batch, bptt = CASES[arguments.case]
    model = LanguageModel(vocabulary, width, layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    ids = torch.randint(vocabulary, (100, bptt, batch))
    targets = torch.randint(vocabulary, (100, bptt * batch))
    state = (torch.zeros(layers, batch, width), torch.zeros(layers, batch, width))

    def step(i, state):
        state = tuple(s.detach() for s in state)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.bf16):
            logits, state = model(ids[i % 100], state)
            loss = torch.nn.functional.cross_entropy(logits.view(-1, vocabulary), targets[i % 100])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        return tuple(s.float() for s in state)

    def tokens_a_second():
        nonlocal state
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < 1:
            state = step(steps, state)
            steps += 1
        return steps * batch * bptt / (time.perf_counter() - start)

    threads = {}
    for n in [arguments.threads] if arguments.threads else {1, len(os.sched_getaffinity(0))}:
        torch.set_num_threads(n)
        for i in range(3):
            state = step(i, state)
        threads[n] = tokens_a_second()
    best = max(threads, key=threads.get)
    torch.set_num_threads(best)
    rates = []
    end = time.perf_counter() + arguments.seconds
    while time.perf_counter() < end:
        rates.append(tokens_a_second())
    print(f"{arguments.case:12s} {best} threads  {statistics.median(rates):8.0f} tokens/s"
          f"  PyTorch {torch.__version__}{' bf16 autocast' if arguments.bf16 else ''}")


if __name__ == "__main__":
    main()
