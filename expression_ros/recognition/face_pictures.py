"""Pictures of single faces as ROS4HRI (REP-155) passes them on: cropped, and with level eyes."""

from __future__ import annotations

import math

import cv2
import numpy as np

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.face_preparation import tilt_of_eyes

SIDE = 128  # px, as hri_face_detect publishes them


def cropped_face(bgr: np.ndarray, box: Box, side: int = SIDE) -> np.ndarray:
    """Return the part of a frame in a box, scaled to fit into a black square.

    Args:
        bgr: (H, W, 3) uint8.
        box: of the face; may reach beyond the frame.
        side: of the square in px.

    Returns:
        (side, side, 3) uint8; all black where the box is outside the frame.
    """
    height, width = bgr.shape[:2]
    left, right = max(0, box.x), min(width, box.x + box.w)
    top, bottom = max(0, box.y), min(height, box.y + box.h)
    picture = np.zeros((side, side, 3), np.uint8)
    if left >= right or top >= bottom:
        return picture
    scale = min(side / (right - left), side / (bottom - top))
    size = (max(1, round(scale * (right - left))), max(1, round(scale * (bottom - top))))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(bgr[top:bottom, left:right], size, interpolation=interpolation)
    x, y = (side - size[0]) // 2, (side - size[1]) // 2
    picture[y : y + size[1], x : x + size[0]] = scaled
    return picture


def aligned_face(bgr: np.ndarray, grey: np.ndarray, box: Box, side: int = SIDE) -> np.ndarray:
    """Return the face turned about the middle of its box until its eyes are level.

    The eyes are those that OpenCV's eye cascade finds; where it is not sure, nothing is turned.

    Args:
        bgr: (H, W, 3) uint8.
        grey: (H, W) uint8, the same frame.
        box, side: as for cropped_face.

    Returns:
        (side, side, 3) uint8. Beyond the frame its border is repeated.
    """
    height, width = grey.shape
    if box.w <= 0 or box.h <= 0 or box.x >= width or box.y >= height:
        return cropped_face(bgr, box, side)
    if box.x + box.w <= 0 or box.y + box.h <= 0:
        return cropped_face(bgr, box, side)
    tilt = tilt_of_eyes(grey, box)
    # From the frame straight into the square: scaled and turned about the middle of the box.
    scale = side / max(box.w, box.h)
    cosine, sine = (scale * f(math.radians(tilt)) for f in (math.cos, math.sin))
    x, y = box.centre
    turn = np.array(
        [
            [cosine, sine, side / 2 - cosine * x - sine * y],
            [-sine, cosine, side / 2 + sine * x - cosine * y],
        ]
    )
    return cv2.warpAffine(
        bgr, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
