"""Fisherfaces that vote: ten cv2.face models, each answers, the mode is the label.

The method is that of Belhumeur, Hespanha and Kriegman, 1997; voting by models trained on random
subsets is bagging (Breiman, 1996). Training is in expression_ros.training.fisherfaces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.descriptors import Descriptor
from expression_ros.recognition.face_preparation import FacePreparation, prepare_face
from expression_ros.recognition.model_descriptor import descriptor_of
from expression_ros.recognition.model_manifest import (
    ModelError,
    ModelManifest,
    read_manifest,
    remedy,
)

KIND = "fisherfaces"


class FisherfaceEnsemble:
    """An ensemble of cv2.face.FisherFaceRecognizer models that votes by mode.

    Not thread-safe where the descriptor is a network: use one object per thread.

    Args:
        members: trained models, at least one; read-only here.
        labels: the vocabulary's label of each class number that the members say.
        descriptor: the descriptor they were trained on.
        face: the face preparation they were trained on.
        manifest: what was read beside them, for reports.
    """

    def __init__(
        self,
        members: Sequence[cv2.face.FisherFaceRecognizer],
        labels: Mapping[int, str],
        descriptor: Descriptor,
        face: FacePreparation,
        manifest: ModelManifest | None = None,
    ) -> None:
        if not members:
            raise ValueError("an ensemble needs at least one member")
        self.members = tuple(members)
        self.descriptor = descriptor
        self.face = face
        self.manifest = manifest
        self._label_of = dict(labels)

    @classmethod
    def load(cls, folder: str | Path) -> FisherfaceEnsemble:
        """Load the models of a folder with a manifest.

        Raises:
            ModelError: something is missing, corrupt or does not fit together.
        """
        folder = Path(folder)
        manifest = read_manifest(folder, KIND)
        descriptor = descriptor_of(manifest, folder)
        members = [
            load_member(folder / file.path, descriptor.size, manifest.labels)
            for file in manifest.files
        ]
        return cls(members, manifest.labels, descriptor, manifest.face, manifest)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels the ensemble can say, in the order of their class numbers."""
        return tuple(self._label_of[number] for number in sorted(self._label_of))

    def read(self, grey_frame: np.ndarray, box: Sequence[int]) -> Prediction:
        """Return the expression of the face in a box; see Classifier.read."""
        return self.predict(prepare_face(grey_frame, box, self.face))

    def predict(self, face: np.ndarray) -> Prediction:
        """Return the expression of a prepared face, (S, S) uint8."""
        return self.predict_descriptor(self.descriptor.describe(face))

    def predict_descriptor(self, vector: np.ndarray) -> Prediction:
        """Return the expression of a described face, (1, D) float."""
        return count_votes(self.votes(vector), self.labels)

    def votes(self, vector: np.ndarray) -> list[tuple[str, float]]:
        """Return each member's label and its distance, in the order of the members.

        Args:
            vector: (1, D) float, a described face.
        """
        answers = [member.predict(vector) for member in self.members]
        return [(self._label_of[number], distance) for number, distance in answers]


def count_votes(votes: Sequence[tuple[str, float]], labels: Sequence[str]) -> Prediction:
    """Return the mode of the votes; a tie goes to the label whose voters were nearest.

    Args:
        votes: label and distance of each voter, at least one.
        labels: every label that could have been said.
    """
    counts = Counter(label for label, _ in votes)

    def rank(label: str) -> tuple[int, float]:
        distances = [distance for voted, distance in votes if voted == label]
        return counts[label], -sum(distances) / len(distances)

    winner = max(counts, key=rank)
    scores = {label: counts[label] / len(votes) for label in labels}
    return Prediction(winner, scores[winner], scores)


def load_member(
    path: Path, descriptor_size: int, labels: Mapping[int, str]
) -> cv2.face.FisherFaceRecognizer:
    """Read one model file (OpenCV XML, may be gzipped) and check that it can predict.

    Args:
        path: the file.
        descriptor_size: length D of the vectors it will be asked about.
        labels: the class numbers it may say.

    Raises:
        ModelError: this OpenCV lacks cv2.face, or the file is corrupt or does not fit.
    """
    if not hasattr(cv2, "face"):
        raise ModelError(
            "this OpenCV has no cv2.face; pip install 'opencv-contrib-python-headless>=4.6,<5' "
            "in place of opencv-python"
        )
    member = cv2.face.FisherFaceRecognizer.create()
    try:
        member.read(str(path))
    except cv2.error as error:
        raise _unfit(path, "OpenCV cannot parse it") from error
    # read() takes any well-formed XML, even without the numbers; predict() would then raise or
    # read memory that is not there.
    if problem := _problem(member, descriptor_size, labels):
        raise _unfit(path, problem)
    return member


def _unfit(path: Path, problem: str) -> ModelError:
    return ModelError(f"model file {path} cannot be used: {problem}; {remedy(KIND)}")


def _problem(
    member: cv2.face.FisherFaceRecognizer, descriptor_size: int, labels: Mapping[int, str]
) -> str | None:
    """Return what is wrong with a model that was read, or None."""
    basis, mean, numbers = member.getEigenVectors(), member.getMean(), member.getLabels()
    projections = member.getProjections()
    if basis is None or mean is None or numbers is None or not projections:
        return "eigenvectors, mean, labels or projections are missing"
    if basis.shape[0] != descriptor_size or mean.size != descriptor_size:
        return f"it is made for descriptors of {basis.shape[0]}, not of {descriptor_size}"
    if any(p is None or p.size != basis.shape[1] for p in projections):
        return f"its projections do not have the {basis.shape[1]} numbers of its eigenvectors"
    if any(array.dtype != basis.dtype for array in (mean, *projections)):
        return "its matrices mix float and double"
    if numbers.size != len(projections):
        return f"it has {numbers.size} labels for {len(projections)} projections"
    if not all(np.isfinite(array).all() for array in (basis, mean, *projections)):
        return "it holds numbers that are not finite"
    if unknown := sorted({int(number) for number in numbers.ravel()} - set(labels)):
        return f"it says the class numbers {unknown}, which the manifest does not name"
    return None
