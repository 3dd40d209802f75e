#!/usr/bin/env python3
"""Trains every classifier on the same faces, measures all alike, writes docs/models.md.

    python tools/compare_classifiers.py --data FOLDER

FOLDER holds fer2013.npz (or Kaggle's fer2013.csv) and london.zip. Each classifier is trained and
measured by the commands that anybody would use, ``expression-ros train`` and ``evaluate``; models
and figures stay in .cache/models, so that a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "models"
PAGE = ROOT / "docs" / "models.md"
NETWORK = ROOT / "models" / "embedding" / "embedding.onnx"


@dataclass(frozen=True)
class Entry:
    """One row of the table.

    Attributes:
        name: of its folder in the cache.
        classifier: as in the parameter ``classifier``.
        what: how it differs from the other rows.
        train: arguments of ``expression-ros train CLASSIFIER``.
        needs: modules without which it cannot be trained.
        shipped: it is the model in models/, which is not trained again.
    """

    name: str
    classifier: str
    what: str
    train: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    shipped: bool = False


def fisherfaces(name: str, what: str, *train: str) -> Entry:
    return Entry(f"fisherfaces_{name}", "fisherfaces", what, train)


ON_NETWORK = ("--descriptor", "embedding", "--network", str(NETWORK))
ENTRIES = (
    Entry("shipped", "fisherfaces", "**ten, on `embedding`, taught by people's votes: the shipped "
          "model**", shipped=True),
    fisherfaces("single_labels", "ten, bagged, on `embedding`, by single labels, `--favour "
                "happiness=2`", *ON_NETWORK, "--favour", "happiness=2"),
    fisherfaces("even_handed", "the same without `--favour happiness=2`", *ON_NETWORK),
    fisherfaces("single", "one alone, on `embedding`", *ON_NETWORK,
                "--members", "1", "--feature-share", "1"),
    fisherfaces("boosted", "ten, boosted (SAMME), on `embedding`", *ON_NETWORK,
                "--ensemble", "boosted", "--feature-share", "1"),
    fisherfaces("opencv", "ten by OpenCV's own trainer, 1,200 faces each, on `embedding`",
                *ON_NETWORK, "--ensemble", "opencv"),
    fisherfaces("hog", "ten, bagged, on `hog`", "--descriptor", "hog", "--components", "1600"),
    fisherfaces("hog_boosted", "ten, boosted (SAMME), on `hog`", "--descriptor", "hog",
                "--components", "1600", "--ensemble", "boosted", "--feature-share", "1"),
    fisherfaces("pixels", "ten, bagged, on `pixels`", "--descriptor", "pixels",
                "--components", "300"),
    fisherfaces("pixels_boosted", "ten, boosted (SAMME), on `pixels`", "--descriptor", "pixels",
                "--components", "300", "--ensemble", "boosted", "--feature-share", "1"),
    fisherfaces("pixels_opencv", "ten by OpenCV's own trainer, 700 faces each, on `pixels`, as in "
                "the tutorials", "--descriptor", "pixels", "--ensemble", "opencv",
                "--images", "700"),
    Entry("cnn", "cnn", "the label head of the network behind `embedding`",
          ("--from-embedding", str(NETWORK))),
    Entry("svm_embedding", "svm", "RBF, on `embedding`, 10,000 faces",
          (*ON_NETWORK, "--kernel", "rbf", "--limit", "10000")),
    Entry("svm_hog", "svm", "RBF, on `hog`, 10,000 faces", ("--kernel", "rbf", "--limit", "10000")),
    Entry("svm_hog_linear", "svm", "linear, on `hog`", ("--kernel", "linear",)),
    Entry("svm_pixels", "svm", "RBF, on `pixels`, 10,000 faces",
          ("--kernel", "rbf", "--descriptor", "pixels", "--limit", "10000")),
    Entry("svm_pixels_linear", "svm", "linear, on `pixels`",
          ("--kernel", "linear", "--descriptor", "pixels")),
    Entry("knn_hog", "knn", "15 neighbours, on `hog`"),
    Entry("knn_pixels", "knn", "15 neighbours, on `pixels`", ("--descriptor", "pixels")),
    Entry("mlp_hog", "mlp", "on `hog`"),
    Entry("mlp_pixels", "mlp", "on `pixels`", ("--descriptor", "pixels")),
    Entry("landmarks", "landmarks", "linear SVM on dlib's 68 points",
          needs=("dlib", "face_recognition_models")),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[e.name for e in ENTRIES],
                        help="train and measure these only; no page is written")  # fmt: skip
    options = parser.parse_args()
    faces = next((options.data / name for name in ("fer2013.npz", "fer2013.csv")
                  if (options.data / name).is_file()), None)  # fmt: skip
    if faces is None:
        print(f"no fer2013.npz or fer2013.csv in {options.data}", file=sys.stderr)
        return 2
    portraits, votes = options.data / "london.zip", options.data / "ferplus_votes.npz"
    rows: list[tuple[Entry, dict[str, Any]]] = []
    for entry in ENTRIES:
        if options.only and entry.name not in options.only:
            continue
        if missing := [name for name in entry.needs if not importlib.util.find_spec(name)]:
            print(f"{entry.name}: left out, {', '.join(missing)} not installed", flush=True)
            continue
        rows.append((entry, measured(entry, faces, portraits, votes)))
    if not options.only:
        PAGE.write_text(page(rows), encoding="utf-8")
        print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


def measured(entry: Entry, faces: Path, portraits: Path, votes: Path) -> dict[str, Any]:
    """Return the figures of an entry, trained and measured unless that was done before."""
    folder = ROOT / "models" / "fisherfaces" if entry.shipped else CACHE / entry.name
    record = CACHE / f"{entry.name}.json"
    key = fingerprint(entry, faces)
    if record.is_file():
        known = json.loads(record.read_text())
        if known["key"] == key and folder.is_dir():
            return known
    print(f"{entry.name}: {entry.what}", flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    seconds = 0.0
    if not entry.shipped:
        shutil.rmtree(folder, ignore_errors=True)
        begin = time.monotonic()
        run("train", entry.classifier, "--data", faces, "--output", folder, *entry.train)
        seconds = time.monotonic() - begin
    figures = {"key": key, "train_s": seconds, "bytes": size_of(folder),
               "test": evaluated(entry, folder, faces, votes)}  # fmt: skip
    if portraits.is_file():
        figures["portraits"] = evaluated(entry, folder, portraits)
    record.write_text(json.dumps(figures))
    print(f"  accuracy {figures['test']['accuracy']:.3f}", flush=True)
    return figures


def evaluated(entry: Entry, folder: Path, data: Path, votes: Path | None = None) -> dict[str, Any]:
    report = CACHE / f"{entry.name}.evaluation.json"
    asked = ("--votes", votes) if votes is not None and votes.is_file() else ()
    run("evaluate", "--data", data, "--classifier", entry.classifier, "--model", folder,
        "--json", report, *asked)  # fmt: skip
    figures = json.loads(report.read_text())
    report.unlink()
    return figures


def run(*arguments: object) -> None:
    command = [sys.executable, "-m", "expression_ros.cli", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr.strip().splitlines()[-1]}")


def fingerprint(entry: Entry, faces: Path) -> str:
    """Return what a known figure depends on: arguments, data, and the models they stand on."""
    text = f"{entry.classifier} {entry.train} {faces.name} {faces.stat().st_size}"
    text = text.replace(str(ROOT), "")
    parts = [text.encode()]
    if str(NETWORK) in entry.train or entry.shipped:
        parts.append(NETWORK.read_bytes())
    if entry.shipped:
        parts.append((ROOT / "models" / "fisherfaces" / "manifest.yaml").read_bytes())
    return hashlib.sha256(b"".join(parts)).hexdigest()


def size_of(folder: Path) -> int:
    """Return the bytes of a model, the network it stands on included."""
    manifest = folder / "manifest.yaml"
    total = sum(path.stat().st_size for path in folder.iterdir() if path.name != "README.md")
    if manifest.is_file() and NETWORK.name in manifest.read_text():
        total += NETWORK.stat().st_size
    return total


def page(rows: list[tuple[Entry, dict[str, Any]]]) -> str:
    """Return docs/models.md."""
    test = rows[0][1]["test"]
    lines = [HEAD.format(test=test["n"])]
    for entry, figures in rows:
        score = figures["test"]
        latency = score["latency_ms"]
        portraits = figures.get("portraits", {}).get("per_class", {})
        recalls = [f"{portraits[k]['recall']:.2f}" if k in portraits else ""
                   for k in ("neutral", "happiness")]  # fmt: skip
        people = score.get("people", {})
        seen = [f"{people[key]:.3f}" if key in people else ""
                for key in ("majority", "one_person", "coverage_95")]  # fmt: skip
        lines.append(
            f"| `{entry.classifier}` | {entry.what} | {' | '.join(seen)} | "
            f"{score['accuracy']:.3f} | {score['macro_f1']:.3f} | {score['ece']:.3f} | "
            f"{recalls[0]} | {recalls[1]} | "
            f"{latency['median']:.1f} | {figures['bytes'] / 1e6:.1f} | {minutes(figures)} |"
        )
    return "\n".join([*lines, TAIL.format(cores=os.cpu_count())])


def minutes(figures: dict[str, Any]) -> str:
    return f"{figures['train_s'] / 60:.1f}" if figures["train_s"] else ""


HEAD = """\
# The classifiers side by side

