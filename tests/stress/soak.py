#!/usr/bin/env python3
"""Trains and serves for long, and watches the memory that both hold.

  tests/stress/soak.py RNN CLASSIFIER FOLDER [SECONDS]

A language model is trained, with a checkpoint every few steps, for as long as there is time; beside
it `rnn classify serve` answers a client after another, some of which ask for nonsense, hang up in the
middle of a request or half-close. Memory is looked at every second. After the first quarter (the
first numbers are of caches that fill) neither may grow by more than 5 % and 4 MB until the last
quarter, and neither process may say anything that looks like a fault. Ends with 1 otherwise.
Standard library only.
"""
import json
import pathlib
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

import training

TEXTS = ["The soup was cold.", "", "Could we have another blanket, please? " * 40, "\u00e9\U0001F600"]
PAUSE = 0.02  # seconds between requests: this is about long, not about much


def start(words, errors):
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True)


def http(method, path, body=b"", kind="application/json"):
    return (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n").encode() + body


def one_client(port):
    """The status that it got; None for those who do not wait for one."""
    text = {"text": random.choice(TEXTS)}
    kind = random.random()
    data, half = b"", False
    if kind < 0.5:
        data = http("POST", "/v1/predict", json.dumps(text).encode())
    elif kind < 0.6:
        data = http("POST", "/v1/explain", json.dumps(text).encode())
    elif kind < 0.7:
        data, half = http("POST", "/v1/predict", json.dumps(text).encode()), True
    elif kind < 0.8:
        data = http("GET", random.choice(["/", "/metrics", "/nothing", "/v1/model"]))
    elif kind < 0.9:
        data = http("POST", "/v1/predict", random.randbytes(300))
    else:
        data = http("POST", "/v1/predict", json.dumps(text).encode())
        data = data[:random.randrange(len(data))]
    with socket.create_connection(("127.0.0.1", port), timeout=600) as client:
        client.sendall(data)
        if kind >= 0.9:
            return None
        if half:
            client.shutdown(socket.SHUT_WR)
        answer = b""
        while part := client.recv(65536):
            answer += part
    return int(answer.split(b" ", 2)[1])


def growth(samples):
    """Medians of the second and of the last quarter, in MB."""
    quarter = len(samples) // 4
    early = statistics.median(samples[quarter:2 * quarter]) / 1e6
    late = statistics.median(samples[-quarter:]) / 1e6
    return early, late, late - early > max(4, 0.05 * early)


def watch(processes, port, seconds, served, samples):
    """Asks the server again and again and looks at the processes; ends early when one has ended."""
    looked = time.monotonic()
    end = looked + seconds
    while time.monotonic() < end:
        if (status := one_client(port)) is not None:
            served[status // 100] += 1
        if time.monotonic() >= looked + 1:
            looked = time.monotonic()
            if any(process.poll() is not None for process in processes.values()):
                return
            for name, process in processes.items():
                samples[name].append(training.resident(process.pid))
        time.sleep(PAUSE)


def main():
    rnn, classifier, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 60
    random.seed(1)
    shutil.rmtree(folder, ignore_errors=True)
    training.write_texts(folder, train_lines=2000)  # few epochs: the history is meant to grow
    served = {2: 0, 4: 0, 5: 0}
    samples = {"training": [], "server": []}
    with open(folder / "training.log", "w", encoding="utf-8") as training_log, \
            open(folder / "server.log", "w", encoding="utf-8") as server_log:
        words = [word if word != "3" else "1000000"
                 for word in training.train(rnn, folder, folder / "model", "--threads", "1",
                                            "--checkpoint-steps", "50")]
        # A sanitizer's explanation of a long text takes longer than a user would wait.
        server = start([rnn, "classify", "serve", "--model", classifier, "--port", "0", "--threads",
                        "1", "--answer-timeout", "300"], server_log)
        port = int(server.stdout.readline().rstrip("/\n").rsplit(":", 1)[1])
        trained = start(words, training_log)
        processes = {"training": trained, "server": server}
        try:
            watch(processes, port, seconds, served, samples)
        finally:
            for process in processes.values():
                process.terminate()
            codes = {name: process.wait(timeout=600) for name, process in processes.items()}
    good = all(code == 0 for code in codes.values()) and served[5] == 0
    epochs = len(training.history(folder / "model")) - 1
    print(f"{seconds:.0f} seconds: {epochs} epochs; {served[2]} answers, {served[4]} refusals, "
          f"{served[5]} failures; exit codes {codes}")
    for name, values in samples.items():
        early, late, grows = growth(values)
        good &= not grows
        print(f"{name}: {early:.1f} MB in the second quarter, {late:.1f} MB in the last")
    for name in samples:
        text = (folder / f"{name}.log").read_text(encoding="utf-8")
        if fault := re.search(r".*(Sanitizer|runtime error|unexpected failure).*", text):
            print(f"the {name} says: {fault[0]}")
            good = False
    return 0 if good else 1


sys.exit(main())
