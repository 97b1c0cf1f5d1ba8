#!/usr/bin/env python3
"""Fills the disk under a training that writes checkpoints, on a small tmpfs (as root).

  tests/stress/disk_full.py RNN FOLDER [TIMES]

Each time the training must end with code 1 and a message that names the checkpoint, the full disk and
what to go on from; the checkpoint that was there and the model must be whole, nothing may be left
under a temporary name; after space is freed --resume must lead to the model, history and text of an
undisturbed training, bit for bit. Ends with 1 when one of these does not hold. Standard library only.
"""
import errno
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

import training

SIZE = 4 << 20


def fill(folder, room):
    """Takes all but about `room` bytes of the disk."""
    with open(folder / "filler", "wb") as file:
        while True:
            status = os.statvfs(folder)
            size = max(1, status.f_bavail * status.f_frsize - room)
            try:
                return os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:  # the training was faster
                if error.errno != errno.ENOSPC or size == 1:
                    raise


def size_of(checkpoint):
    """Bytes. Between the two renames of a new one, the one before it is there under its other name."""
    try:
        return checkpoint.stat().st_size
    except FileNotFoundError:
        return os.stat(f"{checkpoint}.previous").st_size


def attempt(rnn, folder, disk, whole):
    """Says what is wrong; None when all is well."""
    model = disk / "model"
    checkpoint = model / "checkpoint" / "checkpoint.safetensors"
    shutil.rmtree(model, ignore_errors=True)  # what is waited for is of this training
    words = training.train(rnn, folder, model, "--checkpoint-steps", "1", "--threads", "1")
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as process:
        # Some in the first epoch, with a checkpoint and no model yet; some later.
        wanted = random.choice([checkpoint, model / "model.safetensors"])
        while not wanted.exists() and process.poll() is None:
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.05))
        fill(disk, random.randrange(size_of(checkpoint)))
        errors = process.stderr.read()
        process.wait()
    last = errors.splitlines()[-1] if errors else ""
    if process.returncode == 0:  # it had written all before the disk was full
        (disk / "filler").unlink()
        return attempt(rnn, folder, disk, whole)
    if process.returncode != 1:
        return f"it ended with {process.returncode}: {last}"
    if "No space left on device" not in last or str(model) not in last:
        return f"its last words were: {last}"
    # A file of the model or the checkpoint; before the first step there is nothing to go on from.
    named = ["training can go on from there", "safetensors is of step"]
    if f"{model}/" in last and not any(words in last for words in named):
        return f"its last words were: {last}"
    left = [str(path) for path in model.rglob("*") if ".tmp-" in path.name or ".new" in path.name]
    if left:
        return f"it left {left}"
    if (model / "model.safetensors").exists():
        training.must_run([rnn, "lm", "eval", "--model", str(model), "--text",
                           str(folder / "valid.txt"), "--threads", "1"])
    before = checkpoint.read_bytes()
    # Without space it ends again, and changes nothing.
    again = training.run([*words, "--resume"])
    if again.returncode != 1 or "No space left on device" not in again.stderr:
        return f"tried again, it ended with {again.returncode}: {again.stderr[-300:]}"
    if "starting from the beginning" in again.stderr or not checkpoint.read_bytes():
        return f"the checkpoint was lost: {again.stderr[-300:]}"
    if before != checkpoint.read_bytes():
        return "the checkpoint was damaged"
    (disk / "filler").unlink()
    resumed = training.must_run([*words, "--resume"])
    if "checkpoint before it" in resumed.stderr:
        return f"the newest checkpoint was damaged: {resumed.stderr}"
    if found := training.differences(rnn, model, whole):
        return f"these differ at the end: {', '.join(found)}"
    return None


def main():
    rnn, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    times = int(sys.argv[3]) if len(sys.argv) > 3 else 30
    random.seed(1)
    shutil.rmtree(folder, ignore_errors=True)
    training.write_texts(folder)
    whole, disk = folder / "whole", folder / "disk"
    training.must_run(training.train(rnn, folder, whole, "--threads", "1"))
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)], check=True)
    try:
        for number in range(1, times + 1):
            if fault := attempt(rnn, folder, disk, whole):
                print(f"time {number}: {fault}")
                return 1
            (disk / "filler").unlink(missing_ok=True)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    print(f"{times} full disks: each time a clear message, a whole checkpoint and model, and after "
          "space was freed the model, history and text of the undisturbed training")
    return 0


sys.exit(main())
