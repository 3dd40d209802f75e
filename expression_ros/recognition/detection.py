"""Finding faces with the four Haar cascades: in a whole frame, or around a face already known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from expression_ros.recognition.boxes import Box, without_overlaps
from expression_ros.recognition.cascades import CASCADE_ORDER, load_cascade
from expression_ros.recognition.shrinking import shrunk

_ERROR = 0.03  # of a face's width, by which a cascade misplaces a box from frame to frame
_SMALLEST_PX = 24  # the cascades learnt windows of 20 and 24 px


@dataclass(frozen=True)
class _Steps:
    """How densely a cascade tries sizes, and how many neighbouring windows must agree.

    Attributes:
        scale: from one size to the next.
        neighbours: windows that must agree; where sizes lie further apart, fewer can.
    """

    scale: float
    neighbours: int


@dataclass(frozen=True)
class _Sweep:
    """How a whole frame is searched.

    Attributes:
        smallest_px: the frame is brought to the size where the smallest face of interest has this
            width.
        steps: see _Steps.
    """

    smallest_px: int
    steps: _Steps


_FINE = _Sweep(28, _Steps(1.1, 5))
_COARSE = _Sweep(24, _Steps(1.25, 2))  # half the time, nearly all faces


@dataclass(frozen=True)
class _Vicinity:
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
    steps: _Steps


# From one frame to the next a face hardly moves. The wide look, which costs more, follows only
# where this one fails.
_TIGHT = _Vicinity(0.15, 0.9, 1.12, 72, _Steps(1.1, 3))
_WIDE = _Vicinity(0.45, 0.7, 1.4, 72, _Steps(1.1, 4))


@dataclass(frozen=True)
class Detection:
    """A face seen by one cascade: its box in the frame and the cascade's place in the order."""

    box: Box
    cascade: int


