"""Finding faces with a network that sees eyes and mouth, too: YuNet or CenterFace.

The network looks at small images: the whole frame, reduced until the smallest face of interest is
just visible, or the surroundings of a face already known. Its own boxes are narrower than those of
the cascades; what classifiers were taught to read is a cascade's box, so boxes are drawn anew from
the landmarks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import cv2
import numpy as np

from expression_ros.recognition.boxes import (
    Box,
    Detection,
    covers,
    held,
    to_frame,
    without_overlaps,
)
from expression_ros.recognition.detection import check_settings
from expression_ros.recognition.image_operations import scaled

# Width that the smallest face of interest has in the reduced frame, as a cascade's. In colour YuNet
# sees 40 of 51 faces of 16 px; in grey, which is what the pipeline works on, 2 there, 37 at 20 px,
# 50 at 23 px.
_FINE_PX = 28
_COARSE_PX = 23  # for a look that has to be quick
_QUICK = 0.12  # of the frame's height: what a stream's ordinary looks show at least
_WIDEST = 6.0  # of a strip the reduced frame has at most the area of one so many times as wide
_NEAR_PX = 96  # side of the image in which a face that is followed is looked for
_LEAST_SHARE = 0.85  # of the smallest width of interest: boxes of small faces are rough
NEAR, _LOST = 0.5, 1.0  # of its width, added on each side
# Turned views of a face, in degrees: between two of them, the least that is worth turning, and the
# most, beyond which these networks see no face. How sure they are of a view in which they see none.
_STEP, _NEARLY_UPRIGHT, _MOST_TURNED, _FAINT = 30, 15, 60, 0.02
_SIZES = 4  # of images for which a network is kept
_FARTHEST_PX = 1e6  # from the image's corner; a landmark beyond it is none


@dataclass(frozen=True)
class NetworkFace:
    """A face as a network sees it, in pixels of the image that it was given.

    Attributes:
        score: how sure the network is, 0..1.
        landmarks: (5, 2) float: the eyes, the nose, the corners of the mouth, of each pair the one
            on the left of an upright face first.
    """

    score: float
    landmarks: np.ndarray


class FaceNetwork(Protocol):
    """A network that finds faces. One thread at a time.

    Attributes:
        sure: how sure it must be of a face anywhere in a frame.
        nearby: how sure of one where a face just was.
        box_width: of a cascade's box, in the diagonal of two lengths, from eye to eye and from the
            eyes to the mouth: the longer one holds where a head turns, both where it tilts.
        box_centre: where its centre is, as a share of the way from the eyes to the mouth.
    """

    sure: float
    nearby: float
    box_width: float
    box_centre: float

    def faces(self, grey: np.ndarray, least: float) -> list[NetworkFace]:
        """Return the faces in an (H, W) uint8 image, at least so sure, overlaps removed."""
        ...

    def clone(self) -> FaceNetwork:
        """Return another one with the same weights for another thread."""
        ...


class NetworksBySize:
    """The networks for the last few sizes of images.

    One network for all would be set up anew, which costs milliseconds, at every change; and with
    OpenCV 4.14 what CenterFace says after one is wrong.

    Args:
        make: returns a network for images of a width and height in px.
    """

    def __init__(self, make: Callable[[tuple[int, int]], Any]):
        self._make = make
        self._kept: dict[tuple[int, int], Any] = {}  # the one used last comes last

    def __getitem__(self, size: tuple[int, int]) -> Any:
        network = self._kept.pop(size, None) or self._make(size)
        while len(self._kept) >= _SIZES:
            self._kept.pop(next(iter(self._kept)))
        self._kept[size] = network
        return network


class NetworkDetector:
    """Finds faces with a network; see Detector for what its methods have in common with others.

    Args:
        network: looks at images.
        selection: ``single``: a search of the frame returns a face where there is exactly one;
            ``all``: every face.
        min_face: width of the smallest face of interest as a fraction of the frame's height.

    Raises:
        ValueError: a setting is out of range.
    """

    parts = 1
    turned_looks = 0
    lost_looks = 1

    def small_looks(self, height: int) -> int:
        """Return 1, at the whole frame, where faces smaller than usual are of interest and seen."""
        return 1 if self.min_face < _QUICK and _QUICK * height > _COARSE_PX else 0

    def __init__(self, network: FaceNetwork, selection: str = "all", min_face: float = 0.12):
        check_settings(selection, min_face)
        self.selection = selection
        self.min_face = min_face
        self.searches = 0
        self._network = network
        self._clone: NetworkDetector | None = None

    def clone(self) -> NetworkDetector:
        """Return a detector with the same settings for another thread; it is made once."""
        if self._clone is None:
            self._clone = NetworkDetector(self._network.clone(), self.selection, self.min_face)
        self._clone.selection, self._clone.min_face = self.selection, self.min_face
        return self._clone

    def search_frame(
        self,
        grey: np.ndarray,
        parts: Iterable[int] | None = None,
        coarse: bool = False,
        known: Sequence[Box] = (),
    ) -> list[Detection]:
        """Search a whole frame; see Detector.search_frame."""
        if parts is not None and not (parts := list(parts)):
            return []
        quick = parts is not None and max(parts) < self.parts
        found = self._faces_of_frame(grey, coarse, known, _QUICK if quick else 0.0)
        return _sorted(self.search_near(grey, face) or face for face in found)

    def _faces_of_frame(
        self, grey: np.ndarray, coarse: bool, known: Sequence[Box], at_least: float = 0.0
    ) -> list[Detection]:
        """Return the faces of the reduced frame, which shows them small: boxes are rough.

        Args:
            at_least: of the height, faces that are of interest, if more than min_face.
        """
        min_face = max(self.min_face, at_least)
        small, scale = _reduced(grey, _COARSE_PX if coarse else _FINE_PX, min_face)
        back = np.array([[1 / scale, 0.0, 0.0], [0.0, 1 / scale, 0.0]])
        found = [
            face
            for face in self._look(small, back, grey.shape, self._network.sure)
            if face.box.w >= _LEAST_SHARE * min_face * grey.shape[0]
            and all(covers(face.box, box) < 0.5 for box in known)
        ]
        if self.selection == "single" and len(found) != 1:
            return []
        return found

    def search_photo(self, grey: np.ndarray) -> list[Detection]:
        """Search a still image; see Detector.search_photo."""
        found = self._faces_of_frame(grey, False, ())
        return _sorted(self.search_size(grey, face) or face for face in found)

    def search_near(self, grey: np.ndarray, known: Detection) -> Detection | None:
        """Return where a face is that was just there, at any size; None if it is not near."""
        return held(self._search_around(grey, known, NEAR, self._network.nearby), known)

    def search_size(self, grey: np.ndarray, known: Detection) -> Detection | None:
        """Return the same, from a look at the face turned upright by how it is tilted now."""
        upright = replace(known, turn=self._turn_of(grey, known))
        return held(self._search_around(grey, upright, NEAR, self._network.nearby), known)

    def search_lost(self, grey: np.ndarray, known: Detection, look: int) -> Detection | None:
        """Return where a face is that was there some frames ago; None if it is not near."""
        return self._search_around(grey, known, _LOST, self._network.sure)

    def _turn_of(self, grey: np.ndarray, known: Detection) -> int:
        """Return by how many degrees a face must be turned to be upright; 0 where it nearly is.

        A network is surest of an upright face. YuNet's landmarks hardly follow one that is tilted:
        for 30 degrees they tell 4. How sure it is of three turned views does, within 12 degrees.
        """
        known_turn = known.turn
        sure = {turn: self._sure_of(grey, known, turn)
                for turn in (known_turn - _STEP, known_turn, known_turn + _STEP)}  # fmt: skip
        best = max(sure, key=lambda turn: (sure[turn], -abs(turn - known_turn)))
        for turn in (best - _STEP, best + _STEP):
            if turn not in sure and abs(turn) <= _MOST_TURNED + _STEP:
                sure[turn] = self._sure_of(grey, known, turn)
        if not (best - _STEP in sure and best + _STEP in sure):
            return best
        before, here, after = (sure[best + step] for step in (-_STEP, 0, _STEP))
        bend = before - 2 * here + after
        peak = best + (_STEP * 0.5 * (before - after) / bend if bend < 0 else 0.0)
        return round(peak) if _NEARLY_UPRIGHT < abs(peak) <= _MOST_TURNED else 0

    def _sure_of(self, grey: np.ndarray, known: Detection, turn: int) -> float:
        """Return the log odds that a face is there, as the network sees it in a turned view."""
        self.searches += 1
        image, _ = turned_view(grey, known.box, NEAR, turn)
        middle = (_NEAR_PX / 2, _NEAR_PX / 2)
        scores = [
            face.score
            for face in self._network.faces(image, _FAINT)
            if math.dist(face.landmarks.mean(axis=0), middle) < _NEAR_PX / 4
        ]
        score = min(max(scores, default=_FAINT), 1 - _FAINT / 10)
        return math.log(score / (1 - score))

    def _search_around(
        self, grey: np.ndarray, known: Detection, pad: float, least: float
    ) -> Detection | None:
        """Return the face that lies nearest to where one was, from a look at its surroundings."""
        image, back = turned_view(grey, known.box, pad, known.turn)
        faces = self._look(image, back, grey.shape, least)
        middle = known.box.centre
        found = min(faces, key=lambda face: math.dist(face.box.centre, middle), default=None)
        return replace(found, turn=known.turn) if found else None

    def _look(
        self, image: np.ndarray, back: np.ndarray, shape: tuple[int, ...], least: float
    ) -> list[Detection]:
        """Return the faces of an image, largest first; ``back`` (2, 3) leads to the frame."""
        self.searches += 1
        # NaN, too, is not below: of weights that are damaged.
        marks = [face.landmarks for face in self._network.faces(image, least)
                 if np.abs(face.landmarks).max() < _FARTHEST_PX]  # fmt: skip
        found = (self._drawn(one @ back[:, :2].T + back[:, 2], shape) for one in marks)
        return _sorted(face for face in found if min(face.box.w, face.box.h) > 0)

    def _drawn(self, landmarks: np.ndarray, shape: tuple[int, ...]) -> Detection:
        """Return a face as the cascades draw it, from (5, 2) landmarks in pixels of the frame."""
        across = landmarks[1] - landmarks[0]
        eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
        width = self._network.box_width * math.hypot(*across, *(mouth - eyes))
        x, y = eyes + self._network.box_centre * (mouth - eyes) - width / 2
        box = to_frame(Box(round(x), round(y), round(width), round(width)), 0, 0, 1.0, shape)
        return Detection(box, 0, tilt=math.degrees(math.atan2(across[1], across[0])))


def _sorted(found: Iterable[Detection]) -> list[Detection]:
    """Return faces largest first, none twice."""
    faces = sorted(found, key=lambda face: -face.box.area)
    return [faces[i] for i in without_overlaps([face.box for face in faces])]


def turned_view(grey: np.ndarray, box: Box, pad: float, turn: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a face's surroundings, turned, as an image of the network's size.

    Beyond the frame its edge pixels are repeated; a box outside of it shows its nearest edge.

    Returns:
        (_NEAR_PX, _NEAR_PX) uint8, and the (2, 3) float matrix that leads from it to the frame.
    """
    side = max(2.0, max(box.w, box.h) * (1 + 2 * pad))
    scale, middle = _NEAR_PX / side, _NEAR_PX / 2
    x, y = box.centre
    onto = cv2.getRotationMatrix2D((middle, middle), turn, 1.0) @ np.array(
        [[scale, 0, middle - scale * x], [0, scale, middle - scale * y], [0, 0, 1]]
    )
    reach = side / 2 * (math.sqrt(2) if turn else 1)
    height, width = grey.shape
    left, top = (min(max(0, math.floor(c - reach)), end - 1)
                 for c, end in ((x, width), (y, height)))  # fmt: skip
    right = max(left + 1, min(width, math.ceil(x + reach)))
    bottom = max(top + 1, min(height, math.ceil(y + reach)))
    region = scaled(grey[top:bottom, left:right], scale)  # averaged: what warpAffine does not do
    across, down = (right - left) / region.shape[1], (bottom - top) / region.shape[0]
    # The middle of a pixel of the region, in the frame.
    in_frame = np.array([[across, 0, left + across / 2 - 0.5], [0, down, top + down / 2 - 0.5],
                         [0, 0, 1]])  # fmt: skip
    image = cv2.warpAffine(
        region, onto @ in_frame, (_NEAR_PX, _NEAR_PX), borderMode=cv2.BORDER_REPLICATE
    )
    return image, cv2.invertAffineTransform(onto)


def _reduced(grey: np.ndarray, smallest_px: int, min_face: float) -> tuple[np.ndarray, float]:
    """Return the frame at the size where the smallest face of interest is just visible."""
    height, width = grey.shape
    enough = smallest_px / min_face  # rows
    scale = min(1.0, enough / height, enough * math.sqrt(_WIDEST / (width * height)))
    return scaled(grey, scale), scale
