"""Finding faces with the four Haar cascades: in a whole frame, or around a face already known.

Three things that a cascade alone gets wrong are made good here. It sees no face that is cut by the
frame's edge: close ups are searched again in a tiny copy with a border. The first cascade,
``default``, sees faces in folds and leaves: it is believed where ``alt`` or ``alt2`` sees one, too.
And it sees only upright faces: one that is lost, or a photo without faces, is searched turned.

Small faces cost most: half the width, four times the pixels. In a stream those below 0.12 of the
frame's height are looked for in a part of the frame at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from expression_ros.recognition.boxes import (
    Box,
    Detection,
    agreement,
    covers,
    held,
    largest_first,
    to_frame,
    turned_back,
    without_overlaps,
)
from expression_ros.recognition.image_operations import scaled
from expression_ros.recognition.opencv_parts import CASCADE_ORDER, load_cascade
from expression_ros.recognition.search_windows import (
    COARSE,
    FINE,
    SECOND,
    SIZES,
    SMALL,
    TIGHT,
    WIDE,
    SearchWindow,
    Steps,
    Sweep,
    region_around,
    without_faces,
    working_copy,
    working_scale,
)

_SMALLEST_PX = 24  # the cascades learnt windows of 20 and 24 px
# Faces from this share of the frame's height on are searched in a tiny copy as well, whose edge
# pixels are repeated by this share of its height: the copy is small, few windows are tried.
_CLOSE_UP, _BORDER = 0.4, 0.25
_DEFAULT, _ALT2, _ALT = 0, 1, 2  # places in CASCADE_ORDER
_PRECISE = (_ALT2, _ALT)
_QUICK = 0.12  # of the frame's height: what a stream's looks at the whole frame show at least
_TURNED = 25  # degrees; a cascade sees faces turned by up to 15
# Of a stream's searches for anybody, after those by each cascade: by how much the frame is turned.
_TURNED_LOOKS = (_TURNED, -_TURNED)
# Where a face was lost: one look a frame, a cascade and by how much the frame is turned for it.
LOST_LOOKS = ((0, 0), (1, 0), (1, _TURNED), (2, 0), (3, 0), (1, -_TURNED))


def check_settings(selection: str, min_face: float) -> None:
    """Raise ValueError if one of the settings of a detector is out of range."""
    if selection not in ("single", "all"):
        raise ValueError(f"face_selection must be single or all, not {selection!r}")
    if not 0.01 <= min_face <= 1.0:
        raise ValueError(f"min_face must be from 0.01 to 1, not {min_face!r}")


class FaceDetector:
    """Four cascades in the order default, alt2, alt, alt_tree. Not for use by two threads at once.

    Args:
        selection: ``single``: a search of the frame returns the face of the first cascade that sees
            exactly one, and stops there (van Gent's rule, "Emotion recognition with Python, OpenCV
            and a face dataset", 2016). ``all``: every face of the first cascade that sees any.
        min_face: width of the smallest face of interest as a fraction of the frame's height; it
            grows where a frame is more than six times as wide as high.

    Raises:
        CascadeError: a cascade file is missing or corrupt.
        ValueError: a setting is out of range.
    """

    parts = len(CASCADE_ORDER)
    turned_looks = len(_TURNED_LOOKS)
    lost_looks = len(LOST_LOOKS)

    def __init__(self, selection: str = "all", min_face: float = 0.12):
        check_settings(selection, min_face)
        self.selection = selection
        self.min_face = min_face
        self.searches = 0  # calls of a cascade so far: what a frame costs, independent of the clock
        self._clone: FaceDetector | None = None
        self._cascades = [load_cascade(f"frontalface_{name}") for name in CASCADE_ORDER]

    def small_looks(self, height: int) -> int:
        """Return in how many parts of a frame small faces are searched; 0 where none is seen."""
        is_seen = _QUICK * height > SMALL.smallest_px
        return self._tiles() ** 2 if self._tiles() > 1 and is_seen else 0

    def _tiles(self) -> int:
        return math.ceil(_QUICK / self.min_face - 1e-6)

    def clone(self) -> FaceDetector:
        """Return a detector with the same settings for another thread: cascades carry state.

        It is made once. Its searches are counted by itself.
        """
        if self._clone is None:
            self._clone = FaceDetector(self.selection, self.min_face)
        self._clone.selection, self._clone.min_face = self.selection, self.min_face
        return self._clone

    def search_frame(
        self,
        grey: np.ndarray,
        cascades: Iterable[int] | None = None,
        coarse: bool = False,
        known: Sequence[Box] = (),
    ) -> list[Detection]:
        """Search a whole frame, cascade by cascade, and stop at the first that succeeds.

        Args:
            grey: (H, W) uint8.
            cascades: which to ask, by their place in the order, for faces that are not very small;
                the numbers after them are looks at the turned frame, and then looks for small
                faces. All cascades, for faces of all sizes, when left out.
            coarse: try sizes further apart, in half the time; for a stream, where a face that is
                missed once is found soon after.
            known: faces that are not searched for: where they are the frame is made even, which
                cascades pass over quickly.

        Returns:
            The faces, largest first; empty if no cascade saw what ``selection`` asks for.
        """
        sweep = COARSE if coarse else FINE
        smallest = self.min_face if cascades is None else max(self.min_face, _QUICK)
        small, scale = working_copy(grey, sweep, smallest)
        if known:
            small = without_faces(small, known, scale)
        for index in range(self.parts) if cascades is None else cascades:
            if index >= self.parts + self.turned_looks:
                return self._look_small(grey, index - self.parts - self.turned_looks, known)
            if index >= self.parts:
                turn = _TURNED_LOOKS[index - self.parts]
                if found := self._look_turned(grey, small, scale, turn, sweep):
                    return found
                continue
            boxes = self._faces_in(small, scale, index, grey.shape, sweep)
            if self.selection == "single":
                if len(boxes) == 1:
                    return [Detection(boxes[0], index)]
                continue
            found = [Detection(box, index) for box in boxes]
            if index == _DEFAULT:
                found = [detection for detection in found if self._is_confirmed(grey, detection)]
            elif index in _PRECISE:
                found += self._close_ups(grey, index, sweep, known)
            if found:
                return largest_first([self._exact(grey, detection) for detection in found])
        return []

    def search_photo(self, grey: np.ndarray) -> list[Detection]:
        """Return what all four cascades see together, largest first.

        Where several see one face its box is the one that agrees best with the others, since some
        frame half a face. What ``default`` alone sees counts for nothing. An image in which nobody
        is found is searched turned by 25 degrees to both sides.

        Slower and more complete than search_frame: for still images. With selection ``single``
        this is search_frame, because the rule stops at its first success.
        """
        if self.selection == "single":
            return self.search_frame(grey)
        small, scale = working_copy(grey, FINE, self.min_face)
        found = []
        for index in range(len(CASCADE_ORDER)):
            boxes = self._faces_in(small, scale, index, grey.shape, FINE)
            found += [Detection(box, index) for box in boxes]
            found += self._close_ups(grey, index, FINE, ())
        agreed = _agreed(found)
        for turn in (_TURNED, -_TURNED):
            if not agreed:
                every = range(len(CASCADE_ORDER))
                agreed = _agreed(self._turned_faces(small, scale, grey.shape, turn, FINE, every))
        faces = [self._exact(grey, detection) for detection in agreed]
        return sorted(faces, key=lambda d: -d.box.area)

    def search_near(self, grey: np.ndarray, known: Detection) -> Detection | None:
        """Look for a face that was just there around its place, at about the size it had.

        The cascade that found it is asked first, close by and then further around, then the others.

        Returns:
            The face's new box, or None if it is not there any more.
        """
        others = [index for index in range(len(CASCADE_ORDER)) if index != known.cascade]
        turn = known.turn
        found = self._search_window(grey, known, TIGHT, [known.cascade], turn)
        found = found or self._search_window(
            grey, known, WIDE, [known.cascade, *others] if not turn else [known.cascade], turn
        )
        for other in (0, _TURNED, -_TURNED):
            if not found and other != turn:
                found = self._search_window(grey, known, WIDE, [_ALT2], other)
        return held(found, known)

    def search_size(self, grey: np.ndarray, known: Detection) -> Detection | None:
        """Look for a face that was just there at any size that it may have taken since.

        search_near is content with a window inside a face that has come nearer, or around one that
        has gone away, and would be with the next one: asked every so often, this puts it right.

        Returns:
            The face's new box, or None if the cascade that found it does not see it.
        """
        found = self._search_window(grey, known, SIZES, [known.cascade], known.turn)
        return held(found, known)

    def _exact(self, grey: np.ndarray, found: Detection) -> Detection:
        """Return a face of a working copy, which shows it small, as it is found when followed."""
        exact = self.search_size(grey, found)
        return exact if exact and agreement(exact.box, found.box) else found

    def search_lost(self, grey: np.ndarray, known: Detection, look: int) -> Detection | None:
        """Look for a face that was there some frames ago, with one of the LOST_LOOKS.

        Returns:
            The face's new box, or None if this look does not show it.
        """
        cascade, turn = LOST_LOOKS[look]
        return self._search_window(grey, known, WIDE, [cascade], turn)

    def _search_window(
        self,
        grey: np.ndarray,
        known: Detection,
        window: SearchWindow,
        cascades: Iterable[int],
        turn: int = 0,
    ) -> Detection | None:
        region, left, top, scale = region_around(grey, known.box, window)
        if min(region.shape) < _SMALLEST_PX:
            return None
        centre = tuple(scale * (c - o) for c, o in zip(known.box.centre, (left, top), strict=True))
        if turn:
            region = cv2.warpAffine(
                region, cv2.getRotationMatrix2D(centre, turn, 1.0), region.shape[::-1],
                borderMode=cv2.BORDER_REPLICATE,
            )  # fmt: skip
        width = known.box.w * scale
        smallest, largest = round(window.smallest * width), round(window.largest * width)
        for index in cascades:
            boxes = self._detect(region, index, window.steps, smallest, largest)
            if turn:
                boxes = [turned_back(box, centre, turn) for box in boxes]
            if boxes:
                nearest = min(boxes, key=lambda b: self._distance(b, left, top, scale, known.box))
                box = to_frame(nearest, left, top, scale, grey.shape)
                return Detection(box, index, turn, float(turn)) if min(box.w, box.h) > 0 else None
        return None

    def _is_confirmed(self, grey: np.ndarray, detection: Detection) -> bool:
        """Return whether a more precise cascade sees a face where ``default`` saw one."""
        return any(
            self._search_window(grey, detection, SECOND, [index]) is not None for index in _PRECISE
        )

    def _close_ups(
        self, grey: np.ndarray, index: int, sweep: Sweep, known: Sequence[Box]
    ) -> list[Detection]:
        """Return faces so near that the frame's edge may cut them, as far as they are in it."""
        if min(grey.shape) < _SMALLEST_PX:
            return []
        scale = min(1.0, sweep.smallest_px / (_CLOSE_UP * grey.shape[0]))
        tiny = scaled(grey, scale)
        if known:
            tiny = without_faces(tiny, known, scale)
        edge = round(_BORDER * tiny.shape[0])
        tiny = cv2.copyMakeBorder(tiny, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
        smallest = max(sweep.smallest_px, round(self.min_face * grey.shape[0] * scale))
        found = self._detect(tiny, index, sweep.steps, smallest, max(tiny.shape))
        boxes = [to_frame(Box(x - edge, y - edge, w, h), 0, 0, scale, grey.shape)
                 for x, y, w, h in found]  # fmt: skip
        return [Detection(box, index) for box in boxes if min(box.w, box.h) > 0]

    def _look_turned(
        self, grey: np.ndarray, small: np.ndarray, scale: float, turn: int, sweep: Sweep
    ) -> list[Detection]:
        """Return faces whose heads are tilted, as one cascade sees them and another confirms."""
        if self.selection == "single":
            return []  # the rule knows upright faces only
        found = [
            self._exact(grey, face)
            for face in self._turned_faces(small, scale, grey.shape, turn, sweep, (_ALT2,))
            if self._search_window(grey, face, SECOND, [_ALT], turn) is not None
        ]
        return largest_first(found)

    def _turned_faces(
        self,
        small: np.ndarray,
        scale: float,
        shape: tuple[int, ...],
        turn: int,
        sweep: Sweep,
        cascades: Iterable[int],
    ) -> list[Detection]:
        """Return what cascades see in the turned working copy, in pixels of the frame."""
        height, width = small.shape
        edge = round(0.2 * max(height, width))  # so that turning cuts no corner with a face
        small = cv2.copyMakeBorder(small, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
        centre = (small.shape[1] / 2, small.shape[0] / 2)
        small = cv2.warpAffine(
            small, cv2.getRotationMatrix2D(centre, turn, 1.0), small.shape[::-1],
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        smallest = max(sweep.smallest_px, round(self.min_face * shape[0] * scale))
        found = []
        for index in cascades:
            for face in self._detect(small, index, sweep.steps, smallest, min(height, width)):
                x, y, w, h = turned_back(face, centre, turn)
                box = to_frame(Box(x - edge, y - edge, w, h), 0, 0, scale, shape)
                if min(box.w, box.h) > 0:
                    found.append(Detection(box, index, turn, float(turn)))
        return found

    @staticmethod
    def _distance(box: Box, left: int, top: int, scale: float, known: Box) -> float:
        x, y = box.centre
        kx, ky = known.centre
        return (left + x / scale - kx) ** 2 + (top + y / scale - ky) ** 2

    def _look_small(self, grey: np.ndarray, look: int, known: Sequence[Box]) -> list[Detection]:
        """Return the smallest faces of a part of the frame, as two cascades see them."""
        height, width = grey.shape
        if look >= self.small_looks(height) or (self.selection == "single" and known):
            return []  # min_face may have grown since the look was planned
        row, column = divmod(look, self._tiles())
        edge = _QUICK * height / 2  # parts overlap by the largest face that is searched
        top = max(0, round(row * height / self._tiles() - edge))
        left = max(0, round(column * width / self._tiles() - edge))
        bottom = round((row + 1) * height / self._tiles() + edge)
        right = round((column + 1) * width / self._tiles() + edge)
        scale = working_scale(grey.shape, SMALL, self.min_face)
        part = scaled(grey[top:bottom, left:right], scale)
        if known:
            boxes = [box._replace(x=box.x - left, y=box.y - top) for box in known]
            part = without_faces(part, boxes, scale)
        smallest = max(SMALL.smallest_px, round(self.min_face * height * scale))
        seen = self._detect(part, _ALT2, SMALL.steps, smallest, round(_QUICK * height * scale))
        found = [Detection(to_frame(box, left, top, scale, grey.shape), _ALT2) for box in seen]
        found = [
            self._exact(grey, face)
            for face in found
            if self._search_window(grey, face, SECOND, [_ALT]) is not None
        ]
        if self.selection == "single" and len(found) != 1:
            return []
        return largest_first(found)

    def _faces_in(
        self, small: np.ndarray, scale: float, index: int, shape: tuple[int, ...], sweep: Sweep
    ) -> list[Box]:
        smallest = max(sweep.smallest_px, round(self.min_face * shape[0] * scale))
        boxes = self._detect(small, index, sweep.steps, smallest, max(small.shape))
        boxes.sort(key=lambda b: -b.area)
        kept = [boxes[i] for i in without_overlaps(boxes)]
        return [to_frame(box, 0, 0, scale, shape) for box in kept]

    def _detect(
        self, image: np.ndarray, index: int, steps: Steps, smallest: int, largest: int
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


def _agreed(found: Sequence[Detection]) -> list[Detection]:
    """Return one detection a face: the one that agrees best with what the other cascades saw."""
    left, agreed = list(found), []
    while left:
        best = max(left, key=lambda d: sum(agreement(d.box, other.box) for other in left))
        group = [d for d in left if agreement(d.box, best.box) or covers(d.box, best.box) > 0.8]
        left = [d for d in left if d not in group]
        if any(d.cascade != _DEFAULT for d in group):
            agreed.append(best)
    return agreed
