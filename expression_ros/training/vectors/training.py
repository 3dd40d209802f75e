"""From labelled faces to a model folder of svm, knn, mlp or landmarks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros.recognition.descriptors import Descriptor, make_descriptor
from expression_ros.recognition.face_preparation import FacePreparation
from expression_ros.recognition.model_manifest import (
    ModelFile,
    ModelManifest,
    sha256_of,
    write_manifest,
)
from expression_ros.recognition.models import load_classifier
from expression_ros.recognition.vector_classifier import checked_thresholds, write_vector_model
from expression_ros.training.data.faces import (
    DataError,
    FaceSet,
    class_numbers,
    describe_faces,
    need_scikit_learn,
    prepare_faces,
    report_progress,
)
from expression_ros.training.evaluation.measurement import share_right
from expression_ros.training.vectors.fitting import (
    TrainedRule,
    VectorRuleSettings,
    train_vector_rule,
)

LANDMARKS = "landmarks"
LANDMARK_SIDE = 96  # px: dlib reads a 48 px face better when it is enlarged


@dataclass(frozen=True)
class VectorConfig:
    """How a classifier on descriptors is trained, and where it is written.

    Attributes:
        kind: of the classifier: svm, knn, mlp or landmarks.
        data: the data set, whose name goes into the manifest.
        output: model folder to write.
        rule: of what the classifier consists, and how it is fitted.
        face: how faces are cut out.
        descriptor: what it looks at: pixels, hog, embedding or landmarks.
        network: ONNX file of the descriptor ``embedding``.
        predictor: dlib's predictor of the descriptor ``landmarks``; empty for its usual one.
        limit: train on so many faces chosen at random; all when left out.
        mirror: train on the mirrored faces as well.
        thresholds: of ``landmarks``: a label is said only from this probability on.
    """

    kind: str
    data: Path
    output: Path
    rule: VectorRuleSettings
    face: FacePreparation = field(default_factory=FacePreparation)
    descriptor: str = "hog"
    network: Path = Path("models/embedding/embedding.onnx")
    predictor: str = ""
    limit: int | None = None
    mirror: bool = False
    thresholds: Mapping[str, float] = field(default_factory=dict)


def train(known: FaceSet, test: FaceSet, config: VectorConfig) -> tuple[TrainedRule, float]:
    """Describe faces, train a classifier on them, write its model folder, and measure it.

    Args:
        known: faces to train on.
        test: faces to measure on.
        config: how, and into which folder.

    Returns:
        The rule, and the share of the test faces that its model reads right as it will be used.

    Raises:
        DataError: scikit-learn is missing, or the faces are too few.
        DescriptorError: the descriptor's file or library is missing.
        ModelError: a threshold is of no label, or out of range.
        OSError: a file cannot be written.
    """
    need_scikit_learn("training")
    if config.limit:
        known = known.at_most(config.limit, config.rule.seed)
    config.output.mkdir(parents=True, exist_ok=True)
    descriptor = _new_descriptor(config)
    report_progress(f"{len(known):,} faces to train on, {len(test):,} to test on")
    vectors = _described(known, descriptor, config)
    labels, numbers = class_numbers(known.labels)
    thresholds = checked_thresholds(dict(config.thresholds), labels)
    pairs = np.arange(len(known))
    if config.mirror:
        vectors = np.concatenate([vectors, _described(known.mirrored(), descriptor, config)])
        numbers, pairs = np.tile(numbers, 2), np.tile(pairs, 2)
    try:
        trained = train_vector_rule(vectors, numbers, config.rule, pairs, report_progress)
    except ValueError as error:
        raise DataError(f"{config.data}: {error}") from error

    path = config.output / f"{config.kind}.npz"
    write_vector_model(path, trained.model)
    network = descriptor.settings.get("file")
    manifest = ModelManifest(
        kind=config.kind,
        labels=dict(enumerate(labels)),
        descriptor=descriptor.name,
        descriptor_size=descriptor.size,
        descriptor_settings=descriptor.settings,
        face=config.face,
        files=(ModelFile(path.name, sha256_of(path)),),
        descriptor_file=(
            ModelFile(network, sha256_of(config.output / network)) if network else None
        ),
        training={
            "data": config.data.name,
            "faces": len(known),
            "mirrored": config.mirror,
            "held_out": trained.held_out,
            "held_out_accuracy": round(trained.accuracy, 4),
            **config.rule.used(),
        },
        settings={"thresholds": thresholds} if config.kind == LANDMARKS else {},
    )
    write_manifest(config.output, manifest)
    return trained, share_right(load_classifier(config.kind, config.output), test)


def _new_descriptor(config: VectorConfig) -> Descriptor:
    settings: dict[str, Any] = {}
    if config.descriptor == "embedding":
        settings["file"] = Path(os.path.relpath(config.network, config.output)).as_posix()
    if config.descriptor == LANDMARKS:
        margin = max(config.face.margin, 0.0)
        settings["inset"] = round(margin / (1 + 2 * margin), 4)
        if config.predictor:
            settings["predictor"] = config.predictor
    return make_descriptor(config.descriptor, settings, config.face.size, config.output)


def _described(faces: FaceSet, descriptor: Descriptor, config: VectorConfig) -> np.ndarray:
    report_progress(f"describing {len(faces):,} faces by {descriptor.name}")
    return describe_faces(prepare_faces(faces.images, config.face), descriptor)
