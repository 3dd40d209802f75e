"""The members of an ensemble of Fisherfaces, trained and written into a model folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from expression_ros.recognition.descriptors import Descriptor, make_descriptor
from expression_ros.recognition.fisherfaces import KIND, check_opencv_face
from expression_ros.recognition.model_manifest import ModelFile, ModelManifest, sha256_of
from expression_ros.training.data.faces import (
    DataError,
    FaceSet,
    describe_faces,
    prepare_faces,
    report_progress,
)
from expression_ros.training.fisherfaces.settings import (
    BOOSTED,
    OPENCV,
    FisherfaceConfig,
    FisherfaceSettings,
)
from expression_ros.training.fisherfaces.training_set import TrainingSet


def new_descriptor(config: FisherfaceConfig) -> Descriptor:
    """Return the descriptor that is configured, its file relative to the output."""
    settings: dict[str, Any] = {}
    if config.descriptor == "embedding":
        settings["file"] = Path(os.path.relpath(config.network, config.output)).as_posix()
        if config.power != 1.0:
            settings["power"] = config.power
    return make_descriptor(config.descriptor, settings, config.face.size, config.output)


def described(faces: FaceSet, config: FisherfaceConfig) -> np.ndarray:
    """Return (2N, D) float32 descriptors of N faces, and then of their mirror images."""
    descriptor = new_descriptor(config)
    vectors = []
    for what, seen in (("faces", faces), ("mirrored faces", faces.mirrored())):
        report_progress(f"describing {what}")
        vectors.append(describe_faces(prepare_faces(seen.images, config.face), descriptor))
    return np.concatenate(vectors)


def train_members(
    training_set: TrainingSet, vectors: np.ndarray, config: FisherfaceConfig
) -> ModelManifest:
    """Train and write the members; return their manifest.

    Args:
        training_set: N faces and what is to be learnt of them.
        vectors: (2N, D) float32, see ``described``.
        config: how they are trained, and where they are written.

    Raises:
        DataError: the faces are too few, or a label with a prior offset has no faces.
    """
    labels = dict(enumerate(training_set.labels))
    settings = replace(
        config.settings, prior_offsets=_prior_offset_by_number(config, training_set.labels)
    )
    for old in config.output.glob("fisherfaces_*.xml.gz"):
        old.unlink()  # of an ensemble with more members
    paths = [config.output / f"fisherfaces_{k:02d}.xml.gz" for k in range(settings.members)]
    try:
        weights = _write_members(paths, vectors, training_set, labels, settings)
    except ValueError as error:
        raise DataError(f"{config.data}: {error}") from error
    descriptor = new_descriptor(config)
    network = descriptor.settings.get("file")
    return ModelManifest(
        kind=KIND,
        labels=labels,
        descriptor=descriptor.name,
        descriptor_size=descriptor.size,
        descriptor_settings=descriptor.settings,
        face=config.face,
        files=tuple(ModelFile(path.name, sha256_of(path)) for path in paths),
        descriptor_file=(
            ModelFile(network, sha256_of(config.output / network)) if network else None
        ),
        training={
            "data": _name_of_data(config),
            "learn": config.learn,
            "faces": len(training_set.faces),
            **settings.used(),
            **({"favour": dict(config.prior_offsets)} if config.prior_offsets else {}),
        },
        settings={"weights": weights} if weights else {},
    )


def _prior_offset_by_number(config: FisherfaceConfig, labels: Sequence[str]) -> dict[int, float]:
    """Return --favour by the numbers of the labels that there are faces of."""
    if config.prior_offsets and config.settings.ensemble == OPENCV:
        raise DataError("--favour: OpenCV's own trainer knows no priors; leave it out")
    if missing := sorted(set(config.prior_offsets) - set(labels)):
        raise DataError(f"--favour {missing[0]}: the data has {', '.join(labels)}")
    return {labels.index(label): amount for label, amount in config.prior_offsets.items()}


def _write_members(
    paths: list[Path],
    vectors: np.ndarray,
    training_set: TrainingSet,
    labels: dict[int, str],
    settings: FisherfaceSettings,
) -> list[float]:
    """Train and write as many models as there are paths; return their weights, [] if all alike."""
    # Only here: SciPy takes long to import, and is not needed for any other command.
    from expression_ros.training.fisherfaces.ensemble import (
        train_boosted_fisherfaces,
        train_fisherfaces,
    )
    from expression_ros.training.fisherfaces.opencv_model_file import write_opencv_model

    numbers = np.tile(training_set.numbers, 2)
    weights: list[float] = []
    if settings.ensemble == OPENCV:
        write_opencv_trained(
            paths, vectors, numbers, labels, settings.images, settings.seed, report_progress
        )
        return weights
    if settings.ensemble == BOOSTED:
        models, weights = train_boosted_fisherfaces(vectors, numbers, settings, report_progress)
    else:
        pairs = np.tile(np.arange(len(vectors) // 2), 2)
        votes = None if training_set.votes is None else np.tile(training_set.votes, (2, 1))
        models = train_fisherfaces(vectors, numbers, settings, pairs, report_progress, votes)
    for path, model in zip(paths, models, strict=True):
        write_opencv_model(path, model, labels)
    return [float(f"{weight:.6g}") for weight in weights]


def _name_of_data(config: FisherfaceConfig) -> str:
    name = f"training faces of {config.data.name} and their mirror images"
    if config.more:
        name += f", {config.more.name} (at most {config.more_per_label} per label)"
    if config.learn_portraits and config.portraits:
        name += f", {config.portraits.name} ({config.portrait_copies} crops of each)"
    return name


def write_opencv_trained(
    paths: Sequence[Path],
    vectors: np.ndarray,
    numbers: np.ndarray,
    labels: Mapping[int, str],
    images: int,
    seed: int,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Train one model per path as the tutorials do, to compare with ours; write it as OpenCV XML.

    ``cv2.face.FisherFaceRecognizer.train`` keeps N - C principal components of N images of C
    classes and stores every training image as a projection, so that its answer is that of the
    nearest image. Its time grows with the cube of the number of images.

    Args:
        paths: files to write; gzipped if the names end in .gz.
        vectors: (N, D) float32 descriptors.
        numbers: (N,) int class numbers.
        labels: the name of each class number.
        images: how many of the N each model is trained on; all if there are fewer.
        seed: of the random choice.
        progress: is told what is being done.

    Raises:
        ValueError: OpenCV refuses or has no Fisherfaces, or a class has no image among those
            chosen.
    """
    check_opencv_face()
    rng = np.random.default_rng(seed)
    for place, path in enumerate(paths):
        progress(f"OpenCV trains model {place + 1} of {len(paths)}")
        chosen = rng.permutation(len(vectors))[:images]
        if missing := [name for n, name in labels.items() if n not in numbers[chosen]]:
            raise ValueError(f"no image of {', '.join(missing)} among {len(chosen)} chosen ones")
        member = cv2.face.FisherFaceRecognizer.create()
        try:
            member.train([vector[None] for vector in vectors[chosen].astype(np.float64)],
                         numbers[chosen].astype(np.int32))  # fmt: skip
        except cv2.error as error:
            raise ValueError(f"OpenCV's trainer refuses: {error}") from error
        for number, name in labels.items():
            member.setLabelInfo(number, name)
        member.write(str(path))
