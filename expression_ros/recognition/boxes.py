"""Rectangles of faces, and what a search finds: a box, and who saw it.

The arithmetic that detection and tracking share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2

_ERROR = 0.03  # of a face's width, by which a cascade misplaces a box from frame to frame


class Box(NamedTuple):
    """A rectangle in pixels of the frame: left, top, width, height."""

    x: int
    y: int
    w: int
    h: int

    @property
    def area(self) -> int:
        """In square px."""
        return self.w * self.h

    @property
    def centre(self) -> tuple[float, float]:
        """X and y in px."""
        return self.x + self.w / 2, self.y + self.h / 2


def overlap(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes, 0..1."""
    shared = intersection(a, b)
    return shared / (a.area + b.area - shared) if shared else 0.0


def covers(a: Box, b: Box) -> float:
    """Return which share of the smaller box lies in the other, 0..1: 1 for a box in a box."""
    smaller = min(a.area, b.area)
    return intersection(a, b) / smaller if smaller else 0.0


def without_overlaps(boxes: Sequence[Box], limit: float = 0.4) -> list[int]:
    """Return the indices of the boxes to keep, earlier ones winning over later ones.

    A box goes when its overlap with an earlier one exceeds ``limit`` or it lies nearly inside it:
    two cascades draw different frames around the same face.
    """
    kept: list[int] = []
    for index, box in enumerate(boxes):
        if all(overlap(box, boxes[k]) <= limit and covers(box, boxes[k]) <= 0.8 for k in kept):
            kept.append(index)
    return kept


def intersection(a: Box, b: Box) -> int:
    """Return how many pixels two boxes share."""
    width = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    height = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    return max(0, width) * max(0, height)


def agreement(a: Box, b: Box) -> float:
    """Return the overlap of two boxes of one face; 0 for boxes of different faces."""
    shared = overlap(a, b)
    return shared if shared > 0.35 else 0.0


def turned_back(box: Box, centre: tuple[float, ...], turn: int) -> Box:
    """Return where a box of an image that was turned about its centre lies in the image itself."""
    x, y = cv2.getRotationMatrix2D((centre[0], centre[1]), -turn, 1.0) @ (*box.centre, 1.0)
    return Box(round(x - box.w / 2), round(y - box.h / 2), box.w, box.h)


def to_frame(box: Box, left: int, top: int, scale: float, shape: tuple[int, ...]) -> Box:
    """Return a box of a scaled region in pixels of the frame, clipped to it.

    Args:
        box: in pixels of the region.
        left, top: where the region begins in the frame.
        scale: pixels of the region for one of the frame.
        shape: (H, W) of the frame.
    """
    x, y = left + round(box.x / scale), top + round(box.y / scale)
    right, bottom = min(x + round(box.w / scale), shape[1]), min(y + round(box.h / scale), shape[0])
    x, y = max(0, x), max(0, y)
    return Box(x, y, right - x, bottom - y)


@dataclass(frozen=True)
class Detection:
    """A face seen by one cascade.

    Attributes:
        box: where it is in the frame.
        cascade: the cascade's place in the order.
        turn: degrees by which the frame was turned, anticlockwise, when the cascade saw it.
        tilt: degrees by which the line of the eyes falls to the right, as far as it is known: seen
            by a detector that sees eyes, or about that of the turned frame.
    """

    box: Box
    cascade: int
    turn: int = 0
    tilt: float = 0.0


def held(found: Detection | None, known: Detection) -> Detection | None:
    """Return what was found, with the known box if it lies in the same place."""
    if found and _is_same_place(found.box, known.box):
        return replace(found, box=known.box)
    return found


def _is_same_place(box: Box, known: Box) -> bool:
    """Return whether a box differs from the known one by no more than a cascade errs.

    A box that is taken anew from every search wanders over a face that holds still.
    """
    moved = max(abs(box.x - known.x), abs(box.y - known.y), abs(box.w - known.w))
    return moved <= _ERROR * known.w


def largest_first(found: list[Detection]) -> list[Detection]:
    """Return the faces, largest first, without those that overlap a larger one."""
    found = sorted(found, key=lambda d: -d.box.area)
    return [found[i] for i in without_overlaps([d.box for d in found])]
