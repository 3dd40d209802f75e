"""What of a face a published picture still shows: all of it, its colours, or nothing at all."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from expression_ros.parameters.choices import BLUR, DROP, NONE, PRIVACY_CHOICES
from expression_ros.recognition.boxes import Box

# Hair, ears and chin lie outside of a detector's box; this much of its size is added on each side.
_MARGIN = 0.25
# A face is left with so many cells across: too few for a person to be told, or matched by a
# program, while light and skin still look like what they are. Recognition needs some 16 and more.
_CELLS = 6
_GREY = 128


def with_privacy(image: np.ndarray, boxes: Iterable[Box], privacy: str) -> np.ndarray:
    """Return a picture in which the faces are no longer to be recognised.

    Args:
        image: (H, W, 3) uint8 BGR; changed in place, but for ``drop``.
        boxes: of the faces, in pixels of the image; may reach beyond it.
        privacy: ``none`` leaves the image as it is; ``blur`` and ``pixelate`` leave of each face,
            with a margin, six by six values; ``drop`` leaves nothing of the image at all, also of
            faces that were not found: a grey picture of its size.

    Raises:
        ValueError: privacy is none of these.
    """
    if privacy not in PRIVACY_CHOICES:
        raise ValueError(f"privacy must be one of {', '.join(PRIVACY_CHOICES)}, not {privacy!r}")
    if privacy == DROP:
        return np.full_like(image, _GREY)
    if privacy != NONE:
        for box in boxes:
            _hide(image, box, cv2.INTER_LINEAR if privacy == BLUR else cv2.INTER_NEAREST)
    return image


def with_privacy_of_face(picture: np.ndarray, privacy: str) -> np.ndarray:
    """Return a picture that is filled by one face, and is no longer to be recognised.

    Args:
        picture: (H, W, 3) uint8 BGR, all of it the face and what is just around it; changed in
            place, but for ``drop``.
        privacy: as for with_privacy; what is left has the cells it would have on the overlay: four
            by four.

    Raises:
        ValueError: privacy is none of the choices.
    """
    height, width = picture.shape[:2]
    return with_privacy(picture, [Box(0, 0, width, height)], privacy)


def _hide(image: np.ndarray, box: Box, interpolation: int) -> None:
    """Replace a box by a few of its means, drawn large again; both ways lose the same."""
    height, width = image.shape[:2]
    across, down = round(_MARGIN * box.w), round(_MARGIN * box.h)
    left, right = max(0, box.x - across), min(width, box.x + box.w + across)
    top, bottom = max(0, box.y - down), min(height, box.y + box.h + down)
    if left >= right or top >= bottom:
        return
    region = image[top:bottom, left:right]
    # At the border of the image a part of a face gets as large cells as the whole one would.
    whole = (1 + 2 * _MARGIN) * np.array([max(1, box.w), max(1, box.h)])
    columns, rows = np.ceil(_CELLS * np.array([right - left, bottom - top]) / whole).astype(int)
    small = cv2.resize(
        region, (min(columns, right - left), min(rows, bottom - top)), interpolation=cv2.INTER_AREA
    )
    region[:] = cv2.resize(small, (right - left, bottom - top), interpolation=interpolation)
