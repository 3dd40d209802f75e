"""Reads facial expressions from camera images and mirrors them onto a robot's face.

What other programs may use is in ``__all__``, loaded when it is first asked for: docs/python.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from expression_ros.frames.opening import open_source as open_source
    from expression_ros.frames.sources import FrameSource as FrameSource
    from expression_ros.mirroring.behaviour import Command as Command
    from expression_ros.mirroring.behaviour import MirrorBehaviour as MirrorBehaviour
    from expression_ros.mirroring.robot import Robot as Robot
    from expression_ros.mirroring.robot_table import load_robot as load_robot
    from expression_ros.recognition.boxes import Box as Box
    from expression_ros.recognition.classifier import Classifier as Classifier
    from expression_ros.recognition.classifier import Prediction as Prediction
    from expression_ros.recognition.detection import FaceDetector as FaceDetector
    from expression_ros.recognition.models import load_classifier as load_classifier
    from expression_ros.recognition.overlay import draw_overlay as draw_overlay
    from expression_ros.recognition.photos import read_colour_photo as read_colour_photo
    from expression_ros.recognition.photos import read_photo as read_photo
    from expression_ros.recognition.pipeline import ExpressionRecognizer as ExpressionRecognizer
    from expression_ros.recognition.readings import FaceReading as FaceReading
    from expression_ros.recognition.readings import FrameReading as FrameReading
    from expression_ros.recognition.settings import RecognitionSettings as RecognitionSettings
    from expression_ros.vocabulary import EMOTIONS as EMOTIONS
    from expression_ros.vocabulary import UNKNOWN as UNKNOWN
    from expression_ros.vocabulary import canonical_label as canonical_label

__all__ = [
    "EMOTIONS",
    "UNKNOWN",
    "Box",
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
    "Robot",
    "__version__",
    "canonical_label",
    "draw_overlay",
    "load_classifier",
    "load_robot",
    "open_source",
    "read_colour_photo",
    "read_photo",
]
__version__ = "0.1.0"

_HOMES = {
    "ExpressionRecognizer": "recognition.pipeline",
    "FaceDetector": "recognition.detection",
    "RecognitionSettings": "recognition.settings",
    "FrameReading": "recognition.readings",
    "FaceReading": "recognition.readings",
    "Box": "recognition.boxes",
    "load_classifier": "recognition.models",
    "Classifier": "recognition.classifier",
    "Prediction": "recognition.classifier",
    "read_photo": "recognition.photos",
    "read_colour_photo": "recognition.photos",
    "open_source": "frames.opening",
    "FrameSource": "frames.sources",
    "draw_overlay": "recognition.overlay",
    "MirrorBehaviour": "mirroring.behaviour",
    "Command": "mirroring.behaviour",
    "load_robot": "mirroring.robot_table",
    "Robot": "mirroring.robot",
    "EMOTIONS": "vocabulary",
    "UNKNOWN": "vocabulary",
    "canonical_label": "vocabulary",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
