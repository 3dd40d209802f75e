"""An image of all expressions of the virtual face with their names, for the documentation.

Part of ``expression_ros.commands``: imports no ROS. Run it as
``python -m expression_ros.commands.face_sheet docs/robot_face.png``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from expression_ros.mirroring.virtual_face import EXPRESSIONS, draw_face

_COLUMNS = 4
_CAPTION_HEIGHT = 40  # pixels
_PAPER = (74, 52, 36)  # the backdrop of the faces
_TEXT = (250, 246, 242)


def draw_contact_sheet(width: int = 320, height: int = 256) -> np.ndarray:
    """Return every expression with its name below, four in a row.

    Args:
        width: of one face in pixels.
        height: of one face in pixels.

    Returns:
        BGR image, uint8 of shape (rows * (height + 40), 4 * width, 3).

    Raises:
        ValueError: a size is out of the range of ``draw_face``.
    """
    tiles = []
    for name, shape in EXPRESSIONS.items():
        face = draw_face(shape, width, height)
        tiles.append(np.concatenate([face, _caption(name, width)]))
    while len(tiles) % _COLUMNS:
        tiles.append(np.full_like(tiles[0], _PAPER))
    rows = [tiles[start : start + _COLUMNS] for start in range(0, len(tiles), _COLUMNS)]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _caption(text: str, width: int) -> np.ndarray:
    """Return a strip with the text in its middle, uint8 of shape (40, width, 3)."""
    strip = np.empty((_CAPTION_HEIGHT, width, 3), np.uint8)
    strip[:] = _PAPER
    font, size = cv2.FONT_HERSHEY_DUPLEX, 0.75
    (length, _), _ = cv2.getTextSize(text, font, size, 1)
    place = ((width - length) // 2, _CAPTION_HEIGHT - 18)
    cv2.putText(strip, text, place, font, size, _TEXT, 1, cv2.LINE_AA)
    return strip


def main(arguments: list[str] | None = None) -> int:
    """Write the sheet to the file named on the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Draw all expressions of the virtual face.")
    parser.add_argument("output", type=Path, help="the image to write, a .png")
    output = parser.parse_args(arguments).output
    encoded, data = cv2.imencode(".png", draw_contact_sheet(), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not encoded:
        print("the image could not be encoded as PNG", file=sys.stderr)
        return 1
    try:
        output.write_bytes(data.tobytes())
    except OSError as error:
        print(f"cannot write {output}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
