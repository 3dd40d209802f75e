"""Reading the test clips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np


def frames(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (seconds, (H, W, 3) BGR) of every frame of a video."""
    video = cv2.VideoCapture(str(path))
    assert video.isOpened(), path
    rate = video.get(cv2.CAP_PROP_FPS)
    number = 0
    while True:
        read, image = video.read()
        if not read:
            break
        yield number / rate, image
        number += 1
    video.release()
    assert number > 0, path
