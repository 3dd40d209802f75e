"""Anti-aliased shapes on an image, placed in face units.

Part of ``expression_ros.mirroring``: imports no ROS. It knows pixels and nothing of faces.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

Colour = tuple[int, int, int]
"""Blue, green, red, 0..255 each."""

# cv2 takes the coordinates of polygons and circles as integers of 1/256 pixel.
_SHIFT = 8
# A line thinner than this many pixels is left away: anti-aliasing would draw it one pixel wide.
_THINNEST = 0.25
_QUARTER_TURN = np.array([-1.0, 1.0])


class Canvas:
    """An image and where on it the face is.

    Args:
        image: BGR, uint8 of shape (height, width, 3); it is drawn on in place.
        scale: pixels per face unit.
        x: the pixel column of face coordinate 0, a fraction allowed.
        y: the pixel row of face coordinate 0.
    """

    def __init__(self, image: np.ndarray, scale: float, x: float, y: float) -> None:
        self.image = image
        self._scale = scale
        self._origin = np.array([x, y])
        # The same in cv2's units; the half turns its cut towards zero into rounding.
        self._fixed_scale = scale * (1 << _SHIFT)
        self._fixed_origin = self._origin * (1 << _SHIFT) + 0.5

    @classmethod
    def filled(cls, width: int, height: int, scale: float, colour: Colour) -> Canvas:
        """Return a canvas of one colour with the face in its middle."""
        image = np.empty((height, width, 3), np.uint8)
        image[:] = colour
        return cls(image, scale, (width - 1) / 2.0, (height - 1) / 2.0)

    def copy(self) -> Canvas:
        """Return a canvas with an image of its own."""
        return Canvas(self.image.copy(), self._scale, self._origin[0], self._origin[1])

    def reduced(self, factor: int) -> np.ndarray:
        """Return the image at 1/factor of its size, each pixel the mean of those it covers."""
        if factor == 1:
            return self.image
        height, width = self.image.shape[:2]
        size = (width // factor, height // factor)
        return cv2.resize(self.image, size, interpolation=cv2.INTER_AREA)

    def wipe(self, colour: Colour) -> None:
        """Paint the whole image."""
        height, width = self.image.shape[:2]
        cv2.rectangle(self.image, (0, 0), (width, height), colour, -1)

    def fill(self, outline: np.ndarray, colour: Colour) -> None:
        """Fill a polygon, an array (points, 2)."""
        cv2.fillPoly(self.image, [self._fixed(outline)], colour, cv2.LINE_AA, _SHIFT)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Fill a circle."""
        column = int(x * self._fixed_scale + self._fixed_origin[0])
        row = int(y * self._fixed_scale + self._fixed_origin[1])
        size = max(0, int(radius * self._fixed_scale))
        cv2.circle(self.image, (column, row), size, colour, -1, cv2.LINE_AA, _SHIFT)

    def stroke(self, line: np.ndarray, width: float | np.ndarray, colour: Colour) -> None:
        """Draw a line through points (points, 2) with round ends.

        Args:
            line: the points; the line must not bend more sharply than half its width.
            width: of the line, one number or one per point.
            colour: of the line.
        """
        half = np.full(len(line), 0.5) * width
        if half.max() * self._scale < 0.5 * _THINNEST:
            return
        ahead = np.empty_like(line)
        ahead[1:-1] = line[2:] - line[:-2]
        ahead[0], ahead[-1] = line[1] - line[0], line[-1] - line[-2]
        half_per_length = half / np.maximum(np.hypot(ahead[:, 0], ahead[:, 1]), 1e-9)
        across = ahead[:, ::-1] * half_per_length[:, None] * _QUARTER_TURN
        self.fill(np.concatenate([line + across, (line - across)[::-1]]), colour)
        for end in (0, -1):
            self.disc(float(line[end, 0]), float(line[end, 1]), float(half[end]), colour)

    @contextmanager
    def clipped_to(self, outline: np.ndarray) -> Iterator[Canvas]:
        """Give a canvas for the inside of a polygon (points, 2); it shows when the block ends."""
        height, width = self.image.shape[:2]
        pixels = outline * self._scale + self._origin
        left, top = np.clip(np.floor(pixels.min(axis=0)).astype(int) - 1, 0, [width, height])
        right, bottom = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + 2, 0, [width, height])
        part = self.image[top:bottom, left:right]
        x, y = self._origin - [left, top]
        inside = Canvas(part.copy(), self._scale, x, y)
        yield inside
        if part.size:
            mask = np.zeros_like(part)
            Canvas(mask, self._scale, x, y).fill(outline, (255, 255, 255))
            _blend(part, inside.image, mask)

    def _fixed(self, points: np.ndarray) -> np.ndarray:
        """Return points as cv2 takes them, int32 (points, 2) in 1/256 pixel."""
        return (points * self._fixed_scale + self._fixed_origin).astype(np.int32)


def _blend(below: np.ndarray, above: np.ndarray, mask: np.ndarray) -> None:
    """Lay ``above`` over ``below`` in place where the mask is 255, in part where it is less."""
    covered = cv2.multiply(above, mask, scale=1.0 / 255.0)
    kept = cv2.multiply(below, 255 - mask, scale=1.0 / 255.0)
    below[:] = cv2.add(covered, kept)
