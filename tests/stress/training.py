"""What the stress scripts share: a small training, and whether two of its models are the same."""
import functools
import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
FABLES = HERE.parent.parent / "corpora" / "fables"


def write_texts(folder, train_lines=120):
    """A few lines of the fables: enough for half a second of training."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in (("train", train_lines), ("valid", 30)):
        text = (FABLES / f"{name}.txt").read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / f"{name}.txt").write_text("".join(text[:lines]), encoding="utf-8")


def train(rnn, texts, model, *more):
    """The words of a command: all that an exact resume has to keep is in use."""
    return [str(rnn), "lm", "train", "--train", str(texts / "train.txt"), "--valid",
            str(texts / "valid.txt"), "--model", str(model), "--unit", "char", "--hidden", "24",
            "--layers", "2", "--dropout", "0.2", "--batch", "4", "--bptt", "20", "--epochs", "3",
            "--lr", "0.01", "--schedule", "cosine", "--random-bptt", "--averaging", "ema", *more]


def run(words, **options):
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


def must_run(words, **options):
    result = run(words, **options)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(words)}\nended with {result.returncode}:\n{result.stderr}")
    return result


def history(model):
    """history.csv without the columns that tell the time."""
    rows = [line.split(",") for line in (model / "history.csv").read_text().splitlines()]
    timed = {i for i, name in enumerate(rows[0]) if "seconds" in name or "per_second" in name}
    return [[cell for i, cell in enumerate(row) if i not in timed] for row in rows]


def generated(rnn, model):
    return must_run([str(rnn), "lm", "generate", "--model", str(model), "--prompt", "The ",
                     "--length", "200", "--seed", "3", "--threads", "1"]).stdout


@functools.cache
def expected(rnn, whole):
    """What is compared with again and again."""
    return generated(rnn, whole)


def differences(rnn, model, whole):
    """Names of what is not the same, bit for bit, in two models."""
    found = [name for name in ("model.safetensors", "config.json", "vocabulary.txt")
             if (model / name).read_bytes() != (whole / name).read_bytes()]
    if history(model) != history(whole):
        found.append("history.csv")
    if generated(rnn, model) != expected(rnn, whole):
        found.append("generated text")
    return found


def resident(pid):
    """Bytes of memory that a process holds."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
