"""Draws what was read onto the frame: boxes, labels and score bars."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from expression_ros.recognition.pipeline import FaceReading, FrameReading
from expression_ros.vocabulary import UNKNOWN

# Okabe and Ito's palette (2008), told apart by colour-blind people; BGR.
COLOURS: Mapping[str, tuple[int, int, int]] = {
    "neutral": (200, 200, 200),
    "anger": (0, 94, 213),
    "contempt": (167, 121, 204),
    "disgust": (115, 158, 0),
    "fear": (178, 114, 0),
    "happiness": (66, 228, 240),
    "sadness": (233, 180, 86),
    "surprise": (0, 159, 230),
    UNKNOWN: (150, 150, 150),
}
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DARK = (25, 25, 25)


def draw_overlay(image: np.ndarray, reading: FrameReading, note: str = "") -> np.ndarray:
    """Return the frame with every face's box, id, label and scores drawn in.

    Args:
        image: (H, W, 3) uint8 BGR; it is drawn on and returned.
        reading: the frame's faces.
        note: a line for the lower left corner, say the frame rate.
    """
    scale = max(0.4, image.shape[0] / 480)
    for face in reversed(reading.faces):  # the primary face on top
        _draw_face(image, face, scale, primary=face is reading.primary)
    if note:
        _text(image, note, (round(6 * scale), image.shape[0] - round(8 * scale)), 0.5 * scale)
    return image


def _draw_face(image: np.ndarray, face: FaceReading, scale: float, *, primary: bool) -> None:
    colour = COLOURS[face.label]
    x, y, w, h = face.box
    thickness = max(1, round((2 if primary else 1) * scale))
    cv2.rectangle(image, (x, y), (x + w, y + h), _DARK, thickness + 2)
    cv2.rectangle(image, (x, y), (x + w, y + h), colour, thickness)
    name = f"{face.id}  " if face.id else ""
    title = f"{name}{face.label} {face.score:.2f}"
    size = 0.6 * scale
    (width, height), baseline = cv2.getTextSize(title, _FONT, size, 1)
    left = max(2, min(x, image.shape[1] - width - 2))
    top = y - baseline - 3
    if top - height < 0:
        top = min(image.shape[0] - baseline - 2, y + h + height + 6)
    _text(image, title, (left, top), size, colour)
    _draw_bars(image, face, scale)


def _draw_bars(image: np.ndarray, face: FaceReading, scale: float) -> None:
    """Draw one bar per label beside the box, on the side where there is room."""
    row = max(9, round(15 * scale))
    name_width, bar_width = round(78 * scale), round(60 * scale)
    panel_width, panel_height = name_width + bar_width + 8, row * len(face.scores) + 6
    x = face.box.x + face.box.w + 4
    if x + panel_width > image.shape[1]:
        x = face.box.x - panel_width - 4
    if x < 0:
        return  # the face fills the frame; its title says the most important
    y = max(0, min(face.box.y, image.shape[0] - panel_height))
    panel = image[y : y + panel_height, x : x + panel_width]
    panel[:] = panel // 4
    for k, (label, score) in enumerate(face.scores.items()):
        base = y + 3 + k * row
        colour = COLOURS[label]
        cv2.putText(
            image, label, (x + 3, base + round(0.75 * row)), _FONT, 0.42 * scale, colour, 1,
            cv2.LINE_AA,
        )  # fmt: skip
        left = x + name_width
        cv2.rectangle(
            image, (left, base + 2), (left + round(score * bar_width), base + row - 3), colour, -1
        )


def _text(
    image: np.ndarray,
    text: str,
    origin: tuple[int, int],
    size: float,
    colour: tuple[int, int, int] = (235, 235, 235),
) -> None:
    """Write with a dark rim, legible on any background."""
    cv2.putText(image, text, origin, _FONT, size, _DARK, max(2, round(4 * size)), cv2.LINE_AA)
    cv2.putText(image, text, origin, _FONT, size, colour, max(1, round(1.5 * size)), cv2.LINE_AA)
