"""From a frame and a box to the small grey face that a descriptor looks at.

Training and recognition call the same function with the same settings: a model that was trained on
one kind of crop answers badly on another. The settings travel in the model's manifest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from threading import local
from typing import Any

import cv2
import numpy as np

from expression_ros.recognition.image_operations import shrunk
from expression_ros.recognition.opencv_parts import load_cascade

LIGHT_CHOICES = ("none", "equalize", "clahe", "standardize")
FULL, UPPER = "full", "upper"
REGION_CHOICES = (FULL, UPPER)
MOUTH_FROM = 0.62  # of a face's height: the mouth and the chin are below, the nose is above

_EYE_SEARCH_SIDE = 96  # px: the face is brought to this size before its eyes are searched
_MAX_EYE_TILT = 30.0  # degrees; more is a wrong pair, no face that a frontal cascade finds
_STANDARD_SPREAD = 48.0  # grey levels: standard deviation of a face with light "standardize"
_FLAT_SPREAD = 1.0  # grey levels; a flatter face is not amplified


class FaceError(ValueError):
    """The frame, the box or the settings make no face."""


@dataclass(frozen=True)
class FacePreparation:
    """How a face is cut out of a frame.

    Attributes:
        size: side of the prepared face in px.
        margin: added on each side of the box, as a share of the box's side; may be negative.
        light: what is done about light: "none", "equalize" (histogram), "clahe" (Zuiderveld,
            1994) or "standardize" (mean 128, standard deviation 48).
        level_by_eyes: turn the face so that the eyes found by OpenCV's eye cascade lie level.
        region: "full", or "upper": mouth and chin are covered with the mean grey of the rest.

    Raises:
        FaceError: a setting is out of its range.
    """

    size: int = 48
    margin: float = 0.04
    light: str = "none"
    level_by_eyes: bool = False
    region: str = FULL

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 8:
            raise FaceError(f"face size must be a whole number of at least 8 px, not {self.size!r}")
        if not isinstance(self.margin, (int, float)) or not -0.3 <= self.margin <= 2.0:
            raise FaceError(f"face margin must be between -0.3 and 2.0, not {self.margin!r}")
        if self.light not in LIGHT_CHOICES:
            raise FaceError(f"light must be one of {', '.join(LIGHT_CHOICES)}, not {self.light!r}")
        if not isinstance(self.level_by_eyes, bool):
            raise FaceError(f"level_by_eyes must be true or false, not {self.level_by_eyes!r}")
        if self.region not in REGION_CHOICES:
            raise FaceError(
                f"region must be one of {', '.join(REGION_CHOICES)}, not {self.region!r}"
            )

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> FacePreparation:
        """Return the preparation that ``as_mapping`` wrote; missing settings keep their default.

        Raises:
            FaceError: a setting is unknown or out of its range.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(str(key) for key in settings if key not in known):
            raise FaceError(f"unknown face settings: {', '.join(unknown)}")
        return cls(**settings)

    def as_mapping(self) -> dict[str, Any]:
        """Return the settings as plain values, fit for YAML."""
        return asdict(self)


def prepare_face(
    grey: np.ndarray, box: Sequence[int], preparation: FacePreparation | None = None
) -> np.ndarray:
    """Cut one face out of a frame.

    Where the box with its margin reaches beyond the frame, the frame's border pixels are repeated.

    Args:
        grey: (H, W) uint8, the frame.
        box: (x, y, w, h) of the face in px; may reach beyond the frame, but not lie outside.
        preparation: the settings; those of FacePreparation() when left out.

    Returns:
        (S, S) uint8 with S = preparation.size.

    Raises:
        FaceError: the frame is not grey uint8, or the box is empty or outside of it.
    """
    preparation = preparation or FacePreparation()
    _check_grey(grey)
    _check_box(grey, box)
    x, y, w, h = (int(value) for value in box)
    tilt = tilt_of_eyes(grey, (x, y, w, h)) if preparation.level_by_eyes else 0.0
    if abs(tilt) >= 1.0:
        grey, (x, y, w, h) = turned(grey, (x, y, w, h), preparation.margin, tilt)
    crop = _crop_with_margin(grey, (x, y, w, h), preparation.margin)
    return prepare_crop(crop, preparation)


def prepare_crop(crop: np.ndarray, preparation: FacePreparation | None = None) -> np.ndarray:
    """Prepare an image that is a cut-out face already, margin and all, as in FER2013.

    ``prepare_face`` does the same with what it cuts out of a frame. A crop is not levelled: turning
    it would need what lies around it.

    Args:
        crop: (H, W) uint8.
        preparation: the settings; those of FacePreparation() when left out.

    Returns:
        (S, S) uint8 with S = preparation.size.

    Raises:
        FaceError: the crop is not grey uint8 or is empty.
    """
    preparation = preparation or FacePreparation()
    _check_grey(crop)
    face = _normalize_light(_resized(crop, preparation.size), preparation.light)
    return without_mouth(face) if preparation.region == UPPER else face


