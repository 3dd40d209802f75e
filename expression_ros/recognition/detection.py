"""Finding faces with the four Haar cascades: in a whole frame, or around a face already known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from expression_ros.recognition.boxes import Box, without_overlaps
from expression_ros.recognition.cascades import CASCADE_ORDER, load_cascade

_SMALLEST_PX = 28  # the cascades learnt windows of 20 and 24 px; below this they guess
_FOLLOWED_PX = 72  # a known face is looked for at this width, whatever its size in the frame
_SCALE_STEP = 1.1
_NEIGHBOURS_FRAME = 5


@dataclass(frozen=True)
class _Vicinity:
    """Where a known face is looked for: how far around, at which sizes, with how much evidence.

    Attributes:
        pad: added on each side of the box, as a share of its width.
        smallest: times the known width.
        largest: times the known width.
        neighbours: windows that must agree; where a face just was, fewer are enough.
    """

    pad: float
    smallest: float
    largest: float
    neighbours: int


# From one frame to the next a face hardly moves. Looking just there costs half of what the wide
# look costs, which follows where it fails.
_TIGHT = _Vicinity(0.25, 0.85, 1.18, 3)
_WIDE = _Vicinity(0.45, 0.7, 1.4, 4)


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
        self, grey: np.ndarray, cascades: Iterable[int] = range(len(CASCADE_ORDER))
    ) -> list[Detection]:
        """Search a whole frame, cascade by cascade, and stop at the first that succeeds.

        Args:
            grey: (H, W) uint8.
            cascades: which to ask, by their place in the order.

        Returns:
            The faces, largest first; empty if no cascade saw what ``selection`` asks for.
        """
        small, scale = self._working_copy(grey)
        for index in cascades:
            boxes = self._faces_in(small, scale, index, grey.shape)
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
        small, scale = self._working_copy(grey)
        found = [
            Detection(box, index)
            for index in range(len(CASCADE_ORDER))
            for box in self._faces_in(small, scale, index, grey.shape)
        ]
        kept = [found[i] for i in without_overlaps([d.box for d in found])]
        return sorted(kept, key=lambda d: -d.box.area)

    def search_near(self, grey: np.ndarray, known: Detection) -> Detection | None:
        """Look for a known face around where it was, at about the size it had.

        The cascade that found it is asked first, close by and then further around, then the others.

        Returns:
            The face's new box, or None if it is not there any more.
        """
        others = [index for index in range(len(CASCADE_ORDER)) if index != known.cascade]
        return self._search_vicinity(grey, known, _TIGHT, [known.cascade]) or self._search_vicinity(
            grey, known, _WIDE, [known.cascade, *others]
        )

    def _search_vicinity(
        self, grey: np.ndarray, known: Detection, vicinity: _Vicinity, cascades: Iterable[int]
    ) -> Detection | None:
        region, left, top, scale = self._region_around(grey, known.box, vicinity.pad)
        if min(region.shape) < _SMALLEST_PX:
            return None
        width = known.box.w * scale
        smallest, largest = round(vicinity.smallest * width), round(vicinity.largest * width)
        for index in cascades:
            boxes = self._detect(region, index, vicinity.neighbours, smallest, largest)
            if boxes:
                nearest = min(boxes, key=lambda b: self._distance(b, left, top, scale, known.box))
                return Detection(_to_frame(nearest, left, top, scale, grey.shape), index)
        return None

    @staticmethod
    def _distance(box: Box, left: int, top: int, scale: float, known: Box) -> float:
        x, y = box.centre
        kx, ky = known.centre
        return (left + x / scale - kx) ** 2 + (top + y / scale - ky) ** 2

    def _working_copy(self, grey: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the frame at the size where the smallest face of interest is just visible."""
        scale = min(1.0, _SMALLEST_PX / (self.min_face * grey.shape[0]))
        return _resized(grey, scale), scale

    def _faces_in(
        self, small: np.ndarray, scale: float, index: int, shape: tuple[int, ...]
    ) -> list[Box]:
        smallest = max(_SMALLEST_PX, round(self.min_face * shape[0] * scale))
        boxes = self._detect(small, index, _NEIGHBOURS_FRAME, smallest, max(small.shape))
        boxes.sort(key=lambda b: -b.area)
        kept = [boxes[i] for i in without_overlaps(boxes)]
        return [_to_frame(box, 0, 0, scale, shape) for box in kept]

    def _region_around(
        self, grey: np.ndarray, box: Box, share: float
    ) -> tuple[np.ndarray, int, int, float]:
        """Return the face's surroundings, scaled, with their origin in the frame and the scale."""
        height, width = grey.shape
        pad = round(share * box.w)
        left, top = max(0, box.x - pad), max(0, box.y - pad)
        right, bottom = min(width, box.x + box.w + pad), min(height, box.y + box.h + pad)
        scale = min(1.0, _FOLLOWED_PX / max(1, box.w))
        return _resized(grey[top:bottom, left:right], scale), left, top, scale

    def _detect(
        self, image: np.ndarray, index: int, neighbours: int, smallest: int, largest: int
    ) -> list[Box]:
        if min(image.shape) < _SMALLEST_PX:
            return []
        self.searches += 1
        found = self._cascades[index].detectMultiScale(
            image,
            scaleFactor=_SCALE_STEP,
            minNeighbors=neighbours,
            minSize=(smallest, smallest),
            maxSize=(largest, largest),
        )
        return [Box(*(int(v) for v in row)) for row in found]


def _resized(image: np.ndarray, scale: float) -> np.ndarray:
    if scale >= 1.0:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _to_frame(box: Box, left: int, top: int, scale: float, shape: tuple[int, ...]) -> Box:
    """Return a box of the scaled region in pixels of the frame, clipped to it."""
    x, y = left + round(box.x / scale), top + round(box.y / scale)
    width = min(round(box.w / scale), shape[1] - x)
    height = min(round(box.h / scale), shape[0] - y)
    return Box(x, y, width, height)
