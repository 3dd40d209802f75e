"""Fisherfaces that vote: ten cv2.face models, each answers, the mode is the label.

The method is that of Belhumeur, Hespanha and Kriegman, 1997; voting by models trained on random
subsets is bagging (Breiman, 1996). Training is in expression_ros.training.fisherfaces.ensemble, the
vote in expression_ros.recognition.vote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from expression_ros.parameters.choices import EVERYDAY, EXPECTATIONS
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.descriptors import Descriptor, descriptor_of
from expression_ros.recognition.face_preparation import FacePreparation, prepare_face
from expression_ros.recognition.model_manifest import (
    MANIFEST_NAME,
    ModelError,
    ModelManifest,
    read_manifest,
    remedy,
)
from expression_ros.recognition.opencv_parts import missing_part
from expression_ros.recognition.vote import Ballot, Expectation, VoteCalibration, count_votes

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
        weights: (M,) of the members' votes, positive; all alike when left out.
        calibration: how scores come from votes; they are shares of votes when left out.

    Attributes:
        columns: the place of each class number in ``labels``.
        expectations: what may be expected of faces, by name; everyday ones from the start.
        priors: (C,) float, what is now added to the logarithms of the priors of the labels.
    """

    def __init__(
        self,
        members: Sequence[cv2.face.FisherFaceRecognizer],
        labels: Mapping[int, str],
        descriptor: Descriptor,
        face: FacePreparation,
        manifest: ModelManifest | None = None,
        weights: Sequence[float] | None = None,
        calibration: VoteCalibration | None = None,
    ) -> None:
        if not members:
            raise ValueError("an ensemble needs at least one member")
        self.weights = np.ones(len(members)) if weights is None else np.array(weights, float)
        if self.weights.shape != (len(members),) or not np.all(self.weights > 0):
            raise ValueError(f"{len(members)} members need as many positive weights")
        self.calibration = calibration
        self.members = tuple(members)
        self.descriptor = descriptor
        self.face = face
        self.manifest = manifest
        self._label_of = dict(labels)
        self.columns = {number: column for column, number in enumerate(sorted(self._label_of))}
        self.expectations = {EVERYDAY: Expectation(calibration=calibration)}
        self.priors = np.zeros(len(self.columns))
        self._collectors = [cv2.face.StandardCollector.create() for _ in members]

    @classmethod
    def load(cls, folder: str | Path) -> FisherfaceEnsemble:
        """Load the models of a folder with a manifest.

        Raises:
            ModelError: something is missing, corrupt or does not fit together.
        """
        check_opencv_face()
        folder = Path(folder)
        manifest = read_manifest(folder, KIND)
        descriptor = descriptor_of(manifest, folder)
        members = [
            load_member(folder / file.path, descriptor.size, manifest.labels)
            for file in manifest.files
        ]
        weights, calibration = _vote_settings(manifest, folder)
        ensemble = cls(
            members, manifest.labels, descriptor, manifest.face, manifest, weights, calibration
        )
        ensemble.expectations |= _expectations(manifest, folder)
        return ensemble

    def expect(self, expectation: Expectation) -> None:
        """Read faces from now on with these priors and scores."""
        self.priors = np.array([expectation.priors.get(label, 0.0) for label in self.labels])
        self.calibration = expectation.calibration

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
        return count_votes(self.ballot(vector), self.labels, self.weights, self.calibration)

    def ballot(self, vector: np.ndarray) -> Ballot:
        """Return what each member answers, and how near it finds every class.

        Args:
            vector: (1, D) float, a described face.
        """
        choices = np.empty(len(self.members), int)
        distances = np.full((len(self.members), len(self.columns)), np.inf)
        for row, (member, collector) in enumerate(zip(self.members, self._collectors, strict=True)):
            member.predict_collect(vector, collector)
            choices[row] = self.columns[collector.getMinLabel()]
            for number, distance in collector.getResults():
                column = self.columns[number]
                distances[row, column] = min(distances[row, column], distance)
        return Ballot(choices, distances).expecting(self.priors)


def _vote_settings(
    manifest: ModelManifest, folder: Path
) -> tuple[list[float] | None, VoteCalibration | None]:
    """Return the members' weights and the calibration of a manifest, None where it has none."""
    weights, calibration = (manifest.settings.get(name) for name in ("weights", "calibration"))
    path = folder / MANIFEST_NAME
    if weights is not None:
        try:
            weights = [float(weight) for weight in weights]
        except (TypeError, ValueError):
            raise _unfit(path, f"weights {weights!r} are no numbers") from None
        if len(weights) != len(manifest.files) or not all(0 < w < np.inf for w in weights):
            raise _unfit(path, f"{len(manifest.files)} members need as many positive weights")
    try:
        return weights, VoteCalibration.from_mapping(calibration) if calibration else None
    except ValueError as error:
        raise _unfit(path, str(error)) from error


def _expectations(manifest: ModelManifest, folder: Path) -> dict[str, Expectation]:
    given = manifest.settings.get("expectations", {})
    path = folder / MANIFEST_NAME
    if not isinstance(given, Mapping) or (unknown := sorted(set(given) - set(EXPECTATIONS))):
        what = unknown[0] if isinstance(given, Mapping) else given
        raise _unfit(path, f"expectations are {', '.join(EXPECTATIONS)}, not {what!r}")
    try:
        found = {name: Expectation.from_mapping(one) for name, one in given.items()}
    except ValueError as error:
        raise _unfit(path, str(error)) from error
    for one in found.values():
        if strange := sorted(set(one.priors) - set(manifest.labels.values())):
            raise _unfit(path, f"expectations name {strange[0]!r}, not a label of the model")
    return found


def check_opencv_face() -> None:
    """Raise ModelError, with the remedy, if this OpenCV has no Fisherfaces."""
    for part in ("face.FisherFaceRecognizer", "face.StandardCollector"):
        if problem := missing_part(part):
            raise ModelError(problem)


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
    check_opencv_face()
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
