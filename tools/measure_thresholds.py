#!/usr/bin/env python3
"""Measures whether a threshold for each label says more than one threshold for all.

    python tools/measure_thresholds.py --data fer2013.npz --votes ferplus_votes.npz

Both are chosen as the training command chooses min_confidence: the least score from which on nine
of ten answers on the faces that the network did not see are right by what most people see; once for
all answers, once for those of each label (a label that never gets there keeps silent). They are
compared on FER2013's public test: of all faces how many get an answer, and how many of the answers
are right. Scores that are as often right as they say leave nothing to gain: to answer whatever is
likelier right first is the best order, whatever its label.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.resources import models_path
from expression_ros.training.data.data_sets import load_split_faces
from expression_ros.training.data.faces import (
    LIST_NAME,
    FaceSet,
    describe_faces,
    held_out_mask,
    prepare_faces,
)
from expression_ros.training.evaluation.model_card import RIGHT_ENOUGH
from expression_ros.training.fisherfaces.calibration import trustworthy_score
from expression_ros.training.fisherfaces.settings import VOTES
from expression_ros.training.fisherfaces.training_set import truth_of

NEVER = 1.01


class Answers(NamedTuple):
    """What a model answers about N faces: labels, scores, and whether it is right."""

    labels: np.ndarray
    scores: np.ndarray
    right: np.ndarray


def answers(ensemble: FisherfaceEnsemble, faces: FaceSet) -> Answers:
    judged, truth = truth_of(faces, VOTES, ensemble.labels)
    vectors = describe_faces(prepare_faces(judged.images, ensemble.face), ensemble.descriptor)
    said = [ensemble.predict_descriptor(vector[None]) for vector in vectors]
    labels = np.array([one.label for one in said])
    return Answers(labels, np.array([one.score for one in said]), labels == truth)


def row(name: str, limits: dict[str, float], test: Answers) -> str:
    said = test.scores >= np.array([limits[label] for label in test.labels])
    cells = [f"{limit:.2f}: {said[test.labels == label].mean():.2f}"
             for label, limit in limits.items()]  # fmt: skip
    return f"| {name} | {said.mean():.3f} | {test.right[said].mean():.3f} | {' | '.join(cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--votes", type=Path, required=True)
    options = parser.parse_args()
    known, public = load_split_faces(options.data, votes=options.votes)
    held_out = held_out_mask(models_path("embedding") / LIST_NAME, known.images)
    ensemble = FisherfaceEnsemble.load(models_path("fisherfaces"))
    seen, test = answers(ensemble, known.take(held_out)), answers(ensemble, public)
    one = trustworthy_score(seen.scores, seen.right, RIGHT_ENOUGH)
    own = {}
    for label in ensemble.labels:
        of_it = seen.labels == label
        limit = trustworthy_score(seen.scores[of_it], seen.right[of_it], RIGHT_ENOUGH)
        own[label] = NEVER if limit is None else limit
    print(f"| thresholds | said | of these right | {' | '.join(own)} |")
    print("|---" * (3 + len(own)) + "|")
    assert one is not None
    for limit in sorted({0.5, 0.55, one, 0.65, 0.7}):
        name = "one for all (min_confidence)" if limit == one else "one for all"
        print(row(name, dict.fromkeys(own, limit), test))
    print(row("each label's own", own, test))
    return 0


if __name__ == "__main__":
    sys.exit(main())
