"""The virtual robot face: what it can show, how it moves, what it looks like.

Part of ``expression_ros.mirroring``: imports no ROS. This module is the way in; the parts are
``face_shape``, ``face_animation`` and ``face_drawing``.
"""

from expression_ros.mirroring.face_animation import FaceAnimator
from expression_ros.mirroring.face_drawing import draw_face
from expression_ros.mirroring.face_shape import (
    EXPRESSIONS,
    FaceShape,
    UnknownExpressionError,
    expression_shape,
)

__all__ = [
    "EXPRESSIONS",
    "FaceAnimator",
    "FaceShape",
    "UnknownExpressionError",
    "draw_face",
    "expression_shape",
]
