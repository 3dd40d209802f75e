"""What of the recognition may be changed while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from expression_ros.parameters.choices import LARGEST
from expression_ros.recognition.classifier import Classifier
from expression_ros.recognition.detection import check_settings
from expression_ros.recognition.detector import Detector
from expression_ros.recognition.vote import expect


@dataclass(frozen=True)
class RecognitionSettings:
    """What of the reading may be changed while it runs: all at once, by others in their place.

    Attributes:
        redetect_interval: seconds between searches of the whole frame while a face is known.
        smoothing: time constant of the score smoothing in seconds; 0 for none.
        switch_margin: by how much another label must lead before it takes over.
        min_confidence: from this score on a face's label is said.
        talking_time: for how many seconds a label must last while the person speaks.
        doubt_time: seconds of the strongest doubt after which a label becomes ``unknown``.
        resting_state: whether a face is read relative to its own resting state.
        primary: which face is the primary one, one of PRIMARY_CHOICES.
        primary_id: of the face for the choice "id".
        background: search the whole frame for newcomers in a thread of its own, so that no frame
            waits for it. What it finds counts a few frames later; without, the same frames always
            give the same readings.
        face_selection: which faces the detector returns, see Detector; None leaves it as it is.
        min_face: width of the smallest face as a fraction of the frame's height; None as above.
        expectation: what faces the classifier expects, one of EXPECTATIONS; None as above.
    """

    redetect_interval: float = 1.0
    smoothing: float = 0.25
    switch_margin: float = 0.1
    min_confidence: float = 0.0
    talking_time: float = 1.0
    doubt_time: float = 1.0
    resting_state: bool = True
    primary: str = LARGEST
    primary_id: int = 0
    background: bool = False
    face_selection: str | None = None
    min_face: float | None = None
    expectation: str | None = None


def take_over(settings: RecognitionSettings, detector: Detector, classifier: Classifier) -> None:
    """Let detector and classifier do as the settings say, from the next frame on.

    Raises:
        ModelError: the classifier's model has not learnt the expectation.
        ValueError: a setting is out of range.
    """
    if not settings.min_confidence >= 0:  # NaN, too
        raise ValueError(
            f"min_confidence must be from 0 to 1, not {settings.min_confidence!r}: -1 stands for "
            "what the model's card says in RecognizerSettings, of which make_recognizer makes a "
            "recognizer"
        )
    selection, min_face = settings.face_selection, settings.min_face
    check_settings(
        detector.selection if selection is None else selection,
        detector.min_face if min_face is None else min_face,
    )
    if settings.face_selection is not None:
        detector.selection = settings.face_selection
    if settings.min_face is not None:
        detector.min_face = settings.min_face
    if settings.expectation is not None:
        expect(classifier, settings.expectation)
