"""Reads the faces on a photo that somebody sends, and forgets it.

Part of ``expression_ros.web``: imports no ROS.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from expression_ros.images.conversion import ImageError, grey_from_message
from expression_ros.images.files import PhotoError
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.session.recognizer import RecognizerSettings, make_recognizer

MAX_PHOTO_BYTES = 10 * 1024 * 1024

_LIMITS = "send a JPEG or PNG of at most 67 million pixels"


class PhotoReader:
    """Reads photos one at a time; its models are loaded with the first.

    They are its own: the networks of OpenCV must not be used by two threads at once.

    Args:
        settings: what reads them, as ``expression-ros predict`` does; with the recognizer's
            defaults when left out.
    """

    def __init__(self, settings: RecognizerSettings | None = None):
        chosen = settings or RecognizerSettings.from_values()
        # Who is on a photo need not be the person before the camera.
        self._settings = replace(chosen.for_photos(), person="")
        self._recognizer: ExpressionRecognizer | None = None
        self._lock = threading.Lock()

    def read(self, data: bytes) -> dict[str, Any]:
        """Return what is on a photo, as JSON takes it: width, height and the faces.

        Args:
            data: of a JPEG or PNG file.

        Raises:
            PhotoError: it is not such a file, cut short, or too large.
            ValueError: the models cannot be loaded.
        """
        grey = decode_photo(data)
        with self._lock:
            if self._recognizer is None:
                self._recognizer = make_recognizer(self._settings)
            reading = self._recognizer.read_still(grey)
        return {
            "width": grey.shape[1],
            "height": grey.shape[0],
            "faces": [
                {
                    "box": [int(value) for value in face.box],
                    "label": face.label,
                    "score": round(face.score, 4),
                    "scores": {label: round(score, 4) for label, score in face.scores.items()},
                }
                for face in reading.faces
            ],
        }


def decode_photo(data: bytes) -> np.ndarray:
    """Return the bytes of a JPEG or PNG file as (H, W) uint8 grey, turned as its EXIF data say.

    What the file declares is looked at before any memory is taken for it.

    Raises:
        PhotoError: it is not such a file, cut short, or too large; says what to send instead.
    """
    if len(data) > MAX_PHOTO_BYTES:
        raise PhotoError(f"the photo is larger than {MAX_PHOTO_BYTES >> 20} MB; {_LIMITS}")
    try:
        return grey_from_message(SimpleNamespace(format="photo", data=data))
    except ImageError as error:
        what = {"size": "has too many pixels", "data": "is cut short"}
        problem = what.get(error.reason, "is not an image that can be read")
        raise PhotoError(f"the photo {problem}; {_LIMITS}") from None
