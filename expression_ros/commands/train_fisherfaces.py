"""``expression-ros train fisherfaces``: the ensemble, its calibration and its model card."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from expression_ros import Prediction
from expression_ros.commands.train_fisherfaces_members import (
    described,
    new_descriptor,
    train_members,
    what_is_learnt,
)
from expression_ros.commands.train_fisherfaces_options import NETWORK, add_fisherface_options
from expression_ros.commands.train_options import face_preparation
from expression_ros.recognition.boxes import Box
from expression_ros.recognition.face_preparation import (
    FULL,
    FacePreparation,
)
from expression_ros.recognition.fisherfaces import KIND, FisherfaceEnsemble
from expression_ros.recognition.mirrored_views import read_both_ways
from expression_ros.recognition.model_manifest import (
    ModelManifest,
    write_manifest,
)
from expression_ros.training.data.classifier_data import load_labelled_faces
from expression_ros.training.data.faces import DataError, FaceSet, report_progress
from expression_ros.training.data.held_out import LIST_NAME, held_out_mask
from expression_ros.training.data.image_archives import load_cropped_archive
from expression_ros.training.data.people_groups import read_groups
from expression_ros.training.evaluation.model_card import Measurements, write_model_card
from expression_ros.training.fisherfaces.calibration import FEWEST_TO_CALIBRATE, calibrated
from expression_ros.training.fisherfaces.lessons import Lesson, lesson_of, without_copies
from expression_ros.training.fisherfaces.portrait_lessons import (
    learnt_portraits,
    read_by_strangers,
    take_rows,
    with_portraits,
)
from expression_ros.training.fisherfaces.scores import (
    portrait_score,
    posed_scores,
    scores_on_faces,
    scores_on_portraits,
)
from expression_ros.training.fisherfaces.settings import FisherfaceSettings

_CALIBRATION_SHARE = 0.05  # of the training faces, where no list says which to hold out


def add_fisherfaces_parser(kinds: Any) -> None:
    """Add ``fisherfaces`` to the subparsers of ``train``; ``func`` returns an exit code."""
    parser = kinds.add_parser(KIND, help="ten Fisherfaces that vote")
    add_fisherface_options(parser)
    parser.set_defaults(func=_train)


def _train(arguments: argparse.Namespace) -> int:
    try:
        import scipy  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"training needs scikit-learn: pip install scikit-learn ({error})"
        ) from None
    learn = what_is_learnt(arguments)
    known, test = load_labelled_faces(arguments.data, arguments.votes)
    train, calibration = _split_for_calibration(known, arguments)
    if arguments.without_copies:
        calibration = without_copies(calibration, test)
        train = without_copies(train, calibration.plus(test))
    if arguments.more:
        train = _with_more(train, arguments)
    groups = read_groups(arguments.portrait_groups) if arguments.portrait_groups else None
    lesson = lesson_of(train, learn, arguments.leave_out)
    face = face_preparation(arguments, FacePreparation.size)
    portraits = None
    if arguments.learn_portraits:
        portraits = learnt_portraits(
            arguments.portraits, train.images.shape[1], arguments.margin,
            arguments.portrait_copies, arguments.seed,
        )  # fmt: skip
        lesson = with_portraits(lesson, portraits)
    arguments.output.mkdir(parents=True, exist_ok=True)
    descriptor = new_descriptor(arguments, face)
    counts = (len(lesson.faces), len(calibration), len(test))
    report_progress("{:,} faces to train on, {:,} to calibrate on, {:,} to test on".format(*counts))
    vectors = described(lesson.faces, face, descriptor)
    manifest, ensemble = _learnt(lesson, vectors, face, calibration, arguments)
    report_progress("measuring")
    score = None
    if portraits is not None:
        said = read_by_strangers(
            portraits,
            arguments.seed,
            lambda crops: _reader(lesson, vectors, crops, face, calibration, arguments),
        )
        score = replace(
            portrait_score(ensemble, arguments.portraits.name, portraits.portraits,
                           portraits.count, said, groups),
            copies=portraits.copies,
        )  # fmt: skip
    elif arguments.portraits:
        score = scores_on_portraits(ensemble, arguments.portraits, groups)
    measured = Measurements(
        test=scores_on_faces(ensemble, test),
        posed=posed_scores(ensemble, test),
        train_faces=len(lesson.faces),
        calibration_faces=len(calibration),
        portraits=score,
        command=_command(arguments),
    )
    write_model_card(arguments.output, manifest, measured)
    vote, people = measured.test.vote, measured.test.people
    if people is not None:
        print(f"what most people see {people['majority']:.4f} of {people['n']:,}, one person "
              f"{people['one_person']:.4f}")  # fmt: skip
    print(f"accuracy {vote.accuracy:.4f}, macro F1 {vote.macro_f1:.4f}, single model "
          f"{np.mean(measured.test.member_accuracies):.4f}: {arguments.output}")  # fmt: skip
    return 0


def _learnt(
    lesson: Lesson,
    vectors: np.ndarray,
    face: FacePreparation,
    calibration: FaceSet,
    arguments: argparse.Namespace,
) -> tuple[ModelManifest, FisherfaceEnsemble]:
    """Train, calibrate and write an ensemble; return its manifest, and it as it will be used."""
    descriptor = new_descriptor(arguments, face)
    manifest = train_members(lesson, vectors, face, descriptor, arguments)
    write_manifest(arguments.output, manifest)
    manifest = calibrated(manifest, calibration, arguments.output, what_is_learnt(arguments))
    write_manifest(arguments.output, manifest)
    return manifest, FisherfaceEnsemble.load(arguments.output)


def _reader(
    lesson: Lesson,
    vectors: np.ndarray,
    crops: np.ndarray,
    face: FacePreparation,
    calibration: FaceSet,
    arguments: argparse.Namespace,
) -> Callable[[np.ndarray, Box], Prediction]:
    """Return what reads a picture and a box: an ensemble that learnt some of the crops only."""
    report_progress("training on half of the people, to judge on the others")
    which = np.ones(len(lesson.faces), bool)
    which[len(which) - len(crops) :] = crops
    part, rows = take_rows(lesson, vectors, which)
    with TemporaryDirectory() as folder:
        elsewhere = argparse.Namespace(**{**vars(arguments), "output": Path(folder)})
        _, ensemble = _learnt(part, rows, face, calibration, elsewhere)
    return lambda picture, box: read_both_ways(ensemble, picture, box)


def _split_for_calibration(
    known: FaceSet, arguments: argparse.Namespace
) -> tuple[FaceSet, FaceSet]:
    """Return faces to train on and faces to calibrate on, which the network has not seen either."""
    held_out = np.zeros(len(known), bool)
    if arguments.descriptor == "embedding":
        held_out = held_out_mask(arguments.network.with_name(LIST_NAME), known.images)
    if held_out.sum() < FEWEST_TO_CALIBRATE:
        if arguments.descriptor == "embedding":
            report_progress("the network may have been trained on the faces its scores are "
                            "calibrated on; they will promise too much")  # fmt: skip
        held_out = np.random.default_rng(arguments.seed).random(len(known)) < _CALIBRATION_SHARE
    return known.take(~held_out), known.take(held_out)


def _with_more(train: FaceSet, arguments: argparse.Namespace) -> FaceSet:
    """Return the faces and those of the archive, as many per label as may be."""
    more = load_cropped_archive(arguments.more, train.images.shape[1])
    more = more.only(set(train.labels.tolist()))
    order = np.random.default_rng(arguments.seed).permutation(len(more))
    kept = np.concatenate([order[more.labels[order] == label][: arguments.more_per_label]
                           for label in np.unique(more.labels)])  # fmt: skip
    return train.plus(more.take(np.sort(kept)))


def _command(arguments: argparse.Namespace) -> str:
    """Return the command that was given, without the paths of this machine."""
    parts = [f"expression-ros train {KIND} --data {arguments.data.name}"]
    if arguments.votes:
        parts.append(f"--votes {arguments.votes.name}")
    if arguments.learn:
        parts.append(f"--learn {arguments.learn}")
    parts += [f"--leave-out {label}" for label in arguments.leave_out]
    if arguments.without_copies:
        parts.append("--without-copies")
    parts.append(f"--output models/{arguments.output.name} --descriptor {arguments.descriptor}")
    if arguments.descriptor == "embedding":
        parts.append(f"--network {NETWORK.parent.as_posix()}/{arguments.network.name}")
        parts += [f"--power {arguments.power:g}"] if arguments.power != 1.0 else []
    parts.append(f"--ensemble {arguments.ensemble} --members {arguments.members}")
    parts.append(f"--components {arguments.components}")
    parts.append(f"--feature-share {arguments.feature_share} --seed {arguments.seed}")
    if arguments.shrinkage != FisherfaceSettings.shrinkage:
        parts.append(f"--shrinkage {arguments.shrinkage:g}")
    parts += [f"--refine {arguments.refine}"] if arguments.refine else []
    parts += [f"--favour {label}={amount:g}" for label, amount in arguments.favour]
    parts.append(f"--light {arguments.light} --margin {arguments.margin}")
    if arguments.region != FULL:
        parts += ["--region", arguments.region]
    if arguments.level_by_eyes:
        parts.append("--level-by-eyes")
    if arguments.more:
        parts.append(f"--more {arguments.more.name} --more-per-label {arguments.more_per_label}")
    if arguments.portraits:
        parts.append(f"--portraits {arguments.portraits.name}")
        if arguments.learn_portraits:
            parts.append(f"--learn-portraits --portrait-copies {arguments.portrait_copies}")
        if arguments.portrait_groups:
            parts.append(f"--portrait-groups {arguments.portrait_groups.name}")
    return " ".join(parts)