def without_mouth(face: np.ndarray) -> np.ndarray:
    """Return a copy of a prepared (S, S) uint8 face with everything below the nose made even."""
    face = face.copy()
    row = round(MOUTH_FROM * len(face))
    face[row:] = np.uint8(face[:row].mean())
    return face


def _check_grey(grey: np.ndarray) -> None:
    if grey.ndim != 2 or grey.dtype != np.uint8 or grey.size == 0:
        raise FaceError(f"a grey (H, W) uint8 frame is needed, not {grey.dtype} of {grey.shape}")


def _check_box(grey: np.ndarray, box: Sequence[int]) -> None:
    x, y, w, h = (int(value) for value in box)
    height, width = grey.shape
    if w <= 0 or h <= 0 or x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise FaceError(f"the box {(x, y, w, h)} holds nothing of the {width}x{height} frame")


def _crop_with_margin(
    grey: np.ndarray, box: tuple[int, int, int, int], margin: float
) -> np.ndarray:
    x, y, w, h = box
    left, top = round(x - margin * w), round(y - margin * h)
    right, bottom = round(x + w + margin * w), round(y + h + margin * h)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    inside = grey[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if inside.shape == (bottom - top, right - left):
        return inside
    rows, columns = np.arange(top, bottom), np.arange(left, right)
    return grey.take(rows, 0, mode="clip").take(columns, 1, mode="clip")  # repeats the border


def _resized(crop: np.ndarray, size: int) -> np.ndarray:
    if crop.shape == (size, size):
        return np.ascontiguousarray(crop)
    if min(crop.shape) >= size:
        return shrunk(crop, (size, size))
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_CUBIC)  # nothing to average


def _normalize_light(face: np.ndarray, light: str) -> np.ndarray:
    if light == "equalize":
        return cv2.equalizeHist(face)
    if light == "clahe":
        return cv2.createCLAHE(clipLimit=2.0, tileGridSize=(4, 4)).apply(face)
    if light == "standardize":
        values = face.astype(np.float32)
        spread = max(float(values.std()), _FLAT_SPREAD)
        values = (values - values.mean()) / spread * _STANDARD_SPREAD + 128.0
        return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
    return face


def turned(
    grey: np.ndarray, box: tuple[int, int, int, int], margin: float, tilt: float
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Return the surroundings of the box turned by -tilt degrees about its centre, and the box.

    Args:
        grey: (H, W) uint8, the frame.
        box: (x, y, w, h) in px.
        margin: how far around the box the turned image is whole, as a share of its side.
        tilt: in degrees; positive where the line of the eyes falls to the right.

    Returns:
        (S, S) uint8; beyond the frame its border pixels are repeated. The box in it.
    """
    x, y, w, h = box
    reach = math.ceil(max(w, h) * (0.5 + max(margin, 0.0)) * math.sqrt(2)) + 1
    around = (x + w // 2 - reach, y + h // 2 - reach, 2 * reach, 2 * reach)
    patch = _crop_with_margin(grey, around, 0.0)
    turn = cv2.getRotationMatrix2D((float(reach), float(reach)), tilt, 1.0)
    patch = cv2.warpAffine(patch, turn, patch.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return patch, (reach - w // 2, reach - h // 2, w, h)


def tilt_of_eyes(grey: np.ndarray, box: tuple[int, int, int, int]) -> float:
    """Return by how many degrees the line of the eyes falls to the right; 0 if not sure.

    Args:
        grey: (H, W) uint8, the frame.
        box: (x, y, w, h) of the face in px.
    """
    face = _resized(_crop_with_margin(grey, box, 0.0), _EYE_SEARCH_SIDE)
    side = float(_EYE_SEARCH_SIDE)
    upper = face[: int(side * 0.62)]
    found = _eye_cascade().detectMultiScale(
        cv2.equalizeHist(upper), 1.1, 4, minSize=(14, 14), maxSize=(40, 40)
    )
    eyes = [(x + w / 2, y + h / 2) for x, y, w, h in found]
    left = [eye for eye in eyes if eye[0] < side / 2]
    right = [eye for eye in eyes if eye[0] >= side / 2]
    if len(left) != 1 or len(right) != 1:
        return 0.0
    across, down = right[0][0] - left[0][0], right[0][1] - left[0][1]
    tilt = math.degrees(math.atan2(down, across))
    level = (left[0][1] + right[0][1]) / 2
    plausible = 0.28 * side < across < 0.65 * side and 0.2 * side < level < 0.55 * side
    return tilt if plausible and abs(tilt) <= _MAX_EYE_TILT else 0.0


class _PerThread(local):
    """A cascade carries state while it searches: one for each thread."""

    eye_cascade: cv2.CascadeClassifier | None = None


_per_thread = _PerThread()


def _eye_cascade() -> cv2.CascadeClassifier:
    if _per_thread.eye_cascade is None:
        _per_thread.eye_cascade = load_cascade("eye")
    return _per_thread.eye_cascade
