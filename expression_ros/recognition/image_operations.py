"""Small operations on grey images: made smaller by averaging, dark ones brightened.

Making one smaller is at the price of the small image, not of the large one. Imports no ROS.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

_SAMPLE = 5000  # pixels, evenly spread, are looked at: enough for a histogram
_DARK = 90  # grey levels; where 99 % of a frame are darker, cascades begin to miss faces
_LEAST_SPREAD = (
    8  # grey levels; less is the noise of a covered lens, which is not amplified further
)
_STEPS_PER_DOUBLING = 4  # the gain changes in steps, so that it does not flicker with the noise


def shrunk(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an image brought to a smaller size, each pixel the mean of what it covers.

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


def brightened(grey: np.ndarray) -> np.ndarray:
    """Return a dark frame stretched to the whole range of grey levels, any other as it is.

    A fifth of the light costs the cascades a third of the faces, a tenth all of them; stretched
    between the 1st and the 99th percentile they find them at a twentieth. Frames with enough light
    are left alone: equalising every frame loses some faces.

    Args:
        grey: (H, W) uint8.

    Returns:
        (H, W) uint8: ``grey`` itself, or a stretched copy.
    """
    step = max(1, math.isqrt(grey.size // _SAMPLE))
    sample = np.ascontiguousarray(grey[::step, ::step])
    if sample.size == 0:
        return grey
    share = np.cumsum(np.bincount(sample.ravel(), minlength=256)) / sample.size
    brightest = int(np.searchsorted(share, 0.99))
    if brightest >= _DARK:
        return grey
    darkest = int(np.searchsorted(share, 0.01))
    spread = max(brightest - darkest, _LEAST_SPREAD)
    doublings = math.ceil(math.log2(spread) * _STEPS_PER_DOUBLING) / _STEPS_PER_DOUBLING
    levels = (np.arange(256) - darkest) * (255 / 2**doublings)
    return cv2.LUT(grey, np.clip(levels, 0, 255).astype(np.uint8))


def check_grey(grey: np.ndarray) -> None:
    """Raise a ValueError where a frame is no (H, W) uint8 array with pixels in it."""
    if grey.ndim != 2 or grey.dtype != np.uint8 or grey.size == 0:
        raise ValueError(
            f"a frame must be a (height, width) array of uint8 with pixels in it, "
            f"not {grey.dtype} of shape {grey.shape}"
        )
