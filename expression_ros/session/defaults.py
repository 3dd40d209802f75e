"""Recognition and mirror without the nodes, set as the nodes are by default.

For the window and the page; imports no ROS. The tables of parameters are plain data.
"""

from __future__ import annotations

from typing import Any

from expression_ros.mirroring.behaviour import MirrorBehaviour
from expression_ros.mirroring.robot_table import Robot
from expression_ros.mirroring.styles import Style
from expression_ros.parameters.nodes import MIRROR_PARAMETERS
from expression_ros.parameters.recognizer import RECOGNIZER_PARAMETERS
from expression_ros.recognition.classifier import Classifier
from expression_ros.recognition.detector_choice import DetectorChoice
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recognition.settings import RecognitionSettings

_MIRROR: dict[str, Any] = {spec.name: spec.default for spec in MIRROR_PARAMETERS}
_RECOGNIZER: dict[str, Any] = {spec.name: spec.default for spec in RECOGNIZER_PARAMETERS}
_TIMES = ("min_hold", "neutral_after", "cooldown", "attack", "release", "full_score")
_SETTINGS = (
    "redetect_interval", "smoothing", "switch_margin", "min_confidence", "talking_time",
    "doubt_time", "resting_state",
)  # fmt: skip


def recognizer_as_node(
    classifier: Classifier, detector: DetectorChoice | None = None
) -> ExpressionRecognizer:
    """Return what the node ``recognizer`` reads frames with; close() it at the end.

    Args:
        classifier: reads one face.
        detector: which one finds the faces; the cascades when left out.

    Raises:
        ValueError: the detector cannot be loaded.
    """
    return ExpressionRecognizer(
        (detector or DetectorChoice()).make(_RECOGNIZER["face_selection"], _RECOGNIZER["min_face"]),
        classifier,
        RecognitionSettings(background=True, **{name: _RECOGNIZER[name] for name in _SETTINGS}),
    )


def behaviour_as_node(robot: Robot, style: Style) -> MirrorBehaviour:
    """Return what decides in the node ``mirror`` what the robot shows."""
    times: dict[str, Any] = {name: float(_MIRROR[name]) for name in _TIMES}
    return MirrorBehaviour(robot, **times, style=style)
