"""Asking a person at a camera: lines in the terminal, and a window where there is a screen."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import cv2
import numpy as np

from expression_ros.mirroring.robot_table import load_robot
from expression_ros.mirroring.virtual_face import draw_face, expression_shape
from expression_ros.personal.calibration import Calibration
from expression_ros.personal.dialogue import Dialogue
from expression_ros.viewing.windows import ImageWindow

_LINE = 60  # characters that the line with count and advice is written over


def ask_for_each(
    dialogue: Dialogue, frames: Iterator[tuple[np.ndarray, float]], calibration: Calibration
) -> None:
    """Ask until all has been asked for, or the frames end.

    Args:
        dialogue: what to ask; takes the faces.
        frames: (H, W) uint8 grey and stamp in seconds.
        calibration: that of the dialogue; knows what was passed over.

    Raises:
        ValueError: the person has closed the window, or the camera gives no more images.
    """
    window = _window()
    asked = ""
    try:
        for grey, stamp in frames:
            if dialogue.emotion != asked:
                asked = dialogue.emotion
                print(f"Show {asked}: {dialogue.hint}.", flush=True)
            if window is not None and window.show(grey, dialogue):
                dialogue.skip()
            else:
                dialogue.offer(grey, stamp)
            _count(dialogue, asked)
            if dialogue.emotion != asked:
                print(file=sys.stderr)
                tell(calibration, asked, dialogue.counts[asked])
            if not dialogue.emotion:
                return
    finally:
        if dialogue.emotion and asked:
            print(file=sys.stderr)  # what went wrong is told in a line of its own
        if window is not None:
            window.close()


def tell(calibration: Calibration, emotion: str, count: int) -> None:
    """Print how many faces of an emotion were taken, and what was passed over and why."""
    refused = calibration.refused.get(emotion, {})
    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(refused.items()))
    print(f"{emotion}: {count} taken" + (f"; passed over: {reasons}" if reasons else ""))


def _count(dialogue: Dialogue, emotion: str) -> None:
    advice = dialogue.advice if dialogue.emotion == emotion else ""
    line = f"  {dialogue.counts[emotion]} of {dialogue.frames}" + (f": {advice}" if advice else "")
    print(f"\r{line:<{_LINE}}", end="", file=sys.stderr, flush=True)


def _window() -> QuestionWindow | None:
    """Return a window that shows what is asked for; None where there is no screen."""
    from expression_ros.viewing.windows import WindowError

    try:
        return QuestionWindow()
    except WindowError:
        return None  # the lines in the terminal do


# The window of ``expression-ros calibrate``: what is asked for, an example, and the person.
_HEIGHT = 480  # pixels, of camera and example
_WIDEST = 640  # pixels, of the camera's image
_EXAMPLE = (400, 310)  # pixels
_BAND = 84  # pixels below both, for the words
_BACKDROP = (74, 52, 36)  # of the virtual face
_LIGHT, _DIM = (245, 240, 235), (190, 175, 160)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_ENDING = ("q", "Escape")
_NEXT = "space"
_KEYS = "space: next    q: end"


class Ended(ValueError):
    """The person has closed the window or pressed q."""


class QuestionWindow:
    """Shows which emotion is asked for, with the virtual face as the example.

    Raises:
        WindowError: no window can be opened here.
    """

    def __init__(self) -> None:
        self._window = ImageWindow("Show your face")
        self._words = load_robot("virtual_face").expressions
        self._example = np.full((_HEIGHT, _EXAMPLE[0], 3), _BACKDROP, np.uint8)
        self._shown = ""

    def show(self, grey: np.ndarray, question: Dialogue) -> bool:
        """Show the person beside what is asked for.

        Args:
            grey: (H, W) uint8, the camera's image.
            question: what the person is asked to show.

        Returns:
            Whether the person wants to go on to the next emotion: the space bar was pressed.

        Raises:
            Ended: the window was closed, or q or Escape pressed.
        """
        self._window.show(self.image(grey, question))
        keys = set(self._window.keys())
        if self._window.is_closed or keys & set(_ENDING):
            raise Ended("ended before all emotions were shown; nothing is saved")
        return _NEXT in keys

    def image(self, grey: np.ndarray, question: Dialogue) -> np.ndarray:
        """Return what is shown, (H, W, 3) uint8 BGR: person, mirrored, example and words."""
        scale = min(_HEIGHT / grey.shape[0], _WIDEST / grey.shape[1])
        size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
        person = cv2.resize(cv2.flip(grey, 1), size, interpolation=cv2.INTER_AREA)
        room = np.zeros((_HEIGHT, size[0], 3), np.uint8)
        top = (_HEIGHT - size[1]) // 2
        room[top : top + size[1]] = person[..., None]
        whole = np.hstack([room, self._example_of(question.emotion)])
        band = np.full((_BAND, whole.shape[1], 3), 25, np.uint8)
        title = f"Show {question.emotion}   {question.taken} of {question.frames}"
        cv2.putText(band, title, (16, 34), _FONT, 0.9, _LIGHT, 2, cv2.LINE_AA)
        words, colour = (question.advice, _LIGHT) if question.advice else (question.hint, _DIM)
        cv2.putText(band, words, (16, 66), _FONT, 0.6, colour, 1, cv2.LINE_AA)
        _write_at_right(band, _KEYS)
        done = round(whole.shape[1] * min(1.0, question.taken / max(1, question.frames)))
        band[-6:, :done] = _LIGHT
        return np.vstack([whole, band])

    def _example_of(self, emotion: str) -> np.ndarray:
        """Return the virtual face that shows an emotion, drawn when it is first asked for."""
        if emotion != self._shown:
            self._shown = emotion
            face = draw_face(expression_shape(self._words[emotion]), *_EXAMPLE)
            top = (_HEIGHT - _EXAMPLE[1]) // 2
            self._example[top : top + _EXAMPLE[1]] = face
        return self._example

    def close(self) -> None:
        """Close the window; may be called twice."""
        self._window.close()


def _write_at_right(band: np.ndarray, words: str) -> None:
    width = cv2.getTextSize(words, _FONT, 0.5, 1)[0][0]
    cv2.putText(band, words, (band.shape[1] - width - 16, 34), _FONT, 0.5, _DIM, 1, cv2.LINE_AA)
