"""Making a picture smaller by averaging, at the price of the small picture instead of the large."""

from __future__ import annotations

import cv2
import numpy as np


def shrunk(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a picture brought to a smaller size, each pixel the mean of what it covers.

    ``cv2.resize`` with INTER_AREA takes a slow way for factors that are no whole numbers, and a
    fast one for halves. Halving first leaves little for the slow way, and gives nearly what one
    step gives. Of an odd number of rows or columns the last one is left out.

    Args:
        image: (H, W) uint8.
        size: (width, height) in px.

    Returns:
        (height, width) uint8.
    """
    height, width = image.shape
    while width >= 2 * size[0] and height >= 2 * size[1]:
        height, width = height // 2, width // 2
        image = cv2.resize(
            image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA
        )
    if (width, height) == size:
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def scaled(image: np.ndarray, scale: float) -> np.ndarray:
    """Return an (H, W) uint8 image at a scale below 1, at least a pixel large; else as it is."""
    if scale >= 1.0:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return shrunk(image, size)