Written by `python tools/compare_classifiers.py --data FOLDER` (the last step of `make models`); do
not edit by hand. All were trained on FER2013's training split and judged on its public test without
the pixel copies of training images ({test:,} faces), and on the portraits of the Face Research Lab
London Set (DeBruine and Jones, 2017; 102 neutral, 102 smiling), which no model here has seen and
whose faces the four cascades find. Settings are the commands' defaults but for what a row says.

| classifier | | most people | one person | at 95 % right | accuracy | macro F1 | \
calibration error | London neutral | London smiling | ms a face | MB | min. of training |
|---|---|---|---|---|---|---|---|---|---|---|---|---|"""

TAIL = """
The first three figures are by the ten people whom FER+ asked about each face of the public test:
the share of the faces on which most of them agree that is read as they do, how often one person
drawn at random would say the same (a second person: 0.682; the best possible: 0.793), and the share
of faces that can be answered with 95 of 100 right. They are the ones to choose by:
[evaluation.md](evaluation.md) says why. Rows without them were measured before votes were at hand,
and by one look; the first row by two (face and mirror image).

The rest is by FER2013's single labels. Accuracy, macro F1 and expected calibration error (15 bins)
are those of the public test; London, the share of neutral and of smiling portraits that are called
so, out of all labels. Milliseconds are the median for describing and classifying one face, the
megabytes include the network that a descriptor needs, the minutes do not include training that
network. Times were measured on {cores} cores that did other work as well: compare them with each
other, not with your machine.

