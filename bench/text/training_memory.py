#!/usr/bin/env python3
"""The most anonymous memory (RssAnon) of trainings on texts of two sizes, one ten times the other.

    training_memory.py RNN [MEGABYTES]

RNN is the built command; the larger file has so many megabytes, 300 if not given. The texts are made
of drawn words. A training of one epoch of a tiny classifier, one of a tiny tagger.
"""
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time

WORDS = [f"w{i}" for i in range(20_000)]
WEIGHTS = list(itertools.accumulate(1 / (i + 1) for i in range(len(WORDS))))


def labelled(words):
    return f"l{random.randrange(4)}\t{' '.join(words)}\n"


def tagged(words):
    return "".join(f"{word} t{len(word)}\n" for word in words) + "\n"


def make(path, size, record):
    random.seed(1)
    left = size
    with open(path, "w") as to:
        while left > 0:
            left -= to.write(record(random.choices(WORDS, cum_weights=WEIGHTS, k=random.randrange(10, 70))))


def most_memory(command):
    """In megabytes, looked at every few milliseconds."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        with open(f"/proc/{process.pid}/status") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    most = max(most, int(line.split()[1]))
        time.sleep(0.005)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}")
    return most * 1024 / 1e6


def main():
    rnn = sys.argv[1]
    large = int(float(sys.argv[2]) * 1e6) if len(sys.argv) > 2 else 300_000_000
    tiny = ["--epochs", "1", "--embedding", "8", "--threads", "2"]
    with tempfile.TemporaryDirectory() as folder:
        text, model = os.path.join(folder, "text"), os.path.join(folder, "model")
        for name, record, command in (
            ("classify train", labelled, ["--arch", "bag", "--buckets", "1000", "--batch", "256"]),
            ("tag train", tagged, ["--column", "2", "--characters", "none", "--hidden", "8", "--batch", "256"]),
        ):
            for size in (large // 10, large):
                make(text, size, record)
                most = most_memory(
                    [rnn, *name.split(), "--train", text, "--model", model, "--overwrite", *command, *tiny]
                )
                print(f"{name:16} {size / 1e6:7.0f} MB  RssAnon {most:6.0f} MB", flush=True)


if __name__ == "__main__":
    main()
