#!/usr/bin/env python3
"""Loses the power during a training again and again, and looks at what a disk may hold then.

  tests/stress/power_loss.py RNN SHIM FOLDER [LOSSES]

SHIM is unflushed.cc as a shared library: it writes down what the training does to its files and ends
it at a random operation. Then the folder is made what it may be after the power is back: of what was
written to a file since its last flush any part may be missing, torn, or zeros; of what was created,
renamed or removed in a folder since that one's last flush any part may not have happened. Required:
whenever a model was whole before, one loads afterwards; every --resume works; whenever the training
gets to its end, model, history and text are those of an undisturbed one, bit for bit.

At last the same is done with flushes that do nothing: damage must be found then, or this script would
find none where there is some. Ends with 1 when something of this does not hold. Standard library
only.
"""
import os
import pathlib
import random
import shutil
import sys

import training


class Inode:
    """A file: what the disk has of it for sure, and what was written since."""

    def __init__(self, durable=b""):
        self.durable = durable
        self.current = durable
        self.writes = []  # (offset, bytes) since the last flush

    def write(self, data):
        self.writes.append((len(self.current), data))
        self.current += data

    def flush(self):
        self.durable, self.writes = self.current, []

    def after_loss(self):
        content = bytearray(self.durable)
        for offset, data in self.writes:
            fate = random.choice(["kept", "dropped", "torn", "zeros"])
            if fate == "dropped":
                continue
            part = data[:random.randrange(len(data) + 1)] if fate == "torn" else data
            if fate == "zeros":
                part = bytes(len(data))
            content.extend(bytes(max(0, offset + len(part) - len(content))))
            content[offset:offset + len(part)] = part
        return bytes(content)


class Disk:
    """A folder with all below it, as a log of operations leaves it."""

    def __init__(self, root, flushes):
        self.root = root
        self.flushes = flushes  # whether they do anything
        self.now, self.durable, self.pending = {}, {}, []  # name -> Inode, None for a folder
        for path in sorted(root.rglob("*")):
            self.now[str(path)] = None if path.is_dir() else Inode(path.read_bytes())
        self.durable = dict(self.now)

    @staticmethod
    def apply(names, change):
        kind, path, other = change
        if kind == "set":
            names[path] = other
        elif kind == "rename" and path in names:
            names[other] = names.pop(path)
        elif kind == "remove":
            names.pop(path, None)

    def change(self, *change):
        self.apply(self.now, change)
        self.pending.append(change)

    def play(self, log):
        for line in log.read_text().splitlines():
            kind, path, *rest = line.split(" ")
            if kind == "create":
                self.change("set", path, Inode())
            elif kind == "folder":
                self.change("set", path, None)
            elif kind == "write":
                self.now[path].write(bytes.fromhex(rest[0]) if rest[0] else b"")
            elif kind == "rename":
                self.change("rename", path, rest[0])
            elif kind == "remove":
                self.change("remove", path, None)
            elif kind == "flush" and self.flushes:
                if self.now.get(path) is not None:
                    self.now[path].flush()
                else:  # a folder, perhaps the root
                    for change in [c for c in self.pending if os.path.dirname(c[1]) == path]:
                        self.apply(self.durable, change)
                        self.pending.remove(change)

    def lose_power(self):
        """Writes what the disk may hold. Changes of names that happen keep their order."""
        names = dict(self.durable)
        for change in self.pending:
            if random.random() < 0.5:
                self.apply(names, change)
        shutil.rmtree(self.root)
        self.root.mkdir()
        for path, inode in sorted(names.items()):
            parents = [str(p) for p in pathlib.Path(path).parents]
            if any(p not in names for p in parents if p.startswith(str(self.root) + "/")):
                continue  # in a folder that is not there
            if inode is None:
                os.mkdir(path)
            else:
                pathlib.Path(path).write_bytes(inode.after_loss())
        return len(self.pending) + sum(len(i.writes) for i in self.now.values() if i)


def holds_model(rnn, folder, model):
    return training.run([rnn, "lm", "eval", "--model", str(model), "--text",
                         str(folder / "valid.txt"), "--threads", "1"])


def lose(rnn, shim, folder, whole, losses, flushes):
    """Counts, and a list of what went wrong."""
    disk, log = folder / "disk", folder / "log"
    top = disk / "runs"  # made by the training, as are those below
    model = top / "first" / "model"
    faults, ends, unflushed, fallbacks, models = [], 0, 0, 0, 0
    operations = None
    shutil.rmtree(disk, ignore_errors=True)
    disk.mkdir()
    done = had_model = 0
    while done < losses and len(faults) < 5:
        words = training.train(rnn, folder, f"{model}/", "--resume", "--checkpoint-steps", "20",
                               "--threads", str(random.choice([1, 2, 3])))
        log.unlink(missing_ok=True)
        state = Disk(disk, flushes)
        limit = 10**9 if operations is None else random.randrange(operations)
        environment = {**os.environ, "LD_PRELOAD": str(shim), "RNN_STRESS_ROOT": str(disk),
                       "RNN_STRESS_LOG": str(log), "RNN_STRESS_OPS": str(limit)}
        result = training.run(words, env=environment)
        fallbacks += "checkpoint before it" in result.stderr
        if result.returncode not in (0, -9):
            faults.append(f"a resume failed: {result.stderr.splitlines()[-1]}")
            shutil.rmtree(disk)
            disk.mkdir()
            had_model = False
            continue
        if operations is None:
            operations = len(log.read_text().splitlines())
        if result.returncode == 0:
            ends += 1
            if found := training.differences(rnn, model, whole):
                faults.append(f"these differ at the end: {', '.join(found)}")
            shutil.rmtree(top)
            had_model = False
            continue
        done += 1
        if log.exists():
            state.play(log)
        was_whole = any(os.path.basename(p) == "SHA256SUMS" for p in state.durable)
        unflushed += state.lose_power() > 0
        had_model = had_model or was_whole
        if had_model:
            models += 1
            if (looked := holds_model(rnn, folder, model)).returncode != 0:
                faults.append(f"no model: {looked.stderr.splitlines()[-1]}")
                shutil.rmtree(disk)
                disk.mkdir()
                had_model = False
    return (f"{done} losses ({unflushed} with something not flushed, {models} with a model there): "
            f"{ends} trainings got to their end, {fallbacks} resumed from the checkpoint before"), \
        faults


def main():
    rnn, shim, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]).resolve()
    losses = int(sys.argv[4]) if len(sys.argv) > 4 else 200
    random.seed(1)
    shutil.rmtree(folder, ignore_errors=True)
    training.write_texts(folder)
    whole = folder / "whole"
    training.must_run(training.train(rnn, folder, whole, "--threads", "1"))
    counts, faults = lose(rnn, shim, folder, whole, losses, flushes=True)
    print(counts)
    for fault in faults:
        print(fault)
    _, control = lose(rnn, shim, folder, whole, losses, flushes=False)
    print(f"where flushes do nothing, {len(control)} faults are found"
          + (f", such as: {control[0]}" if control else ""))
    return 1 if faults or not control else 0


sys.exit(main())
