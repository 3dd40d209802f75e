"""Rectangles of faces: the arithmetic that detection and tracking share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle in pixels of the frame: left, top, width, height."""

    x: int
    y: int
    w: int
    h: int

    @property
    def area(self) -> int:
        return self.w * self.h

    @property
    def centre(self) -> tuple[float, float]:
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
