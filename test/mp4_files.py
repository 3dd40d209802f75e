"""MP4 files with frames at uneven times, or to be turned, as phones write them; OpenCV's cannot."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

_MATRICES = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def write_mp4(path: Path, frames: Sequence[np.ndarray], rate: float = 30.0) -> Path:
    """Write BGR frames of one size."""
    height, width = frames[0].shape[:2]
    code = cv2.VideoWriter_fourcc(*"mp4v")  # type: ignore[attr-defined]  # not in its stubs
    writer = cv2.VideoWriter(str(path), code, rate, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def set_gaps(path: Path, gaps: Sequence[float]) -> Path:
    """Let the frames of an MP4 file follow each other after these seconds, one for each frame."""
    data = path.read_bytes()
    (ticks,) = struct.unpack(">I", data[data.index(b"mdhd") + 16 :][:4])
    entries = b"".join(struct.pack(">II", 1, round(gap * ticks)) for gap in gaps)
    table = struct.pack(">I4sII", 16 + len(entries), b"stts", 0, len(gaps)) + entries
    # Frames that outlast their track are cut off by its edit list.
    return _rewritten(path, {b"stts": table, b"edts": b""})


def turn(path: Path, degrees: int) -> Path:
    """Declare that the images of an MP4 file are to be turned clockwise to stand upright."""
    data = bytearray(path.read_bytes())
    a, b, c, d = (value << 16 for value in _MATRICES[degrees])
    place = data.index(b"tkhd") + 44
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def _rewritten(path: Path, boxes: dict[bytes, bytes]) -> Path:
    """Put other boxes in the place of those of a name; moov must come after the images."""
    data = path.read_bytes()
    assert data.index(b"mdat") < data.index(b"moov")
    path.write_bytes(_with_boxes(data, boxes))
    return path


def _with_boxes(data: bytes, boxes: dict[bytes, bytes]) -> bytes:
    place, result = 0, b""
    while place < len(data):
        length, name = struct.unpack(">I4s", data[place : place + 8])
        box = data[place : place + length]
        if name in boxes:
            box = boxes[name]
        elif name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
            inner = _with_boxes(box[8:], boxes)
            box = struct.pack(">I4s", 8 + len(inner), name) + inner
        result += box
        place += length
    return result
