"""How a trained ensemble's scores come from its votes, when to believe it, and how it does.

It is measured on test faces and portraits, for its model card.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros.parameters.choices import EVERYDAY, POSED
from expression_ros.progress import with_progress
from expression_ros.recognition.classifier import Prediction, softmax
from expression_ros.recognition.face_views import agreed, read_both_ways
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.model_manifest import ModelManifest
from expression_ros.recognition.vote import Expectation, VoteCalibration, evidence_of
from expression_ros.training.data.faces import (
    FaceSet,
    describe_faces,
    prepare_faces,
    report_progress,
)
from expression_ros.training.data.image_archives import Portrait, portraits_of
from expression_ros.training.data.people_votes import known_or_none
from expression_ros.training.evaluation.metrics import (
    THRESHOLDS,
    evaluate,
    log_loss,
    people_figures,
)
from expression_ros.training.evaluation.model_card import RIGHT_ENOUGH, FaceScores, PortraitScore
from expression_ros.training.evaluation.people_groups import GroupTable, group_figures
from expression_ros.training.evaluation.report import people_lines
from expression_ros.training.fisherfaces.settings import SINGLE
from expression_ros.training.fisherfaces.training_set import seen_by_most, truth_of
from expression_ros.vocabulary import EMOTIONS

FEWEST_TO_CALIBRATE = 30  # faces


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
    """Return the scores on images with one face each, found by the cascades.

    Args:
        ensemble: what is measured.
        path: a zip with a folder per label.
        groups: who is what.
    """
    portraits, count = portraits_of(path)
    said = [read_both_ways(ensemble, p.image, p.box) for p in portraits]
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


def calibrated(manifest: ModelManifest, faces: FaceSet, folder: Path, learn: str) -> ModelManifest:
    """Return the manifest with how scores come from votes, and from which score on to believe.

    Args:
        manifest: of the models in the folder.
        faces: that neither they nor their network were trained on.
        folder: where the models are.
        learn: one of LEARN_CHOICES, by which answers are judged. Ensembles that learnt from people
            also get an expectation of posed expressions: the priors with the least log
            loss of the data's own labels, which say what was searched for or acted.
    """
    judged, truth = truth_of(faces, learn, manifest.labels.values())
    if len(judged) < FEWEST_TO_CALIBRATE:
        report_progress(f"{len(judged)} faces are too few to calibrate on; scores are vote shares")
        return manifest
    report_progress(f"calibrating on {len(judged):,} faces")
    ensemble = FisherfaceEnsemble.load(folder)
    prepared = prepare_faces(judged.images, manifest.face)
    vectors = describe_faces(prepared, ensemble.descriptor)
    calibration = fit_vote_calibration(ensemble, vectors, truth)
    settings: dict[str, Any] = {**manifest.settings, "calibration": calibration.as_mapping()}
    ensemble.calibration = calibration
    said = predict_both_ways(ensemble, prepared, vectors)
    right = np.array([p.label == label for p, label in zip(said, truth, strict=True)])
    report_progress(f"of these the vote reads {right.mean():.3f} right")
    if judged.votes is not None:
        for line in people_lines(_people(ensemble, faces)):
            report_progress(f"calibration faces, {line}")
    # Of one look: that is how a stream begins, and of two looks it is more than RIGHT_ENOUGH.
    said = [ensemble.predict_descriptor(vector[None]) for vector in vectors]
    right = np.array([p.label == label for p, label in zip(said, truth, strict=True)])
    threshold = trustworthy_score(np.array([p.score for p in said]), right, RIGHT_ENOUGH)
    if threshold is not None:
        settings["min_confidence"] = threshold
    if learn != SINGLE:
        named, labels = truth_of(faces, SINGLE, manifest.labels.values())
        vectors = describe_faces(prepare_faces(named.images, manifest.face), ensemble.descriptor)
        priors = fit_priors(ensemble, vectors, labels)
        ensemble.expect(Expectation(priors, calibration))
        posed = Expectation(priors, fit_vote_calibration(ensemble, vectors, labels))
        settings["expectations"] = {POSED: posed.as_mapping()}
    return replace(manifest, settings=settings)


def _people(ensemble: FisherfaceEnsemble, faces: FaceSet) -> Mapping[str, Any] | None:
    """Return how the ensemble agrees with people on all faces about which they were asked."""
    assert faces.votes is not None
    said = predict_both_ways(ensemble, prepare_faces(faces.images, ensemble.face))
    votes = [known_or_none(row) for row in faces.votes]
    scores = np.array([p.score for p in said])
    return people_figures(votes, [p.label for p in said], scores, ensemble.labels)


# Fits the two weights that turn an ensemble's votes into probabilities, and what to believe.
_PULL = 0.5  # of priors towards 0
_MOST_PRIOR = 6.0  # that is added to a logarithm
_SURE = 1.96  # standard normal deviation of a one-sided 97.5 % bound


def fit_vote_calibration(
    ensemble: FisherfaceEnsemble, vectors: np.ndarray, labels: np.ndarray
) -> VoteCalibration:
    """Return the weights with the least log loss.

    Args:
        ensemble: whose votes are calibrated.
        vectors: (N, D) float32 descriptors of faces that nothing was trained on.
        labels: (N,) str, true labels, all of the ensemble's.
    """
    from scipy.optimize import minimize

    ballots = [ensemble.ballot(vector[None]) for vector in vectors]
    evidence = np.stack([evidence_of(ballot, ensemble.weights) for ballot in ballots])
    shares = np.stack([ballot.shares(ensemble.weights) for ballot in ballots])
    columns = np.array([ensemble.labels.index(label) for label in labels])
    # Distances have any scale: of thousands where nothing was whitened. Fit in units of their own.
    scale = float(np.mean(evidence.max(axis=1) - np.median(evidence, axis=1))) or 1.0

    def loss_with(weights: np.ndarray) -> float:
        trial = VoteCalibration(weights[0] / scale, weights[1])
        return log_loss(trial.probabilities(evidence, shares), columns)

    found = minimize(loss_with, [1.0, 1.0], method="L-BFGS-B", bounds=[(0, 1e3), (0, 1e3)])
    return VoteCalibration(float(f"{found.x[0] / scale:.4g}"), float(f"{found.x[1]:.4g}"))


def fit_priors(
    ensemble: FisherfaceEnsemble, vectors: np.ndarray, labels: np.ndarray
) -> dict[str, float]:
    """Return what to add to the log priors for the least log loss.

    Args:
        ensemble: whose priors they are; as it is everyday.
        vectors: (N, D) float32 descriptors of faces that nothing was trained on.
        labels: (N,) str, true labels, all of the ensemble's.
    """
    from scipy.optimize import minimize

    evidence = np.stack(
        [evidence_of(ensemble.ballot(vector[None]), ensemble.weights) for vector in vectors]
    )
    columns = np.array([ensemble.labels.index(label) for label in labels])
    count = len(ensemble.labels)

    def loss_with(values: np.ndarray) -> float:
        loss = log_loss(softmax(values[-1] * (evidence + values[:-1])), columns)
        # A little pull to 0, for labels of which there are a few faces only.
        return float(loss + _PULL * np.square(values[:-1]).sum() / len(columns))

    bounds = [(-_MOST_PRIOR, _MOST_PRIOR)] * count + [(1e-3, 10.0)]
    found = minimize(loss_with, np.append(np.zeros(count), 0.5), method="L-BFGS-B", bounds=bounds)
    middle = found.x[:-1].mean()
    return {
        label: round(float(value - middle), 2)
        for label, value in zip(ensemble.labels, found.x, strict=False)
    }


def trustworthy_score(scores: np.ndarray, right: np.ndarray, wanted: float) -> float | None:
    """Return the least threshold from which on answers are right often enough, or None.

    Args:
        scores: (N,) float, 0..1.
        right: (N,) bool.
        wanted: share of right answers that must be reached with 97.5 % certainty (lower bound of
            Wilson, 1927), among the answers whose score is at the threshold or above.
    """
    for threshold in THRESHOLDS:
        said = right[scores >= threshold]
        if len(said) and _lower_bound(float(said.mean()), len(said)) >= wanted:
            return threshold
    return None


def _lower_bound(share: float, count: int) -> float:
    spread = _SURE**2 / count
    middle = share + spread / 2
    return (middle - math.sqrt(spread * (share * (1 - share) + spread / 4))) / (1 + spread)
