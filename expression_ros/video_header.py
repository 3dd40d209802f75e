"""How far a phone's video has to be turned, as its header says. Imports no ROS.

OpenCV turns videos itself, but 4.6, which Ubuntu 24.04 brings, turns those that were held upright
the wrong way round. Phones write MP4 or QuickTime files; other containers hardly know rotation.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MATRIX = {  # a, b, c, d of the display matrix: clockwise degrees
    (1, 0, 0, 1): 0,
    (0, 1, -1, 0): 90,
    (-1, 0, 0, -1): 180,
    (0, -1, 1, 0): 270,
}
_ONE = 1 << 16  # 16.16 fixed point
_MOST_BOXES = 10_000  # so that a damaged file keeps nobody busy
_LONGEST_BOX = 1 << 20  # bytes of a box that is read as a whole


def rotation_of(path: Path) -> int | None:
    """Return by how many degrees clockwise the pictures of an MP4 or QuickTime file are to be
    turned to stand upright: 0, 90, 180 or 270; None if it is no such file or does not say.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        top = list(_boxes(file, 0, size))
        if not any(name in (b"ftyp", b"moov") for name, _, _ in top[:2]):
            return None
        for begin, end in _named(file, top, b"moov"):
            tracks = list(_boxes(file, begin, end))
            for track_begin, track_end in _named(file, tracks, b"trak"):
                inner = list(_boxes(file, track_begin, track_end))
                if _is_video(file, inner):
                    return _turned(file, inner)
    return None


def _boxes(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, begin and end of what is in each box between two places of the file."""
    for _ in range(_MOST_BOXES):
        file.seek(begin)
        head = file.read(16)
        if begin + 8 > end or len(head) < 8:
            return
        length, name = struct.unpack(">I4s", head[:8])
        header = 8
        if length == 1 and len(head) == 16:
            (length,), header = struct.unpack(">Q", head[8:]), 16
        elif length == 0:
            length = end - begin
        if length < header or begin + length > end:
            return
        yield name, begin + header, begin + length
        begin += length


def _named(
    file: BinaryIO, boxes: list[tuple[bytes, int, int]], wanted: bytes
) -> Iterator[tuple[int, int]]:
    yield from ((begin, end) for name, begin, end in boxes if name == wanted)


def _is_video(file: BinaryIO, track: list[tuple[bytes, int, int]]) -> bool:
    for begin, end in _named(file, track, b"mdia"):
        for inner, _ in _named(file, list(_boxes(file, begin, end)), b"hdlr"):
            file.seek(inner + 8)
            return file.read(4) == b"vide"
    return False


def _turned(file: BinaryIO, track: list[tuple[bytes, int, int]]) -> int | None:
    for begin, end in _named(file, track, b"tkhd"):
        file.seek(begin)
        data = file.read(min(end - begin, _LONGEST_BOX))
        place = 52 if data[:1] == b"\x01" else 40  # version 1 has longer times
        if len(data) < place + 36:
            return None
        a, b, _, c, d = struct.unpack(">5i", data[place : place + 20])
        return _MATRIX.get(tuple(value // _ONE for value in (a, b, c, d)))  # type: ignore[call-overload]
    return None
