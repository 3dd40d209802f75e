"""Classifiers on descriptors: ``svm``, ``knn``, ``mlp``, and ``landmarks``, an SVM on 68 points.

A folder holds ``manifest.yaml`` and one npz file of plain arrays; training is in
expression_ros.training.vectors.fitting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros.recognition.classifier import Prediction, above_thresholds, prediction_from
from expression_ros.recognition.descriptors import Descriptor, descriptor_of
from expression_ros.recognition.face_preparation import FacePreparation, prepare_face
from expression_ros.recognition.model_manifest import (
    MANIFEST_NAME,
    ModelError,
    ModelManifest,
    read_manifest,
    remedy,
)
from expression_ros.recognition.vector_rules import (
    Rule,
    RuleError,
    Standardization,
    rule_from_arrays,
)
from expression_ros.whole_files import ArraysError, read_plain_arrays

KINDS = ("svm", "knn", "mlp", "landmarks")

_MOST_BYTES = 1 << 30  # knn keeps all its examples: 30,000 of 2,304 numbers have 280 MB


@dataclass(frozen=True)
class VectorModel:
    """What is learned from descriptors.

    Attributes:
        standardization: applied to a descriptor first.
        rule: what the result means.
    """

    standardization: Standardization
    rule: Rule

    def __post_init__(self) -> None:
        if self.standardization.size_out != self.rule.size:
            raise RuleError(
                f"the rule takes {self.rule.size} numbers, not {self.standardization.size_out}"
            )

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """Return (N, C) float64, rows adding to 1, of (N, D) float descriptors."""
        return self.rule.probabilities(self.standardization.apply(vectors))


def write_vector_model(path: Path, model: VectorModel) -> None:
    """Write a model as npz: arrays of numbers and the rule's name, no pickles."""
    arrays: dict[str, Any] = {**model.standardization.arrays(), **model.rule.arrays()}
    np.savez(path, rule=np.array(model.rule.name), **arrays)


def read_vector_model(path: Path) -> VectorModel:
    """Read what ``write_vector_model`` wrote.

    Raises:
        RuleError: the file is not an npz file of such arrays, or they do not fit together.
        OSError: it cannot be read at all.
    """
    try:
        arrays = read_plain_arrays(path, _MOST_BYTES)
    except ArraysError as error:
        raise RuleError(str(error)) from error
    for name in ("rule", "centre", "scale"):
        if name not in arrays:
            raise RuleError(f"it has no array {name!r}")
    standardization = Standardization(arrays["centre"], arrays["scale"], arrays.get("basis"))
    return VectorModel(standardization, rule_from_arrays(str(arrays["rule"]), arrays))


class VectorClassifier:
    """Reads a face by a rule on its descriptor. Not thread-safe: one object per thread.

    Args:
        model: the trained numbers.
        labels: the vocabulary's label of each class 0..C-1.
        descriptor: the descriptor it was trained on.
        face: the face preparation it was trained on.
        thresholds: a label is said only if its probability reaches its threshold, 0..1; labels
            that are left out have none. May be changed at any time. See scores.above_thresholds.
        manifest: what was read beside the model, for reports.
    """

    def __init__(
        self,
        model: VectorModel,
        labels: Sequence[str],
        descriptor: Descriptor,
        face: FacePreparation,
        thresholds: Mapping[str, float] | None = None,
        manifest: ModelManifest | None = None,
    ) -> None:
        if model.rule.classes != len(labels):
            raise RuleError(f"it tells {model.rule.classes} classes apart, not {len(labels)}")
        if model.standardization.size != descriptor.size:
            raise RuleError(
                f"it is made for descriptors of {model.standardization.size}, "
                f"not of {descriptor.size}"
            )
        self.model = model
        self.labels = tuple(labels)
        self.descriptor = descriptor
        self.face = face
        self.thresholds = checked_thresholds(thresholds or {}, self.labels)
        self.manifest = manifest

    @classmethod
    def load(cls, folder: str | Path, kind: str) -> VectorClassifier:
        """Load the model of a folder with a manifest.

        Args:
            folder: the model folder.
            kind: one of KINDS.

        Raises:
            ModelError: something is missing, corrupt or does not fit together.
        """
        folder = Path(folder)
        manifest = read_manifest(folder, kind)
        descriptor = descriptor_of(manifest, folder)
        numbers = sorted(manifest.labels)
        if numbers != list(range(len(numbers))) or len(manifest.files) != 1:
            raise ModelError(
                f"{folder / MANIFEST_NAME}: a model of kind {kind} has one file and labels "
                f"numbered from 0; {remedy(kind)}"
            )
        path = folder / manifest.files[0].path
        labels = [manifest.labels[number] for number in numbers]
        try:
            model = read_vector_model(path)
            thresholds = manifest.settings.get("thresholds") or {}
            return cls(model, labels, descriptor, manifest.face, thresholds, manifest)
        except RuleError as error:
            raise ModelError(
                f"model file {path} cannot be used: {error}; {remedy(kind)}"
            ) from error

    def read(self, grey_frame: np.ndarray, box: Sequence[int]) -> Prediction:
        """Return the expression of the face in a box; see Classifier.read."""
        return self.predict(prepare_face(grey_frame, box, self.face))

    def predict(self, face: np.ndarray) -> Prediction:
        """Return the expression of a prepared face, (S, S) uint8."""
        return self.predict_descriptor(self.descriptor.describe(face))

    def predict_descriptor(self, vector: np.ndarray) -> Prediction:
        """Return the expression of a described face, (1, D) float."""
        probabilities = self.model.probabilities(vector)[0]
        if self.thresholds:
            probabilities = above_thresholds(self.labels, probabilities, self.thresholds)
        return prediction_from(self.labels, probabilities)


def checked_thresholds(thresholds: object, labels: Sequence[str]) -> dict[str, float]:
    """Return thresholds by label.

    Raises:
        RuleError: one is for a label that cannot be said or outside of 0..1.
    """
    if not isinstance(thresholds, Mapping):
        raise RuleError("thresholds must be a mapping from labels to numbers")
    for label, value in thresholds.items():
        if label not in labels:
            raise RuleError(f"there is a threshold for {label!r}; it says {', '.join(labels)}")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise RuleError(f"the threshold of {label} must be between 0 and 1, not {value!r}")
    return {label: float(value) for label, value in thresholds.items()}
