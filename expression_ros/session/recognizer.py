"""What a recognizer is made of, and the one place that makes it: for the nodes and without them.

Classifier, model, person, region, detector and what may change at run time are told by one frozen
object. Its defaults are those of the recognizer's parameters, which are plain data: no ROS.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros.parameters.choices import FULL_FACE
from expression_ros.parameters.files import did_you_mean
from expression_ros.parameters.recognizer import RECOGNIZER_PARAMETERS
from expression_ros.parameters.table import check_value
from expression_ros.recognition.adapted_vote import adapted
from expression_ros.recognition.classifier import Classifier
from expression_ros.recognition.detector_choice import DetectorChoice
from expression_ros.recognition.fisherfaces import KIND, FisherfaceEnsemble
from expression_ros.recognition.model_manifest import MANIFEST_NAME, ModelError
from expression_ros.recognition.models import load_classifier
from expression_ros.recognition.person import load_person
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recognition.readings import FrameReading
from expression_ros.recognition.regional_vote import regional
from expression_ros.recognition.settings import RecognitionSettings
from expression_ros.recognition.vote import check_expectation

PARAMETERS = {spec.name: spec for spec in RECOGNIZER_PARAMETERS}
# The parameters that may change at run time; whether to search in the background is none.
RUN_TIME_NAMES = tuple(f.name for f in fields(RecognitionSettings) if f.name != "background")
CARD_CONFIDENCE = "min_confidence"  # in the settings of a model's manifest
PLAIN_CONFIDENCE = 0.6  # of a model whose manifest does not say
_PHOTO_MIN_FACE = 0.06  # of the image's height: on a photo small faces are meant, too


@dataclass(frozen=True)
class RecognizerSettings:
    """All that a recognizer is made of.

    Attributes:
        classifier, model, label_thresholds: see load_classifier.
        person: whom to adapt to, see load_person; empty for nobody.
        region: which part of a face is read, one of REGIONS.
        detector: which one finds the faces.
        run_time: what may be changed while frames are read; its min_confidence below 0 stands for
            what the model's card says.
    """

    classifier: str
    model: str
    label_thresholds: str
    person: str
    region: str
    detector: DetectorChoice
    run_time: RecognitionSettings

    @classmethod
    def from_values(
        cls, given: Mapping[str, Any] | None = None, *, background: bool = False
    ) -> RecognizerSettings:
        """Return the settings of parameters of the node; those left out have their defaults.

        Args:
            given: values by name, as in the recognizer's table.
            background: see RecognitionSettings. Without, the same frames always give the same
                readings.

        Raises:
            ValueError: a parameter does not exist, or a value is not acceptable.
        """
        values = {name: spec.default for name, spec in PARAMETERS.items()} | _checked(given or {})
        texts = {name: str(values[name]) for name in
                 ("classifier", "model", "label_thresholds", "person", "region")}  # fmt: skip
        detector = DetectorChoice(
            *(str(values[name]) for name in ("detector", "detector_model", "detector_sha256"))
        )
        return cls(**texts, detector=detector, run_time=run_time_settings(values, background))

    def for_photos(self, min_face: float = _PHOTO_MIN_FACE) -> RecognizerSettings:
        """Return the same for photos: small faces count, and each is told its likeliest label.

        Args:
            min_face: see FaceDetector.
        """
        run_time = replace(
            self.run_time, face_selection="all", min_face=min_face, min_confidence=0.0
        )
        return replace(self, run_time=run_time)


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    given = {k: os.fspath(v) if isinstance(v, os.PathLike) else v for k, v in given.items()}
    for name, value in given.items():
        if name not in PARAMETERS:
            raise ValueError(f"there is no parameter {name}{did_you_mean(str(name), PARAMETERS)}")
        if problem := check_value(PARAMETERS[name], value):
            raise ValueError(problem)
    return given


def run_time_settings(values: Mapping[str, Any], background: bool) -> RecognitionSettings:
    """Return what may be changed while frames are read.

    Args:
        values: of RUN_TIME_NAMES, which must all be there; others are passed over.
        background: see RecognitionSettings.
    """
    chosen = {name: values[name] for name in RUN_TIME_NAMES}
    return RecognitionSettings(background=background, **chosen)


def make_recognizer(
    settings: RecognizerSettings, general: Classifier | None = None
) -> ExpressionRecognizer:
    """Return what reads frames; close() it at the end.

    Args:
        settings: what it is made of.
        general: the classifier before it is adapted to person and region, where it is loaded
            already.

    Raises:
        ValueError: something is missing, corrupt or does not fit together.
    """
    if general is None:
        general = load_classifier(settings.classifier, settings.model, settings.label_thresholds)
    classifier = adapted_to(general, settings)
    run_time = as_in_force(settings.run_time, classifier)
    selection, min_face = run_time.face_selection, run_time.min_face
    assert selection is not None and min_face is not None
    return ExpressionRecognizer(settings.detector.make(selection, min_face), classifier, run_time)


def adapted_to(general: Classifier, settings: RecognizerSettings) -> Classifier:
    """Return a classifier as it reads for the person and the region of the settings.

    Raises:
        ValueError: there is no such person, or the classifier cannot be adapted.
    """
    classifier = general
    if settings.person:
        classifier = adapted(classifier, load_person(settings.person))
    return classifier if settings.region == FULL_FACE else regional(classifier, settings.region)


def as_in_force(run_time: RecognitionSettings, classifier: Classifier) -> RecognitionSettings:
    """Return run-time settings as a classifier can follow them.

    Raises:
        ModelError: its model has not learnt the expectation, or does not say how sure is enough.
    """
    if run_time.expectation is not None:
        check_expectation(classifier, run_time.expectation)
    if run_time.min_confidence >= 0:
        return run_time
    return replace(run_time, min_confidence=card_confidence(classifier))


def card_confidence(classifier: Classifier) -> float:
    """Return from which score on the model's card lets a label be said, 0 to 1.

    Raises:
        ModelError: its manifest says something else than a probability.
    """
    manifest = getattr(classifier, "manifest", None)
    value = PLAIN_CONFIDENCE if manifest is None else manifest.settings.get(
        CARD_CONFIDENCE, PLAIN_CONFIDENCE
    )  # fmt: skip
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and math.isfinite(value) and 0 <= value <= 1:
        return float(value)
    raise ModelError(
        f"the model's {MANIFEST_NAME} says {CARD_CONFIDENCE}: {value!r}, not a number from "
        "0 to 1; correct it there, or set the parameter min_confidence"
    )


def fisherfaces_of(model: str | Path = "") -> FisherfaceEnsemble:
    """Return the Fisherfaces of a folder, the shipped ones where none is named.

    Raises:
        ValueError: they are missing or corrupt.
    """
    ensemble = load_classifier(KIND, model)
    assert isinstance(ensemble, FisherfaceEnsemble)
    return ensemble


def read_alone(recognizer: ExpressionRecognizer, grey: np.ndarray, first: int = 1) -> FrameReading:
    """Return what is on a photo; nothing is tracked or smoothed from one to the next.

    Args:
        recognizer: reads it; what it knows of a film is left as it is.
        grey: (H, W) uint8.
        first: id of the first face, the others count on. The first is the primary one.

    Raises:
        ValueError: as for ExpressionRecognizer.read_still.
    """
    reading = recognizer.read_still(grey)
    faces = tuple(replace(face, id=k) for k, face in enumerate(reading.faces, start=first))
    return replace(reading, faces=faces, primary=faces[0] if faces else None)
