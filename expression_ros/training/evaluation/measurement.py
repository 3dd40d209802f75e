"""A classifier's answers on a data set, by the calls of run time, and how long each took."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, cast

import numpy as np

from expression_ros.images.files import PhotoError
from expression_ros.progress import with_progress
from expression_ros.recognition.classifier import Classifier, Prediction
from expression_ros.recognition.detector_choice import DetectorChoice
from expression_ros.recognition.face_preparation import FaceError, FacePreparation, prepare_crop
from expression_ros.recognition.face_views import agreed, levelled, read_both_ways
from expression_ros.training.data.faces import DataError, FaceSet
from expression_ros.training.data.labelled_images import (
    CROPPED,
    FACES_CHOICES,
    DataSet,
    Dropped,
    LabelledImage,
)

MIN_FACE = 0.12  # in labelled images smaller faces are bystanders, or none


class MeasuredClassifier(Protocol):
    """What is asked of a classifier here: what the pipeline asks, and faces that are cut out."""

    face: FacePreparation

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can answer, in the order of its scores."""
        ...

    def read(self, grey_frame: np.ndarray, box: Sequence[int]) -> Prediction:
        """Return the expression of the face in a box (x, y, w, h) in px of a (H, W) uint8 frame."""
        ...

    def predict(self, face: np.ndarray) -> Prediction:
        """Return the expression of a prepared face, (S, S) uint8."""
        ...


@dataclass
class Measurement:
    """Answers on the faces of a data set.

    Attributes:
        labels: what the classifier can say.
        sources: (N) files of the images.
        truth: (N) true labels, each one that the classifier can say.
        said: (N) what it said.
        votes: (N) what people saw, see people_votes.VOTE_NAMES; None where nobody was asked.
        latency_s: (N) seconds to prepare, describe and classify each face.
        detection_s: seconds to search each image; empty where faces were cropped already.
        no_face: images on which no cascade saw exactly one face.
        unreadable: images that could not be read.
        cannot_say: how many images have each label that the classifier cannot say; these were
            not looked at.
    """

    labels: tuple[str, ...]
    sources: list[str] = field(default_factory=list)
    truth: list[str] = field(default_factory=list)
    said: list[Prediction] = field(default_factory=list)
    votes: list[np.ndarray | None] = field(default_factory=list)
    latency_s: list[float] = field(default_factory=list)
    detection_s: list[float] = field(default_factory=list)
    no_face: list[Dropped] = field(default_factory=list)
    unreadable: list[Dropped] = field(default_factory=list)
    cannot_say: Counter[str] = field(default_factory=Counter)

    @property
    def scores(self) -> np.ndarray:
        """What the classifier thinks of each of its answers, (N,) float, 0..1."""
        return np.array([prediction.score for prediction in self.said])

    @property
    def right(self) -> np.ndarray:
        """Whether each answer is right, (N,) bool."""
        pairs = zip(self.said, self.truth, strict=True)
        return np.array([prediction.label == truth for prediction, truth in pairs], bool)


def measure(
    classifier: MeasuredClassifier,
    data: DataSet,
    faces: str,
    min_face: float = MIN_FACE,
    detector: DetectorChoice | None = None,
) -> Measurement:
    """Ask a classifier about every image of a data set.

    Args:
        classifier: any.
        data: its images, read one by one.
        faces: "cropped" takes the images as faces; "detect" searches the one face of each, as
            the recognizer does with ``face_selection: single``.
        min_face: width of the smallest face that is searched, as a fraction of the height.
        detector: which one finds the faces; the four cascades when left out.

    Raises:
        DataError: ``faces`` is neither, ``min_face`` is out of range, the detector cannot be
            loaded, or faces were cut out and prepared for another light than the classifier's.
    """
    if faces not in FACES_CHOICES:
        raise DataError(f"faces must be {' or '.join(FACES_CHOICES)}, not {faces!r}")
    result = Measurement(tuple(classifier.labels))
    if faces == CROPPED:
        answer = _crop_reader(classifier, data)
    else:
        answer = _searcher(classifier, min_face, detector or DetectorChoice())
    for image in with_progress(data.images, f"reading {data.name}"):
        if image.label not in result.labels:
            result.cannot_say[image.label] += 1
            continue
        try:
            answer(image, image.read(), result)
        except (PhotoError, FaceError) as error:
            detail = str(error).removeprefix(f"{image.source}: ")
            dropped = Dropped(image.source, "unreadable image", detail, is_fault=True)
            result.unreadable.append(dropped)
    return result


def share_right(classifier: Classifier, faces: FaceSet) -> float:
    """Return the share of faces, cut out already, whose label the classifier says, 0..1."""
    measured = cast(MeasuredClassifier, classifier)
    images = with_progress(faces.images, f"measuring on {len(faces):,} faces")
    said = [measured.predict(prepare_crop(image, measured.face)).label for image in images]
    return float(np.mean(np.array(said) == faces.labels))


_Reader = Callable[[LabelledImage, np.ndarray, Measurement], None]


def _crop_reader(classifier: MeasuredClassifier, data: DataSet) -> _Reader:
    preparation = _of_crops(classifier.face, data)

    def read(image: LabelledImage, grey: np.ndarray, result: Measurement) -> None:
        begin = time.perf_counter()
        face = prepare_crop(grey, preparation)
        views = (face, np.ascontiguousarray(face[:, ::-1]))
        prediction = agreed([classifier.predict(view) for view in views])
        _note(image, prediction, time.perf_counter() - begin, result)

    return read


def _of_crops(face: FacePreparation, data: DataSet) -> FacePreparation:
    """Return what is left to do with crops, whose light may have been treated already."""
    if data.crops is None or data.crops.light == "none":
        return face
    if data.crops.light != face.light:
        raise DataError(
            f"{data.name} was prepared with light {data.crops.light}, the model expects "
            f"{face.light}: expression-ros prepare --light {face.light} with the original data"
        )
    return replace(face, light="none")


def _searcher(classifier: MeasuredClassifier, min_face: float, choice: DetectorChoice) -> _Reader:
    try:
        detector = choice.make("single", min_face)
    except ValueError as error:
        raise DataError(str(error)) from error

    def read(image: LabelledImage, grey: np.ndarray, result: Measurement) -> None:
        begin = time.perf_counter()
        found = detector.search_frame(grey)
        searched = time.perf_counter()
        result.detection_s.append(searched - begin)
        if len(found) != 1:
            result.no_face.append(Dropped(image.source, "not exactly one face"))
            return
        view = levelled(grey, found[0].box, found[0].tilt)
        prediction = read_both_ways(classifier, *view)
        _note(image, prediction, time.perf_counter() - searched, result)

    return read


def _note(
    image: LabelledImage, prediction: Prediction, seconds: float, result: Measurement
) -> None:
    result.sources.append(image.source)
    result.truth.append(image.label)
    result.said.append(prediction)
    result.votes.append(image.votes)
    result.latency_s.append(seconds)
