#!/usr/bin/env python3
"""One line of 100 MB through the text commands: seconds and the most memory that was held.

    one_line.py RNN FILE...

RNN is the built command; the line is made of the files' text, repeated. It is cut off without regard
to characters, so that its end may be no UTF-8 (--replace-invalid).
"""
import os
import subprocess
import sys
import tempfile
import time

SIZE = 100_000_000


def make_line(paths, to):
    text = b" ".join(open(path, "rb").read() for path in paths)
    text = text.replace(b"\n", b" ").replace(b"\r", b" ")
    left = SIZE
    while left > 0:
        part = text[:left]
        to.write(part)
        left -= len(part)
    to.flush()


def main():
    rnn, paths = sys.argv[1], sys.argv[2:]
    with tempfile.NamedTemporaryFile() as line:
        make_line(paths, line)
        for command in (
            "tokenize --unit word",
            "tokenize --unit char",
            "tokenize --unit byte",
            "tokenize --unit icu-word",
            r"tokenize --unit regex --pattern \p{L}+|\p{N}|[^\s]",
            "vocabulary --unit word",
            "normalize --form nfkc --lowercase",
            "segment --by sentence",
            "train-sentencepiece --maximum-lines 200 --output /dev/shm/rnn-one-line.model",
        ):
            start = time.monotonic()
            process = subprocess.Popen(
                [rnn, "text", *command.split(), "--replace-invalid", line.name],
                stdout=subprocess.DEVNULL,
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - start
            print(
                f"{command:36} exit {os.waitstatus_to_exitcode(status)}  {seconds:6.2f} s  "
                f"{usage.ru_maxrss * 1024 / 1e6:6.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
