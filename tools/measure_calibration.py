#!/usr/bin/env python3
"""Measures what `expression-ros calibrate` gains, on many people.

    python tools/measure_calibration.py --data muxspace.zip [--model DIR]

Takes every person with photos of at least two emotions, eight of each, adapts the vote to ten (or
six in ten) of each chosen at random, and reads the person's other photos before and after; four
times per person. Every photo was taken at another time: each is a session of its own. Names are
read from files like Colin_Powell_0001.jpg in a folder per emotion, as in muxspace's
facial_expressions, whose photos of people are from Labeled Faces in the Wild.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from expression_ros.personal.fitting import STRENGTH, fit
from expression_ros.progress import with_progress
from expression_ros.recognition.adapted_vote import ProjectedVote
from expression_ros.recognition.face_preparation import prepare_crop
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.models import load_classifier
from expression_ros.training.data.data_sets import open_data_set

FACES = 10  # of each emotion that are learnt from, or six in ten where there are fewer
FEWEST = 8  # photos of an emotion
MOST = 40  # photos of an emotion that are read
DRAWS = 4
_NEARLY_NOTHING = 1e-6  # what a general mean counts where the person's own are to count alone
SITTINGS = 5  # into which the photos are dealt; one at a time is left out to see whether it helps


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path, help="muxspace.zip or its folder")
    parser.add_argument("--model", default="", help="folder of Fisherfaces (default: shipped)")
    options = parser.parse_args()
    ensemble = load_classifier("fisherfaces", options.model)
    assert isinstance(ensemble, FisherfaceEnsemble)
    vote = ProjectedVote(ensemble)
    people = described_people(options.data, ensemble)
    rows = []  # people x (before, as calibrate does, more voters)
    for vectors, labels in with_progress(people, "calibrating"):
        rows.append(np.mean([errors(vote, vectors, labels, d) for d in range(DRAWS)], axis=0))
    wrong = np.array(rows)
    before = wrong[:, 0].mean()
    print(f"{len(people)} people, wrong before {before:.3f} "
          "(mean of the emotions, photos that nothing was fitted to)")  # fmt: skip
    for column, what in enumerate(("class means moved", "as many voters with own means"), 1):
        after = wrong[:, column].mean()
        worse = int((wrong[:, column] > wrong[:, 0] + 1e-9).sum())
        print(f"{what}: {after:.3f}, {1 - after / before:.0%} fewer; worse for {worse}")
    return 0


def described_people(path: Path, ensemble: FisherfaceEnsemble) -> list[tuple[np.ndarray, ...]]:
    """Return (N, D) vectors and (N,) labels of each person with enough photos."""
    photos = defaultdict(list)
    for image in open_data_set(path).images:
        if image.subject and image.label in ensemble.labels:
            photos[image.subject].append(image)
    rng = np.random.default_rng(0)
    people = []
    for subject in with_progress(sorted(photos), "reading photos"):
        counts = Counter(image.label for image in photos[subject])
        emotions = [label for label in sorted(counts) if counts[label] >= FEWEST]
        if len(emotions) < 2:
            continue
        vectors, labels = [], []
        for emotion in emotions:
            mine = [image for image in photos[subject] if image.label == emotion]
            for number in rng.permutation(len(mine))[:MOST]:
                face = prepare_crop(mine[number].read(), ensemble.face)
                vectors.append(ensemble.descriptor.describe(face).ravel())
                labels.append(emotion)
        people.append((np.stack(vectors), np.array(labels)))
    return people


def errors(
    vote: ProjectedVote, vectors: np.ndarray, labels: np.ndarray, draw: int
) -> tuple[float, float, float]:
    """Return the share of wrong labels before and after both methods, of one draw.

    The methods: the class means moved, as ``calibrate`` does it and only where it would have saved
    it; and as many voters again beside the general ones, with the person's own means alone.
    """
    rng = np.random.default_rng(draw)
    learnt = np.zeros(len(labels), bool)
    for emotion in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == emotion))
        learnt[rows[: min(FACES, int(0.6 * len(rows)))]] = True
    own, names = vectors[learnt], labels[learnt].tolist()
    result = fit(vote, own, names, np.arange(len(own)) % SITTINGS)
    rest, right = vote.project(vectors[~learnt]), labels[~learnt]
    before = _wrong(vote, rest, right, vote.means)
    seen = vote.project(own)
    alone = vote.moved_means(seen, names, _NEARLY_NOTHING)
    weights, vote.weights = vote.weights, np.tile(vote.weights, 2)
    added = _wrong(vote, [*rest, *rest], right, [*vote.means, *alone])
    vote.weights = weights
    if not result.helps:
        return before, before, added
    return before, _wrong(vote, rest, right, vote.moved_means(seen, names, STRENGTH)), added


def _wrong(vote, projected, labels, means) -> float:  # type: ignore[no-untyped-def]
    said = np.array([prediction.label for prediction in vote.predict(projected, means)])
    return float(np.mean([np.mean(said[labels == one] != one) for one in np.unique(labels)]))


if __name__ == "__main__":
    sys.exit(main())
