#!/usr/bin/env python3
"""Bytes a second of tokenizers that Python programs use, alternating with ours.

    text.py RNN_BENCH_TEXT FILE [ROUNDS]

RNN_BENCH_TEXT is the built program; FILE is plain UTF-8 text. Each peer turns lines that are in
memory into numbers of a vocabulary made of the same text, on one thread:

  word   Hugging Face tokenizers (WordLevel, split at white space), and plain str.split and dict
  char   grapheme clusters: the package regex (\\X) and dict
  byte   NumPy: bytes to int32

Needs from PyPI: numpy, regex, tokenizers.
"""
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import collections
import re
import statistics
import subprocess
import sys
import time

import numpy
import regex
import tokenizers


def vocabulary(counts):
    return {unit: i for i, (unit, _) in enumerate(counts.most_common(10_000))}


def peers(lines):
    words = vocabulary(collections.Counter(word for line in lines for word in line.split()))
    clusters = vocabulary(collections.Counter(c for line in lines for c in regex.findall(r"\X", line)))
    model = tokenizers.Tokenizer(tokenizers.models.WordLevel({**words, "<unk>": len(words)}, "<unk>"))
    model.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    cluster = regex.compile(r"\X")
    encoded = [line.encode() for line in lines]
    return {
        "word: tokenizers " + tokenizers.__version__: lambda: model.encode_batch_fast(
            lines, add_special_tokens=False),
        "word: str.split and dict": lambda: [
            [words.get(word, -1) for word in line.split()] for line in lines],
        "char: regex " + regex.__version__ + " and dict": lambda: [
            [clusters.get(c, -1) for c in cluster.findall(line)] for line in lines],
        "byte: numpy " + numpy.__version__: lambda: [
            numpy.frombuffer(line, numpy.uint8).astype(numpy.int32) for line in encoded],
    }


def ours(program, path):
    text = subprocess.run([program, path], check=True, capture_output=True, text=True).stdout
    return {unit: float(re.search(rf"{unit}.*?memory\D*([\d.]+)", text).group(1))
            for unit in ("word", "char", "byte")}, text


def main(program, path, rounds=3):
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    size = os.path.getsize(path)
    tried = peers(lines)
    rates = collections.defaultdict(list)
    ratios = collections.defaultdict(list)
    for _ in range(int(rounds)):
        mine, _ = ours(program, path)
        for name, run in tried.items():
            start = time.perf_counter()
            run()
            rate = size / 1e6 / (time.perf_counter() - start)
            rates[name].append(rate)
            ratios[name].append(mine[name.split(":")[0]] / rate)
    for name in tried:
        print(f"{name:32} {statistics.median(rates[name]):8.1f} MB/s, ours is "
              f"{statistics.median(ratios[name]):.1f} times as fast")


if __name__ == "__main__":
    main(*sys.argv[1:])