class FaceDetector:
    """Four cascades in the order default, alt2, alt, alt_tree. Not for use by two threads at once.

    Args:
        selection: ``single``: a search of the frame returns the face of the first cascade that sees
            exactly one, and stops there (van Gent's rule, "Emotion recognition with Python, OpenCV
            and a face dataset", 2016). ``all``: every face of the first cascade that sees any.
        min_face: width of the smallest face of interest as a fraction of the frame's height.

    Raises:
        CascadeError: a cascade file is missing or corrupt.
        ValueError: a setting is out of range.
    """

    def __init__(self, selection: str = "all", min_face: float = 0.12):
        if selection not in ("single", "all"):
            raise ValueError(f"face_selection must be single or all, not {selection!r}")
        if not 0.01 <= min_face <= 1.0:
            raise ValueError(f"min_face must be from 0.01 to 1, not {min_face!r}")
        self.selection = selection
        self.min_face = min_face
        self.searches = 0  # calls of a cascade so far: what a frame costs, independent of the clock
        self._twin: FaceDetector | None = None
        self._cascades = [load_cascade(f"frontalface_{name}") for name in CASCADE_ORDER]

    def twin(self) -> FaceDetector:
        """Return a detector with the same settings for another thread: cascades carry state.

        It is made once. Its searches are counted by itself.
        """
        if self._twin is None:
            self._twin = FaceDetector(self.selection, self.min_face)
        self._twin.selection, self._twin.min_face = self.selection, self.min_face
        return self._twin

    def search_frame(
        self,
        grey: np.ndarray,
        cascades: Iterable[int] = range(len(CASCADE_ORDER)),
        coarse: bool = False,
        known: Sequence[Box] = (),
    ) -> list[Detection]:
        """Search a whole frame, cascade by cascade, and stop at the first that succeeds.

        Args:
            grey: (H, W) uint8.
            cascades: which to ask, by their place in the order.
            coarse: try sizes further apart, in half the time; for a stream, where a face that is
                missed once is found soon after.
            known: faces that are not searched for: where they are the frame is made even, which
                cascades pass over quickly.

        Returns:
            The faces, largest first; empty if no cascade saw what ``selection`` asks for.
        """
        sweep = _COARSE if coarse else _FINE
        small, scale = self._working_copy(grey, sweep)
        if known:
            small = _without(small, known, scale)
        for index in cascades:
            boxes = self._faces_in(small, scale, index, grey.shape, sweep)
            if len(boxes) == 1 or (boxes and self.selection == "all"):
                return [Detection(box, index) for box in boxes]
        return []

    def search_every_cascade(self, grey: np.ndarray) -> list[Detection]:
        """Return what all four cascades see together, overlaps merged, largest first.

        Slower and more complete than search_frame: for still pictures. With selection ``single``
        this is search_frame, because the rule stops at its first success.
        """
        if self.selection == "single":
            return self.search_frame(grey)
        small, scale = self._working_copy(grey, _FINE)
        found = [
            Detection(box, index)
            for index in range(len(CASCADE_ORDER))
            for box in self._faces_in(small, scale, index, grey.shape, _FINE)
        ]
        kept = [found[i] for i in without_overlaps([d.box for d in found])]
        return sorted(kept, key=lambda d: -d.box.area)

    def search_near(self, grey: np.ndarray, known: Detection) -> Detection | None:
        """Look for a face that was just there around its place, at about the size it had.

        The cascade that found it is asked first, close by and then further around, then the others.

        Returns:
            The face's new box, or None if it is not there any more.
        """
        others = [index for index in range(len(CASCADE_ORDER)) if index != known.cascade]
        found = self._search_vicinity(grey, known, _TIGHT, [known.cascade])
        found = found or self._search_vicinity(grey, known, _WIDE, [known.cascade, *others])
        if found and _is_same_place(found.box, known.box):
            return Detection(known.box, found.cascade)
        return found

    def search_lost(self, grey: np.ndarray, known: Detection, cascade: int) -> Detection | None:
        """Look for a face that was there some frames ago, with one cascade.

        Returns:
            The face's new box, or None if this cascade does not see it.
        """
        return self._search_vicinity(grey, known, _WIDE, [cascade])

    def _search_vicinity(
        self, grey: np.ndarray, known: Detection, vicinity: _Vicinity, cascades: Iterable[int]
    ) -> Detection | None:
        region, left, top, scale = self._region_around(grey, known.box, vicinity)
        if min(region.shape) < _SMALLEST_PX:
            return None
        width = known.box.w * scale
        smallest, largest = round(vicinity.smallest * width), round(vicinity.largest * width)
        for index in cascades:
            boxes = self._detect(region, index, vicinity.steps, smallest, largest)
            if boxes:
                nearest = min(boxes, key=lambda b: self._distance(b, left, top, scale, known.box))
                return Detection(_to_frame(nearest, left, top, scale, grey.shape), index)
        return None

    @staticmethod
    def _distance(box: Box, left: int, top: int, scale: float, known: Box) -> float:
        x, y = box.centre
        kx, ky = known.centre
        return (left + x / scale - kx) ** 2 + (top + y / scale - ky) ** 2

    def _working_copy(self, grey: np.ndarray, sweep: _Sweep) -> tuple[np.ndarray, float]:
        """Return the frame at the size where the smallest face of interest is just visible."""
        scale = min(1.0, sweep.smallest_px / (self.min_face * grey.shape[0]))
        return _resized(grey, scale), scale

    def _faces_in(
        self, small: np.ndarray, scale: float, index: int, shape: tuple[int, ...], sweep: _Sweep
    ) -> list[Box]:
        smallest = max(sweep.smallest_px, round(self.min_face * shape[0] * scale))
        boxes = self._detect(small, index, sweep.steps, smallest, max(small.shape))
        boxes.sort(key=lambda b: -b.area)
        kept = [boxes[i] for i in without_overlaps(boxes)]
        return [_to_frame(box, 0, 0, scale, shape) for box in kept]

    def _region_around(
        self, grey: np.ndarray, box: Box, vicinity: _Vicinity
    ) -> tuple[np.ndarray, int, int, float]:
        """Return the face's surroundings, scaled, with their origin in the frame and the scale.

        They have at least one pixel, also where the box lies outside the frame.
        """
        height, width = grey.shape
        pad = round(vicinity.pad * box.w)
        left = min(max(0, box.x - pad), width - 1)
        top = min(max(0, box.y - pad), height - 1)
        right = max(left + 1, min(width, box.x + box.w + pad))
        bottom = max(top + 1, min(height, box.y + box.h + pad))
        scale = min(1.0, vicinity.followed_px / max(1, box.w))
        return _resized(grey[top:bottom, left:right], scale), left, top, scale

    def _detect(
        self, image: np.ndarray, index: int, steps: _Steps, smallest: int, largest: int
    ) -> list[Box]:
        if min(image.shape) < _SMALLEST_PX:
            return []
        self.searches += 1
        found = self._cascades[index].detectMultiScale(
            image,
            scaleFactor=steps.scale,
            minNeighbors=steps.neighbours,
            minSize=(smallest, smallest),
            maxSize=(largest, largest),
        )
        return [Box(*(int(v) for v in row)) for row in found]


def _is_same_place(box: Box, known: Box) -> bool:
    """Return whether a box differs from the known one by no more than a cascade errs.

    A box that is taken anew from every search wanders over a face that holds still.
    """
    moved = max(abs(box.x - known.x), abs(box.y - known.y), abs(box.w - known.w))
    return moved <= _ERROR * known.w


def _resized(image: np.ndarray, scale: float) -> np.ndarray:
    if scale >= 1.0:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return shrunk(image, size)


def _without(small: np.ndarray, boxes: Sequence[Box], scale: float) -> np.ndarray:
    """Return a copy of the working copy in which each box is filled with its mean grey."""
    small = small.copy()
    for box in boxes:
        left, top = round(box.x * scale), round(box.y * scale)
        right, bottom = round((box.x + box.w) * scale), round((box.y + box.h) * scale)
        area = small[max(0, top) : bottom, max(0, left) : right]
        if area.size:
            area[:] = int(area.mean())
    return small


def _to_frame(box: Box, left: int, top: int, scale: float, shape: tuple[int, ...]) -> Box:
    """Return a box of the scaled region in pixels of the frame, clipped to it."""
    x, y = left + round(box.x / scale), top + round(box.y / scale)
    width = min(round(box.w / scale), shape[1] - x)
    height = min(round(box.h / scale), shape[0] - y)
    return Box(x, y, width, height)
