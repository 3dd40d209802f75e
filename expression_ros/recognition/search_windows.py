"""How densely and how far cascades search: a whole frame, or around a known face."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.image_operations import scaled

# Of a strip the working copy has at most the area of a frame so many times as wide as high; an
# ordinary frame or panorama is not touched. The area is what a search costs.
_WIDEST = 6.0


@dataclass(frozen=True)
class Steps:
    """How densely a cascade tries sizes, and how many neighbouring windows must agree.

    Attributes:
        scale: from one size to the next.
        neighbours: windows that must agree; where sizes lie further apart, fewer can.
    """

    scale: float
    neighbours: int


@dataclass(frozen=True)
class Sweep:
    """How a whole frame is searched.

    Attributes:
        smallest_px: the frame is brought to the size where the smallest face of interest has this
            width.
        steps: see Steps.
    """

    smallest_px: int
    steps: Steps


FINE = Sweep(28, Steps(1.1, 5))
COARSE = Sweep(24, Steps(1.25, 2))  # half the time, nearly all faces
SMALL = Sweep(24, Steps(1.15, 2))  # in a part of the frame; few sizes, so they may lie closer


@dataclass(frozen=True)
class SearchWindow:
    """Where a known face is looked for: how far around, at which sizes, with how much evidence.

    Attributes:
        pad: added on each side of the box, as a share of its width.
        smallest: times the known width.
        largest: times the known width.
        followed_px: the known face is brought to this width, whatever its size in the frame.
        steps: where a face just was, fewer windows are enough.
    """

    pad: float
    smallest: float
    largest: float
    followed_px: int
    steps: Steps


# From one frame to the next a face hardly moves. The wide look, which costs more, follows only
# where this one fails.
TIGHT = SearchWindow(0.15, 0.9, 1.12, 72, Steps(1.15, 3))
WIDE = SearchWindow(0.45, 0.7, 1.4, 72, Steps(1.1, 4))
# All sizes that a face can take within a second; as much evidence as in a whole frame.
SIZES = SearchWindow(0.3, 0.6, 1.5, 60, Steps(1.1, 5))
# A face that another cascade saw; whether it is one can be told at a small size.
SECOND = SearchWindow(0.45, 0.7, 1.4, 48, Steps(1.1, 4))


def without_faces(small: np.ndarray, boxes: Sequence[Box], scale: float) -> np.ndarray:
    """Return a copy of the working copy in which each box is filled with its mean grey."""
    small = small.copy()
    for box in boxes:
        left, top = round(box.x * scale), round(box.y * scale)
        right, bottom = round((box.x + box.w) * scale), round((box.y + box.h) * scale)
        area = small[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
        if area.size:
            area[:] = int(area.mean())
    return small


def region_around(
    grey: np.ndarray, box: Box, window: SearchWindow
) -> tuple[np.ndarray, int, int, float]:
    """Return the face's surroundings, scaled, with their origin in the frame and the scale.

    Where they reach beyond the frame, by the padding at most, its edge pixels are repeated.
    They have at least one pixel, also where the box lies outside the frame.
    """
    height, width = grey.shape
    pad = round(window.pad * box.w)
    left = min(max(0, box.x - pad), width - 1)
    top = min(max(0, box.y - pad), height - 1)
    right = max(left + 1, min(width, box.x + box.w + pad))
    bottom = max(top + 1, min(height, box.y + box.h + pad))
    scale = min(1.0, window.followed_px / max(1, box.w))
    region = scaled(grey[top:bottom, left:right], scale)
    beyond = (pad - box.y, box.y + box.h + pad - height,
              pad - box.x, box.x + box.w + pad - width)  # fmt: skip
    above, below, before, after = (round(scale * min(max(0, px), pad)) for px in beyond)
    if above or below or before or after:
        region = cv2.copyMakeBorder(region, above, below, before, after, cv2.BORDER_REPLICATE)
    return region, left - round(before / scale), top - round(above / scale), scale


def working_copy(grey: np.ndarray, sweep: Sweep, min_face: float) -> tuple[np.ndarray, float]:
    """Return the frame at the size where the smallest face of interest is just visible."""
    scale = working_scale(grey.shape, sweep, min_face)
    return scaled(grey, scale), scale


def working_scale(shape: tuple[int, ...], sweep: Sweep, min_face: float) -> float:
    """Return how much smaller that is.

    A strip that is wider is brought to a smaller size, where larger faces are.
    """
    height, width = shape
    enough = sweep.smallest_px / min_face  # rows
    return min(1.0, enough / height, enough * math.sqrt(_WIDEST / (width * height)))
