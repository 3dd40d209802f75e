"""From labelled faces to an ensemble of Fisherfaces, calibrated and measured, with its card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.face_views import read_both_ways
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.model_manifest import ModelManifest, write_manifest
from expression_ros.training.data.faces import (
    LIST_NAME,
    FaceSet,
    held_out_mask,
    need_scikit_learn,
    report_progress,
)
from expression_ros.training.data.image_archives import load_cropped_archive
from expression_ros.training.evaluation.model_card import (
    Measurements,
    PortraitScore,
    write_model_card,
)
from expression_ros.training.evaluation.people_groups import GroupTable, read_groups
from expression_ros.training.fisherfaces.calibration import (
    FEWEST_TO_CALIBRATE,
    calibrated,
    portrait_score,
    posed_scores,
    scores_on_faces,
    scores_on_portraits,
)
from expression_ros.training.fisherfaces.members import described, train_members
from expression_ros.training.fisherfaces.settings import FisherfaceConfig
from expression_ros.training.fisherfaces.training_set import (
    LearntPortraits,
    TrainingSet,
    learnt_portraits,
    read_by_strangers,
    take_rows,
    training_set_of,
    with_portraits,
    without_copies,
)

_CALIBRATION_SHARE = 0.05  # of the training faces, where no list says which to hold out


def train(
    known: FaceSet, test: FaceSet, config: FisherfaceConfig
) -> tuple[FisherfaceEnsemble, Measurements]:
    """Train an ensemble, and write it, its manifest and its model card.

    Args:
        known: faces to train and to calibrate on.
        test: faces to measure on.
        config: how, and into which folder.

    Returns:
        The ensemble as it will be used, and what its card says.

    Raises:
        DataError: scikit-learn is missing, or the faces do not suffice for what is configured.
        ModelError, DescriptorError: the network of the descriptor is missing or damaged.
        OSError: a file cannot be read or written.
    """
    need_scikit_learn("training")
    faces, calibration = _split_for_calibration(known, config)
    if config.without_copies:
        calibration = without_copies(calibration, test)
        faces = without_copies(faces, calibration.plus(test))
    if config.more:
        faces = _with_more(faces, config.more, config)
    groups = read_groups(config.portrait_groups) if config.portrait_groups else None
    training_set = training_set_of(faces, config.learn, config.leave_out)
    portraits = None
    if config.learn_portraits and config.portraits:
        portraits = learnt_portraits(
            config.portraits, faces.images.shape[1], config.face.margin,
            config.portrait_copies, config.settings.seed,
        )  # fmt: skip
        training_set = with_portraits(training_set, portraits)
    config.output.mkdir(parents=True, exist_ok=True)
    counts = (len(training_set.faces), len(calibration), len(test))
    report_progress("{:,} faces to train on, {:,} to calibrate on, {:,} to test on".format(*counts))
    vectors = described(training_set.faces, config)
    manifest, ensemble = _trained(training_set, vectors, calibration, config)
    report_progress("measuring")
    score = None
    if portraits is not None:
        score = _learnt_score(
            ensemble, training_set, vectors, portraits, groups, calibration, config
        )
    elif config.portraits:
        score = scores_on_portraits(ensemble, config.portraits, groups)
    measured = Measurements(
        test=scores_on_faces(ensemble, test),
        posed=posed_scores(ensemble, test),
        train_faces=len(training_set.faces),
        calibration_faces=len(calibration),
        portraits=score,
        command=config.command,
    )
    write_model_card(config.output, manifest, measured)
    return ensemble, measured


def _trained(
    training_set: TrainingSet, vectors: np.ndarray, calibration: FaceSet, config: FisherfaceConfig
) -> tuple[ModelManifest, FisherfaceEnsemble]:
    """Train, calibrate and write an ensemble; return its manifest, and it as it will be used."""
    manifest = train_members(training_set, vectors, config)
    write_manifest(config.output, manifest)
    manifest = calibrated(manifest, calibration, config.output, config.learn)
    write_manifest(config.output, manifest)
    return manifest, FisherfaceEnsemble.load(config.output)


def _learnt_score(
    ensemble: FisherfaceEnsemble,
    training_set: TrainingSet,
    vectors: np.ndarray,
    portraits: LearntPortraits,
    groups: GroupTable | None,
    calibration: FaceSet,
    config: FisherfaceConfig,
) -> PortraitScore:
    """Return the score on portraits that were learnt, by ensembles that learnt half of them."""
    assert config.portraits is not None

    def reader(crops: np.ndarray) -> Callable[[np.ndarray, Box], Prediction]:
        report_progress("training on half of the people, to judge on the others")
        which = np.ones(len(training_set.faces), bool)
        which[len(which) - len(crops) :] = crops
        part, rows = take_rows(training_set, vectors, which)
        with TemporaryDirectory() as folder:
            elsewhere = replace(config, output=Path(folder))
            _, other = _trained(part, rows, calibration, elsewhere)
        return lambda image, box: read_both_ways(other, image, box)

    said = read_by_strangers(portraits, config.settings.seed, reader)
    score = portrait_score(
        ensemble, config.portraits.name, portraits.portraits, portraits.count, said, groups
    )
    return replace(score, copies=portraits.copies)


def _split_for_calibration(known: FaceSet, config: FisherfaceConfig) -> tuple[FaceSet, FaceSet]:
    """Return faces to train on and faces to calibrate on, which the network has not seen either."""
    held_out = np.zeros(len(known), bool)
    if config.descriptor == "embedding":
        held_out = held_out_mask(config.network.with_name(LIST_NAME), known.images)
    if held_out.sum() < FEWEST_TO_CALIBRATE:
        if config.descriptor == "embedding":
            report_progress("the network may have been trained on the faces its scores are "
                            "calibrated on; they will promise too much")  # fmt: skip
        rng = np.random.default_rng(config.settings.seed)
        held_out = rng.random(len(known)) < _CALIBRATION_SHARE
    return known.take(~held_out), known.take(held_out)


def _with_more(train: FaceSet, archive: Path, config: FisherfaceConfig) -> FaceSet:
    """Return the faces and those of the archive, as many per label as may be."""
    more = load_cropped_archive(archive, train.images.shape[1])
    more = more.only(set(train.labels.tolist()))
    order = np.random.default_rng(config.settings.seed).permutation(len(more))
    kept = np.concatenate([order[more.labels[order] == label][: config.more_per_label]
                           for label in np.unique(more.labels)])  # fmt: skip
    return train.plus(more.take(np.sort(kept)))
