"""How a trained ensemble's scores come from its votes, and from which score on to believe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros.recognition.expectation import POSED, Expectation
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.model_manifest import ModelManifest
from expression_ros.training.evaluation_report import people_lines
from expression_ros.training.faces import FaceSet, describe_faces, prepare_faces, report_progress
from expression_ros.training.fisherface_lessons import SINGLE, judged_by
from expression_ros.training.fisherface_scores import predict_both_ways
from expression_ros.training.model_card import RIGHT_ENOUGH
from expression_ros.training.people_votes import known_or_none, people_figures

FEWEST_TO_CALIBRATE = 30  # faces


def calibrated(manifest: ModelManifest, faces: FaceSet, folder: Path, learn: str) -> ModelManifest:
    """Return the manifest with how scores come from votes, and from which score on to believe.

    Args:
        manifest: of the models in the folder.
        faces: that neither they nor their network were trained on.
        folder: where the models are.
        learn: one of LEARN_CHOICES, by which answers are judged. Ensembles that learnt from people
            also get an expectation of posed expressions: priors under which the data's own labels,
            which say what was searched for or acted, are least surprising.
    """
    from expression_ros.training.vote_calibration import (
        fit_priors,
        fit_vote_calibration,
        trustworthy_score,
    )

    judged, truth = judged_by(faces, learn, manifest.labels.values())
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
        named, labels = judged_by(faces, SINGLE, manifest.labels.values())
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
