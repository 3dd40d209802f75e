"""The annotated image of a photo, and where it is written.

Part of ``expression_ros.viewing``: imports no ROS.
"""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from expression_ros.images.files import readable_name
from expression_ros.recognition.overlay import draw_overlay, scaled
from expression_ros.recognition.readings import FrameReading

_SHORTEST_SIDE = 320  # pixels; on smaller photos the writing would hide the face
_LONGEST_SIDE = 4096  # pixels; a strip of 1x10000 would take gigabytes


class AnnotatedPhotoError(ValueError):
    """An image that cannot be written; one line that says what to do."""


def annotated(photo: np.ndarray, reading: FrameReading) -> np.ndarray:
    """Return a photo with boxes, labels and votes, as (H, W, 3) uint8 BGR.

    Args:
        photo: (H, W, 3) uint8 BGR; it may be drawn on. One whose shorter side is below 320 px is
            enlarged by a whole factor, the longer side to 4096 px at most.
        reading: what was read on it; faces with different ids.
    """
    factor = math.ceil(_SHORTEST_SIDE / min(photo.shape[:2]))
    factor = max(1, min(factor, _LONGEST_SIDE // max(photo.shape[:2])))
    if factor > 1:
        photo = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    note = "" if reading.faces else "no face"
    return draw_overlay(photo, scaled(reading, factor), note)


def write_beside(image: np.ndarray, photo: Path, folder: Path) -> Path:
    """Write the image of a photo as PNG under a name that is free, and return its path.

    Args:
        image: (H, W, 3) uint8 BGR.
        photo: of which it is; ``smile.jpg`` becomes ``smile_expression.png``, or
            ``smile_expression_2.png`` where there is one already.
        folder: where it goes; made if it is not there.

    Raises:
        AnnotatedPhotoError: it cannot be written there.
    """
    encoded = cv2.imencode(".png", image)[1]
    number = 1
    while True:
        name = f"{photo.stem}_expression{'' if number == 1 else f'_{number}'}.png"
        path = folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:  # never over a file that is there
                try:
                    file.write(encoded.tobytes())
                    file.flush()
                except BaseException:  # a full disk: half an image is none
                    path.unlink()
                    raise
            return path
        except FileExistsError:
            if not folder.is_dir():
                raise AnnotatedPhotoError(
                    f"{readable_name(folder)} is not a folder; name another with --output"
                ) from None
            number += 1
        except OSError as error:
            raise AnnotatedPhotoError(
                f"{readable_name(path)} cannot be written: {error.strerror}; "
                "name another folder with --output, or leave the image out with --no-picture"
            ) from error
