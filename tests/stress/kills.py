#!/usr/bin/env python3
"""Kills a training again and again, and compares what comes out with one that nobody disturbed.

  tests/stress/kills.py RNN FOLDER [KILLS]

SIGKILL at random moments, half of them as soon as a file is seen being written; each time the
training is taken up with --resume and another number of threads. Whenever it gets to its end, model,
history and generated text must be those of the undisturbed one bit for bit, and it begins anew.
Ends with 1 when a resume fails, a model differs, or of 50 kills or more none was inside a write.
Standard library only.
"""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

import training


def being_written(model):
    """Names of files that are not in their places yet."""
    return {entry.name for folder in (model, model / "checkpoint") if folder.is_dir()
            for entry in os.scandir(folder) if ".tmp-" in entry.name or entry.name.endswith(".new")}


def kill_during(process, model, longest, in_a_write, left):
    """True when it was killed, False when it ended before. `left`: what an earlier kill did."""
    end = time.monotonic() + random.uniform(0, longest)
    while time.monotonic() < end and process.poll() is None:
        time.sleep(0.0005)
    while in_a_write and process.poll() is None and not being_written(model) - left:
        pass
    process.kill()
    process.wait()
    return process.returncode == -9


def main():
    rnn, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    wanted = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    random.seed(1)
    shutil.rmtree(folder, ignore_errors=True)
    training.write_texts(folder)
    whole, model = folder / "whole", folder / "killed"
    training.must_run(training.train(rnn, folder, whole, "--threads", "1"))

    def words():
        return training.train(rnn, folder, model, "--resume", "--checkpoint-steps", "3", "--threads",
                              str(random.choice([1, 2, 3])))

    start = time.monotonic()
    training.must_run(words())
    longest = time.monotonic() - start
    shutil.rmtree(model)

    kills = in_writes = before = ends = fallbacks = without_newest = 0
    checkpoint = model / "checkpoint" / "checkpoint.safetensors"
    while True:
        left = being_written(model)
        with subprocess.Popen(words(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True) as process:
            if kills < wanted and kill_during(process, model, longest, kills % 2 == 1, left):
                kills += 1
                before += not checkpoint.exists()
                in_writes += bool(being_written(model) - left)
                without_newest += not checkpoint.exists() and pathlib.Path(
                    f"{checkpoint}.previous").exists()
                continue
            errors = process.stderr.read()
            process.wait()
            if process.returncode != 0:
                print(f"after {kills} kills a resume failed:\n{errors}")
                return 1
            fallbacks += "checkpoint before it" in errors
        if found := training.differences(rnn, model, whole):
            print(f"after {kills} kills these differ: {', '.join(found)}")
            return 1
        ends += 1
        if kills >= wanted:
            break
        shutil.rmtree(model)
    if kills >= 50 and in_writes == 0:
        print(f"none of {kills} kills was inside a write: this has not tested what it is for")
        return 1
    print(f"{kills} kills, {in_writes} of them inside a write, {before} before a checkpoint, "
          f"{without_newest} between the two renames: {ends} trainings got to their end, each with "
          "the model, history and text of the undisturbed one")
    return 0


sys.exit(main())
