"""Finding faces with a network that sees eyes and mouth, too: YuNet or CenterFace.

The network looks at small pictures: the whole frame, reduced until the smallest face of interest is
just visible, or the surroundings of a face already known. Its own boxes are narrower than those of
the cascades; what classifiers were taught to read is a cascade's box, so boxes are drawn anew from
the landmarks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

from expression_ros.recognition.boxes import Box, covers, overlap, to_frame, without_overlaps
from expression_ros.recognition.detection import Detection, check_settings, held
from expression_ros.recognition.shrinking import scaled

# The cascades' box, told from the landmarks of an upright face: so many times as wide as the
# diagonal of two lengths, from eye to eye and from the eyes to the mouth (the longer one holds
# where a head turns, both hold where it tilts), its centre at this share of the way from the eyes
# to the mouth. Least squares and median over the 204 portraits of the Face Research Lab London Set
# (DeBruine and Jones, 2017), neutral and smiling, against the boxes on which the cascades agree:
# python tools/measure_detector_boxes.py
BOX_WIDTH, BOX_CENTRE = 1.86, 0.27

_FINE_PX = 24  # width that the smallest face of interest has in the reduced frame, as a cascade's
_COARSE_PX = 16  # the same for a look that has to be quick
_WIDEST = 6.0  # of a strip the reduced frame has at most the area of one so many times as wide
_NEAR_PX = 96  # side of the picture in which a face that is followed is looked for
_NEAR, _LOST = 0.5, 1.0  # of its width, added on each side
_SAME_FACE = 0.3  # overlap of a box with that of a closer look
_SIZES = 4  # of pictures for which a network is kept
_FARTHEST_PX = 1e6  # from the frame's corner; a landmark beyond it is none


@dataclass(frozen=True)
class NetworkFace:
    """A face as a network sees it, in pixels of the picture that it was given.

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
    """

    sure: float
    nearby: float

    def faces(self, grey: np.ndarray, least: float) -> list[NetworkFace]:
        """Return the faces in an (H, W) uint8 picture, at least so sure, overlaps removed."""
        ...

    def twin(self) -> FaceNetwork:
        """Return another one with the same weights for another thread."""
        ...


class NetworksBySize:
    """The networks for the last few sizes of pictures.

    One network for all would be set up anew, which costs milliseconds, at every change; and with
    OpenCV 4.14 what CenterFace says after one is wrong.

    Args:
        make: returns a network for pictures of a width and height in px.
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
        network: looks at pictures.
        selection: ``single``: a search of the frame returns a face where there is exactly one;
            ``all``: every face.
        min_face: width of the smallest face of interest as a fraction of the frame's height.

    Raises:
        ValueError: a setting is out of range.
    """

    parts = 1
    lost_looks = 1

    def __init__(self, network: FaceNetwork, selection: str = "all", min_face: float = 0.12):
        check_settings(selection, min_face)
        self.selection = selection
        self.min_face = min_face
        self.searches = 0
        self._network = network
        self._twin: NetworkDetector | None = None

    def twin(self) -> NetworkDetector:
        """Return a detector with the same settings for another thread; it is made once."""
        if self._twin is None:
            self._twin = NetworkDetector(self._network.twin(), self.selection, self.min_face)
        self._twin.selection, self._twin.min_face = self.selection, self.min_face
        return self._twin

    def search_frame(
        self,
        grey: np.ndarray,
        parts: Iterable[int] = (0,),
        coarse: bool = False,
        known: Sequence[Box] = (),
    ) -> list[Detection]:
        """Search a whole frame; see Detector.search_frame."""
        if not list(parts):
            return []
        small, scale = self._reduced(grey, _COARSE_PX if coarse else _FINE_PX)
        found = [
            face
            for face in self._look(small, 0.0, 0.0, scale, grey.shape, self._network.sure)
            if face.box.w >= self.min_face * grey.shape[0]
            and all(covers(face.box, box) < 0.5 for box in known)
        ]
        if self.selection == "single" and len(found) != 1:
            return []
        return found

    def search_photo(self, grey: np.ndarray) -> list[Detection]:
        """Search a still picture; see Detector.search_photo."""
        return [self._exact(grey, face) for face in self.search_frame(grey)]

    def search_near(self, grey: np.ndarray, known: Detection) -> Detection | None:
        """Return where a face is that was just there, at any size; None if it is not near."""
        return held(self._search_around(grey, known.box, _NEAR, self._network.nearby), known)

    def search_size(self, grey: np.ndarray, known: Detection) -> Detection | None:
        """Return the same: a network sees all sizes in one look."""
        return self.search_near(grey, known)

    def search_lost(self, grey: np.ndarray, known: Detection, look: int) -> Detection | None:
        """Return where a face is that was there some frames ago; None if it is not near."""
        return self._search_around(grey, known.box, _LOST, self._network.sure)

    def _exact(self, grey: np.ndarray, found: Detection) -> Detection:
        """Return a face of the reduced frame, which shows it small, as a closer look shows it."""
        exact = self._search_around(grey, found.box, _NEAR, self._network.nearby)
        return exact if exact and overlap(exact.box, found.box) > _SAME_FACE else found

    def _reduced(self, grey: np.ndarray, smallest_px: int) -> tuple[np.ndarray, float]:
        """Return the frame at the size where the smallest face of interest is just visible."""
        height, width = grey.shape
        enough = smallest_px / self.min_face  # rows
        scale = min(1.0, enough / height, enough * math.sqrt(_WIDEST / (width * height)))
        return scaled(grey, scale), scale

    def _search_around(
        self, grey: np.ndarray, box: Box, pad: float, least: float
    ) -> Detection | None:
        """Return the face that lies nearest to where one was, from a look at its surroundings."""
        side = max(2.0, max(box.w, box.h) * (1 + 2 * pad))
        scale = _NEAR_PX / side
        left, top = (centre - side / 2 for centre in box.centre)
        picture = _surroundings(grey, left, top, side, scale)
        faces = self._look(picture, left, top, scale, grey.shape, least)
        return min(faces, key=lambda face: math.dist(face.box.centre, box.centre), default=None)

    def _look(
        self,
        picture: np.ndarray,
        left: float,
        top: float,
        scale: float,
        shape: tuple[int, ...],
        least: float,
    ) -> list[Detection]:
        """Return the faces of a picture in pixels of the frame, largest first."""
        self.searches += 1
        faces = self._network.faces(picture, least)
        found = [_drawn(face.landmarks / scale + (left, top), shape) for face in faces]
        found = [face for face in found if min(face.box.w, face.box.h) > 0]
        found.sort(key=lambda face: -face.box.area)
        return [found[i] for i in without_overlaps([face.box for face in found])]


def _surroundings(
    grey: np.ndarray, left: float, top: float, side: float, scale: float
) -> np.ndarray:
    """Return a square of the frame as (_NEAR_PX, _NEAR_PX): of one size, the network's.

    Beyond the frame its edge pixels are repeated. A square outside of it shows its nearest edge.
    """
    height, width = grey.shape
    x, y = min(max(0, math.floor(left)), width - 1), min(max(0, math.floor(top)), height - 1)
    right = max(x + 1, min(width, math.ceil(left + side)))
    bottom = max(y + 1, min(height, math.ceil(top + side)))
    region = scaled(grey[y:bottom, x:right], scale)  # averaged: what warpAffine does not do
    across, down = region.shape[1] / (right - x), region.shape[0] / (bottom - y)
    place = np.array(
        [[scale / across, 0, scale * (x - left)], [0, scale / down, scale * (y - top)]]
    )
    return cv2.warpAffine(region, place, (_NEAR_PX, _NEAR_PX), borderMode=cv2.BORDER_REPLICATE)


def _drawn(landmarks: np.ndarray, shape: tuple[int, ...]) -> Detection:
    """Return a face as the cascades draw it, from (5, 2) landmarks in pixels of the frame."""
    if not np.abs(landmarks).max() < _FARTHEST_PX:  # NaN, too: weights that are damaged
        return Detection(Box(0, 0, 0, 0), 0)
    across = landmarks[1] - landmarks[0]
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    width = BOX_WIDTH * math.hypot(*across, *(mouth - eyes))
    x, y = eyes + BOX_CENTRE * (mouth - eyes) - width / 2
    box = to_frame(Box(round(x), round(y), round(width), round(width)), 0, 0, 1.0, shape)
    return Detection(box, 0, tilt=math.degrees(math.atan2(across[1], across[0])))
