"""Photos that have nothing to do with each other: each is read by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recognition.readings import FrameReading


def read_alone(recognizer: ExpressionRecognizer, grey: np.ndarray, first: int = 1) -> FrameReading:
    """Return what is on a photo; nothing is tracked or smoothed from one to the next.

    Args:
        recognizer: reads it; what it knows of a film is left as it is.
        grey: (H, W) uint8.
        first: id of the first face, the others count on. The first is the primary one.

    Raises:
        ValueError: as for ExpressionRecognizer.read_still.
    """
    reading = recognizer.read_still(grey)
    faces = tuple(replace(face, id=k) for k, face in enumerate(reading.faces, start=first))
    return replace(reading, faces=faces, primary=faces[0] if faces else None)