What the rows say:

* By the labels of a web search the shipped model is worse than its predecessor, and by people's
  eyes it halves the errors: of the faces that most people see as neutral the one taught by single
  labels calls half something else.
* Ten Fisherfaces on a descriptor of a network are as good as the network's own answer, and their
  score is right as often as it says. On pixels, as in the tutorials, nothing helps much.
* Boosting makes it worse: Fisherfaces are strong, stable learners and FER2013's labels noisy, so
  that every further member learns mainly the wrong labels. Bagging costs nothing and lets the votes
  differ.
* OpenCV's own trainer keeps as many principal components as there are faces less classes: of
  pixels it learns its few hundred faces by heart. A descriptor of 256 numbers leaves little to
  learn by heart, and there its vote comes near ours, at seven times the time a face, because it
  compares with every training face instead of with the means.
* The many smiles with closed lips of the London Set are often missed by all. Favouring happiness a
  little finds some more of them ([training.md](training.md) has the price).

## What others report

Figures of tutorials and papers, on other splits and sometimes easier subsets; they were not
measured here.

| method | figure | data |
|---|---|---|
| linear SVM on pixels, tutorials | 0.35 | FER2013 |
| RBF SVM on pixels, tutorials | 0.44 | FER2013 |
| k nearest neighbours on pixels, tutorials | 0.41 | FER2013 |
| k nearest neighbours and MLP, tutorials | about 0.50 | five balanced classes, 20,000 images |
| three convolution blocks and three dense layers (`cnn --network blocks`) | 0.66 | FER2013 |
| winner of the challenge (Tang, 2013: convolutions, then an SVM) | 0.71 | FER2013, private test |
| people (Goodfellow et al., 2013) | 0.65, give or take 0.05 | FER2013 |

`cnn --network blocks` was not trained for this page: it takes about a day on two cores
(`expression-ros train cnn --network blocks`). `--network compact` takes about an hour.
`mobilenetv2` and `vgg16` are missing too: they start from a weight file of yours (`--weights`).
"""

if __name__ == "__main__":
    sys.exit(main())
