"""Reads facial expressions from camera images and mirrors them onto a robot's face.

What other programs may use is in ``__all__``, loaded when it is first asked for: docs/python.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names as in _HOMES: a test holds them together
    from expression_ros.frames.opening import open_source
    from expression_ros.frames.sources import FrameSource
    from expression_ros.images.files import read_colour_photo, read_photo
    from expression_ros.mirroring.behaviour import Command, MirrorBehaviour
    from expression_ros.mirroring.robot import Robot
    from expression_ros.mirroring.robot_table import load_robot
    from expression_ros.recognition.classifier import Classifier, Prediction
    from expression_ros.recognition.detection import FaceDetector
    from expression_ros.recognition.models import load_classifier
    from expression_ros.recognition.overlay import draw_overlay
    from expression_ros.recognition.pipeline import ExpressionRecognizer
    from expression_ros.recognition.readings import FaceReading, FrameReading
    from expression_ros.recognition.settings import RecognitionSettings
    from expression_ros.session.recognizer import RecognizerSettings, make_recognizer
    from expression_ros.vocabulary import EMOTIONS, UNKNOWN

__all__ = [
    "EMOTIONS",
    "UNKNOWN",
    "Classifier",
    "Command",
    "ExpressionRecognizer",
    "FaceDetector",
    "FaceReading",
    "FrameReading",
    "FrameSource",
    "MirrorBehaviour",
    "Prediction",
    "RecognitionSettings",
    "RecognizerSettings",
    "Robot",
    "__version__",
    "draw_overlay",
    "load_classifier",
    "load_robot",
    "make_recognizer",
    "open_source",
    "read_colour_photo",
    "read_photo",
]
__version__ = "0.1.0"

_HOMES = {
    "frames.opening": ("open_source",),
    "frames.sources": ("FrameSource",),
    "images.files": ("read_colour_photo", "read_photo"),
    "mirroring.behaviour": ("Command", "MirrorBehaviour"),
    "mirroring.robot": ("Robot",),
    "mirroring.robot_table": ("load_robot",),
    "recognition.classifier": ("Classifier", "Prediction"),
    "recognition.detection": ("FaceDetector",),
    "recognition.models": ("load_classifier",),
    "recognition.overlay": ("draw_overlay",),
    "recognition.pipeline": ("ExpressionRecognizer",),
    "recognition.readings": ("FaceReading", "FrameReading"),
    "recognition.settings": ("RecognitionSettings",),
    "session.recognizer": ("RecognizerSettings", "make_recognizer"),
    "vocabulary": ("EMOTIONS", "UNKNOWN"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name from its home when it is first asked for: OpenCV takes a while to load."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
