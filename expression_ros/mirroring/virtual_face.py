"""The virtual robot face: what it can show, how it moves, what it looks like.

Part of ``expression_ros.mirroring``: imports no ROS. This module is the way in; the parts are
``face_shape``, ``face_animation`` and ``face_drawing``.
"""

from __future__ import annotations

from functools import cache

from expression_ros.mirroring.face_animation import FaceAnimator
from expression_ros.mirroring.face_drawing import draw_face
from expression_ros.mirroring.face_shape import (
    EXPRESSIONS,
    FaceShape,
    UnknownExpressionError,
    expression_shape,
)
from expression_ros.mirroring.robot_table import ANSWERS, Robot, load_robot

__all__ = [
    "EXPRESSIONS",
    "FaceAnimator",
    "FaceShape",
    "UnknownExpressionError",
    "draw_face",
    "drawable_word",
    "expression_shape",
]


def drawable_word(expression: str, robot: Robot | None) -> str:
    """Return the virtual face's word for a robot's, empty if there is none."""
    if robot is not None:
        for answer in ANSWERS:
            if robot.expression_for(answer) == expression:
                return _virtual_face().expression_for(answer)
    try:
        expression_shape(expression)
    except UnknownExpressionError:
        return ""
    return expression


@cache
def _virtual_face() -> Robot:
    return load_robot("virtual_face")
