"""The members of an ensemble of Fisherfaces, trained and written as the command's options ask."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros.recognition.descriptors import Descriptor, make_descriptor
from expression_ros.recognition.face_preparation import (
    FacePreparation,
)
from expression_ros.recognition.fisherfaces import KIND
from expression_ros.recognition.model_manifest import (
    ModelFile,
    ModelManifest,
    sha256_of,
)
from expression_ros.training.data.faces import (
    DataError,
    FaceSet,
    describe_faces,
    prepare_faces,
    report_progress,
)
from expression_ros.training.fisherfaces.lessons import SINGLE, VOTES, Lesson
from expression_ros.training.fisherfaces.settings import FisherfaceSettings


def what_is_learnt(arguments: argparse.Namespace) -> str:
    """Return what is learnt; DataError if it does not go with the other options."""
    learn = arguments.learn or (VOTES if arguments.votes else SINGLE)
    if learn != SINGLE and arguments.more:
        raise DataError(f"--more: nobody was asked about these faces; with --learn {SINGLE} only")
    if arguments.ensemble != "bagged" and (learn == VOTES or arguments.refine):
        raise DataError("--learn votes and --refine go with --ensemble bagged only")
    if arguments.learn_portraits and not arguments.portraits:
        raise DataError("--learn-portraits: of which? give --portraits ZIP")
    return learn


def new_descriptor(arguments: argparse.Namespace, face: FacePreparation) -> Descriptor:
    """Return the descriptor that was asked for, its file relative to the output."""
    settings: dict[str, Any] = {}
    if arguments.descriptor == "embedding":
        settings["file"] = Path(os.path.relpath(arguments.network, arguments.output)).as_posix()
        if arguments.power != 1.0:
            settings["power"] = arguments.power
    return make_descriptor(arguments.descriptor, settings, face.size, arguments.output)


def described(faces: FaceSet, face: FacePreparation, descriptor: Descriptor) -> np.ndarray:
    """Return (2N, D) descriptors of N faces, and then of their mirror images."""
    vectors = []
    for what, seen in (("faces", faces), ("mirrored faces", faces.mirrored())):
        report_progress(f"describing {what}")
        vectors.append(describe_faces(prepare_faces(seen.images, face), descriptor))
    return np.concatenate(vectors)


def train_members(
    lesson: Lesson,
    vectors: np.ndarray,
    face: FacePreparation,
    descriptor: Descriptor,
    arguments: argparse.Namespace,
) -> ModelManifest:
    """Train and write the members; return their manifest."""
    labels = dict(enumerate(lesson.labels))
    favour = _favour_by_number(arguments, lesson.labels)
    settings = FisherfaceSettings(
        members=arguments.members,
        seed=arguments.seed,
        ensemble=arguments.ensemble,
        components=arguments.components,
        feature_share=arguments.feature_share,
        shrinkage=arguments.shrinkage,
        images=arguments.images,
        refine=arguments.refine,
        favour=favour,
    )
    for old in arguments.output.glob("fisherfaces_*.xml.gz"):
        old.unlink()  # of an ensemble with more members
    paths = [arguments.output / f"fisherfaces_{k:02d}.xml.gz" for k in range(settings.members)]
    try:
        weights = _write_members(paths, vectors, lesson, labels, settings)
    except ValueError as error:
        raise DataError(f"{arguments.data}: {error}") from error
    network = descriptor.settings.get("file")
    return ModelManifest(
        kind=KIND,
        labels=labels,
        descriptor=descriptor.name,
        descriptor_size=descriptor.size,
        descriptor_settings=descriptor.settings,
        face=face,
        files=tuple(ModelFile(path.name, sha256_of(path)) for path in paths),
        descriptor_file=(
            ModelFile(network, sha256_of(arguments.output / network)) if network else None
        ),
        training=_training_record(arguments, len(lesson.faces), settings),
        settings={"weights": weights} if weights else {},
    )


def _favour_by_number(arguments: argparse.Namespace, labels: Sequence[str]) -> dict[int, float]:
    """Return --favour by the numbers of the labels that there are faces of."""
    favour = dict(arguments.favour)
    if favour and arguments.ensemble == "opencv":
        raise DataError("--favour: OpenCV's own trainer knows no priors; leave it out")
    if missing := sorted(set(favour) - set(labels)):
        raise DataError(f"--favour {missing[0]}: the data has {', '.join(labels)}")
    return {labels.index(label): amount for label, amount in favour.items()}


def _training_record(
    arguments: argparse.Namespace, faces: int, settings: FisherfaceSettings
) -> dict[str, Any]:
    """Return what the manifest says of the training."""
    record = {"data": _name_of_data(arguments), "learn": what_is_learnt(arguments), "faces": faces,
              **vars(settings)}  # fmt: skip
    del record["favour"]  # by number; people read labels
    return {**record, **({"favour": dict(arguments.favour)} if arguments.favour else {})}


def _write_members(
    paths: list[Path],
    vectors: np.ndarray,
    lesson: Lesson,
    labels: dict[int, str],
    settings: FisherfaceSettings,
) -> list[float]:
    """Train and write as many models as there are paths; return their weights, [] if all alike."""
    numbers = np.tile(lesson.numbers, 2)
    from expression_ros.training.fisherfaces.boosting import train_boosted_fisherfaces
    from expression_ros.training.fisherfaces.ensemble import train_fisherfaces
    from expression_ros.training.fisherfaces.opencv_model_file import write_opencv_model
    from expression_ros.training.fisherfaces.opencv_trainer import write_opencv_trained

    weights: list[float] = []
    if settings.ensemble == "opencv":
        write_opencv_trained(
            paths, vectors, numbers, labels, settings.images, settings.seed, report_progress
        )
        return weights
    if settings.ensemble == "boosted":
        models, weights = train_boosted_fisherfaces(vectors, numbers, settings, report_progress)
    else:
        pairs = np.tile(np.arange(len(vectors) // 2), 2)
        votes = None if lesson.votes is None else np.tile(lesson.votes, (2, 1))
        models = train_fisherfaces(vectors, numbers, settings, pairs, report_progress, votes)
    for path, model in zip(paths, models, strict=True):
        write_opencv_model(path, model, labels)
    return [float(f"{weight:.6g}") for weight in weights]


def _name_of_data(arguments: argparse.Namespace) -> str:
    name = f"training faces of {arguments.data.name} and their mirror images"
    if arguments.more:
        name += f", {arguments.more.name} (at most {arguments.more_per_label} per label)"
    if arguments.learn_portraits:
        name += f", {arguments.portraits.name} ({arguments.portrait_copies} crops of each)"
    return name
