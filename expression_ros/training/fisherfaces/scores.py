"""How trained Fisherfaces do on test faces and portraits, for their model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from expression_ros.parameters.choices import EVERYDAY, POSED
from expression_ros.progress import with_progress
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.mirrored_views import agreed, read_both_ways
from expression_ros.training.data.faces import FaceSet, describe_faces, prepare_faces
from expression_ros.training.data.image_archives import Portrait, portraits_of
from expression_ros.training.data.people_votes import known_or_none
from expression_ros.training.evaluation.metrics import evaluate, people_figures
from expression_ros.training.evaluation.model_card import FaceScores, PortraitScore
from expression_ros.training.evaluation.people_groups import GroupTable, group_figures
from expression_ros.training.fisherfaces.lessons import seen_by_most
from expression_ros.vocabulary import EMOTIONS


def scores_on_faces(ensemble: FisherfaceEnsemble, faces: FaceSet) -> FaceScores:
    """Return how the vote and each member do on cropped faces, by labels and by people."""
    prepared = prepare_faces(faces.images, ensemble.face)
    vectors = describe_faces(prepared, ensemble.descriptor)
    said = predict_both_ways(ensemble, prepared, vectors)
    names = np.array(ensemble.labels)
    alone = np.array([names[ensemble.ballot(vector[None]).choices]
                      for vector in with_progress(vectors, "asking every member")])  # fmt: skip
    by_people = people = None
    if faces.votes is not None:
        seen = seen_by_most(faces)
        which = np.flatnonzero(np.isin(seen, names))
        votes = [known_or_none(row) for row in faces.votes]
        scores = np.array([p.score for p in said])
        people = people_figures(votes, [p.label for p in said], scores, ensemble.labels)
        if people is not None:
            by_people = _scores([said[k] for k in which], alone[which], seen[which], ensemble)
    plain = _scores(said, alone, faces.labels, ensemble)
    return FaceScores(plain.vote, plain.member_accuracies, plain.scores, plain.right,
                      by_people, people)  # fmt: skip


def predict_both_ways(
    ensemble: FisherfaceEnsemble, prepared: np.ndarray, vectors: np.ndarray | None = None
) -> list[Prediction]:
    """Return what is said of faces and their mirror images, as photos are read.

    Args:
        ensemble: is asked.
        prepared: (N, S, S) uint8 faces.
        vectors: (N, D) their descriptors, if they are known.
    """
    if vectors is None:
        vectors = describe_faces(prepared, ensemble.descriptor)
    turned = describe_faces(np.ascontiguousarray(prepared[:, :, ::-1]), ensemble.descriptor)
    pairs = list(zip(vectors, turned, strict=True))
    return [
        agreed([ensemble.predict_descriptor(vector[None]) for vector in pair])
        for pair in with_progress(pairs, "letting the ensemble vote")
    ]


def _scores(
    said: list[Prediction], alone: np.ndarray, truth: np.ndarray, ensemble: FisherfaceEnsemble
) -> FaceScores:
    members = [float(np.mean(alone[:, k] == truth)) for k in range(alone.shape[1])]
    labels = [p.label for p in said]
    vote = evaluate(truth.tolist(), labels, _all_labels(ensemble, truth))
    return FaceScores(vote, members, np.array([p.score for p in said]), np.array(labels) == truth)


def posed_scores(ensemble: FisherfaceEnsemble, faces: FaceSet) -> FaceScores | None:
    """Return the scores where posed expressions are expected; None if the models do not know."""
    if POSED not in ensemble.expectations or faces.votes is None:
        return None
    ensemble.expect(ensemble.expectations[POSED])
    try:
        scores = scores_on_faces(ensemble, faces)
    finally:
        ensemble.expect(ensemble.expectations[EVERYDAY])
    return scores if scores.people is not None else None


def scores_on_portraits(
    ensemble: FisherfaceEnsemble, path: Path, groups: GroupTable | None = None
) -> PortraitScore:
    """Return the scores on pictures with one face each, found by the cascades.

    Args:
        ensemble: what is measured.
        path: a zip with a folder per label.
        groups: who is what.
    """
    portraits, count = portraits_of(path)
    said = [read_both_ways(ensemble, p.picture, p.box) for p in portraits]
    return portrait_score(ensemble, path.name, portraits, count, said, groups)


def portrait_score(
    ensemble: FisherfaceEnsemble,
    name: str,
    portraits: Sequence[Portrait],
    count: int,
    said: Sequence[Prediction],
    table: GroupTable | None = None,
) -> PortraitScore:
    """Return how often what was said of portraits is right.

    Args:
        ensemble: or another that can say the same labels.
        name: of the portraits.
        portraits: on which a face was found.
        count: how many there were.
        said: of each.
        table: who is what.
    """
    truth = [portrait.label for portrait in portraits]
    labels = _all_labels(ensemble, np.array(truth))
    scores = evaluate(truth, [p.label for p in said], labels)
    by_group = None
    if table is not None:
        right = [p.label == label for p, label in zip(said, truth, strict=True)]
        by_group = group_figures(table, [p.name for p in portraits], truth, right)
    return PortraitScore(name, count, len(truth), scores, by_group)


def _all_labels(ensemble: FisherfaceEnsemble, truth: np.ndarray) -> tuple[str, ...]:
    occurring = {*ensemble.labels, *truth.tolist()}
    return tuple(label for label in EMOTIONS if label in occurring)
