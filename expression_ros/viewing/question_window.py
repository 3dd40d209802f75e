"""The window of ``expression-ros calibrate``: what is asked for, an example, and the person.

Part of ``expression_ros.viewing``: imports no ROS.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from expression_ros.mirroring.robot_table import load_robot
from expression_ros.mirroring.virtual_face import draw_face, expression_shape
from expression_ros.viewing.windows import PictureWindow

_HEIGHT = 480  # pixels, of camera and example
_WIDEST = 640  # pixels, of the camera's picture
_EXAMPLE = (400, 310)  # pixels
_BAND = 84  # pixels below both, for the words
_BACKDROP = (74, 52, 36)  # of the virtual face
_LIGHT, _DIM = (245, 240, 235), (190, 175, 160)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_ENDING = ("q", "Escape")


class Ended(ValueError):
    """The person has closed the window or pressed q."""


class QuestionWindow:
    """Shows which emotion is asked for, with the virtual face as the example.

    Raises:
        WindowError: no window can be opened here.
    """

    def __init__(self) -> None:
        self._window = PictureWindow("Show your face")
        self._words = load_robot("virtual_face").expressions
        self._example = np.full((_HEIGHT, _EXAMPLE[0], 3), _BACKDROP, np.uint8)
        self._lines = ("", "")
        self._most = 1

    def ask(self, emotion: str, hint: str, most: int) -> None:
        """Ask for an emotion, in a line and with a face that shows it."""
        self._most = most
        self._lines = (f"Show {emotion}", hint)
        face = draw_face(expression_shape(self._words[emotion]), *_EXAMPLE)
        self._example[:] = _BACKDROP
        top = (_HEIGHT - _EXAMPLE[1]) // 2
        self._example[top : top + _EXAMPLE[1]] = face

    def watched(
        self, frames: Iterator[tuple[np.ndarray, float]], taken: list[int]
    ) -> Iterator[tuple[np.ndarray, float]]:
        """Yield the frames, each shown before.

        Args:
            frames: (H, W) uint8 grey and stamp.
            taken: its last number is how many frames have been taken.

        Raises:
            Ended: the window was closed, or q or Escape pressed.
        """
        for grey, stamp in frames:
            self._window.show(self.picture(grey, taken[-1] if taken else 0))
            if self._window.is_closed or set(self._window.keys()) & set(_ENDING):
                raise Ended("ended before all emotions were shown; nothing is saved")
            yield grey, stamp

    def picture(self, grey: np.ndarray, taken: int) -> np.ndarray:
        """Return what is shown, (H, W, 3) uint8 BGR: person, mirrored, example and words."""
        scale = min(_HEIGHT / grey.shape[0], _WIDEST / grey.shape[1])
        size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
        person = cv2.resize(cv2.flip(grey, 1), size, interpolation=cv2.INTER_AREA)
        room = np.zeros((_HEIGHT, size[0], 3), np.uint8)
        top = (_HEIGHT - size[1]) // 2
        room[top : top + size[1]] = person[..., None]
        whole = np.hstack([room, self._example])
        band = np.full((_BAND, whole.shape[1], 3), 25, np.uint8)
        title = f"{self._lines[0]}   {taken} of {self._most}"
        cv2.putText(band, title, (16, 34), _FONT, 0.9, _LIGHT, 2, cv2.LINE_AA)
        cv2.putText(band, self._lines[1], (16, 66), _FONT, 0.6, _DIM, 1, cv2.LINE_AA)
        done = round(whole.shape[1] * min(1.0, taken / max(1, self._most)))
        band[-6:, :done] = _LIGHT
        return np.vstack([whole, band])

    def close(self) -> None:
        """Close the window; may be called twice."""
        self._window.close()
