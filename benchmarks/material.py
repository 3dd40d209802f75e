"""The frames that are measured on: real clips and a crowd, at any size, faces undistorted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

CLIPS = ("single_face.mp4", "WolfgangLanger_Pexels.mp4")
CROWD = "multi_face.jpg"
_TILE_PX = 240  # side of a pasted face with its surroundings; the face itself takes 0.6 of it
_SURROUNDINGS = 0.35  # around a face that is cut out, as a share of its width


@dataclass(frozen=True)
class Clip:
    """A decoded clip.

    Attributes:
        frames: (height, width, 3) uint8 BGR arrays.
        rate: in Hz, at which it was filmed.
    """

    frames: list[np.ndarray]
    rate: float


def read_clip(path: Path, size: tuple[int, int], most: int = 1 << 30) -> Clip:
    """Return the first frames of a clip, cut to the shape of ``size`` and scaled to it.

    Args:
        path: of the clip.
        size: (width, height) in px.
        most: how many frames at most.

    Raises:
        FileNotFoundError: there is no such clip.
    """
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise FileNotFoundError(f"{path}: no such clip; fetch them: python tools/fetch_clips.py")
    frames: list[np.ndarray] = []
    while len(frames) < most:
        read, frame = capture.read()
        if not read:
            break
        frames.append(filled(frame, size))
    return Clip(frames, capture.get(cv2.CAP_PROP_FPS))


def to_and_fro(count: int) -> list[int]:
    """Return the indices of a clip played forwards and backwards: a loop without a jump."""
    return [*range(count), *range(count - 2, 0, -1)]


def crowd(folder: Path, size: tuple[int, int]) -> np.ndarray:
    """Return the image of a group, whole, in a frame of ``size``: bars where it has none."""
    image = cv2.imread(str(folder / CROWD))
    if image is None:
        raise FileNotFoundError(f"{folder / CROWD}; fetch it: python tools/fetch_clips.py")
    width, height = size
    small = _scaled(image, min(width / image.shape[1], height / image.shape[0]))
    frame = np.full((height, width, 3), 90, np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    return frame


def wall_of_faces(frame: np.ndarray, box: tuple[int, int, int, int], count: int) -> np.ndarray:
    """Return a 1280x720 frame with the face of a box in it ``count`` times, on a textured wall.

    Args:
        frame: (H, W, 3) uint8 BGR with a face.
        box: (x, y, w, h) of the face in px.
        count: 1 to 8.
    """
    x, y, w, h = box
    pad = round(min(_SURROUNDINGS * w, x, y, frame.shape[1] - x - w, frame.shape[0] - y - h))
    face = frame[y - pad : y + h + pad, x - pad : x + w + pad]
    face = cv2.resize(face, (_TILE_PX, _TILE_PX), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(0)
    wall = cv2.resize(rng.integers(60, 160, (45, 80, 3)).astype(np.uint8), (1280, 720))
    for k in range(count):
        top, left = 60 + 360 * (k // 4), 40 + 310 * (k % 4)
        wall[top : top + _TILE_PX, left : left + _TILE_PX] = face
    return wall


def shaken(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the frame moved by up to 3 px and with noise, as from a camera held in a hand.

    A frame that repeats exactly would be taken for still, and would cost next to nothing.
    """
    dx, dy = (int(value) for value in rng.integers(-3, 4, 2))
    noise = rng.integers(-4, 5, frame.shape, np.int16)
    moved = np.roll(frame, (dy, dx), (0, 1)).astype(np.int16)
    return np.clip(moved + noise, 0, 255).astype(np.uint8)


def filled(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a frame that fills ``size``: scaled, and what is too wide or too high cut off."""
    width, height = size
    big = _scaled(frame, max(width / frame.shape[1], height / frame.shape[0]))
    top, left = (big.shape[0] - height) // 2, (big.shape[1] - width) // 2
    return np.ascontiguousarray(big[top : top + height, left : left + width])


def _scaled(image: np.ndarray, scale: float) -> np.ndarray:
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=how)
