"""Asking a person at a camera: lines in the terminal, and a window where there is a screen."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from expression_ros.personal.calibration import Calibration
from expression_ros.personal.dialogue import Dialogue

if TYPE_CHECKING:
    from expression_ros.viewing.question_window import QuestionWindow

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
    from expression_ros.viewing.question_window import QuestionWindow
    from expression_ros.viewing.windows import WindowError

    try:
        return QuestionWindow()
    except WindowError:
        return None  # the lines in the terminal do
