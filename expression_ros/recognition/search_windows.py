"""How densely and how far cascades search: a whole frame, or around a known face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from expression_ros.recognition.boxes import Box


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


@dataclass(frozen=True)
class Vicinity:
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
TIGHT = Vicinity(0.15, 0.9, 1.12, 72, Steps(1.15, 3))
WIDE = Vicinity(0.45, 0.7, 1.4, 72, Steps(1.1, 4))
# All sizes that a face can take within a second; as much evidence as in a whole frame.
SIZES = Vicinity(0.3, 0.6, 1.5, 60, Steps(1.1, 5))
# A face that another cascade saw; whether it is one can be told at a small size.
SECOND = Vicinity(0.45, 0.7, 1.4, 48, Steps(1.1, 4))


def without_faces(small: np.ndarray, boxes: Sequence[Box], scale: float) -> np.ndarray:
    """Return a copy of the working copy in which each box is filled with its mean grey."""
    small = small.copy()
    for box in boxes:
        left, top = round(box.x * scale), round(box.y * scale)
        right, bottom = round((box.x + box.w) * scale), round((box.y + box.h) * scale)
        area = small[max(0, top) : bottom, max(0, left) : right]
        if area.size:
            area[:] = int(area.mean())
    return small
