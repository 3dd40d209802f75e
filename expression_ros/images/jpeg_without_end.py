"""JPEG pictures, of files and messages, that lack their end marker though all pixels are there.

Some cameras leave the two bytes out. A picture that was cut off lacks them too, and decoders fill
its rest with grey: the two are told apart here. Pure; imports no ROS.
"""

from __future__ import annotations

import cv2
import numpy as np

_END = b"\xff\xd9"
_BASELINE = (0xC0, 0xC1)
_SCAN = 0xDA
_FILLING = 128  # grey of the blocks for which there were no bytes, exactly
_BLOCK = 8  # pixels, along each side
_EXIF = b"Exif\0\0"  # in the first segments; what turns a picture after it is decoded
_HEAD = 1 << 12
# The blocks lie as they were written: where an EXIF orientation turns them, the last ones of the
# data would be in another corner.
_AS_WRITTEN = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
# Bytes that change a picture in which anything is still to be read: restart markers of all numbers
# for pictures that are read in parts, and codes between them.
_RUBBISH = tuple(
    b"".join(bytes([fill] * 24 + [0xFF, 0xD0 + k % 8]) for k in range(16)) + _END
    for fill in (0x0F, 0xA6)
)


def may_lack_only_end(data: memoryview, needed: int) -> bool:
    """Return whether it is worth trying decode_without_end.

    Args:
        data: the bytes of the file, (N,) uint8.
        needed: how many there have to be, as declared_size says.
    """
    return needed == len(data) + 1 and bytes(data[:2]) == b"\xff\xd8"


def decode_without_end(data: bytes, flags: int) -> np.ndarray | None:
    """Decode a JPEG that has no end marker; None if more than that is missing, or may be.

    At most the last block of 16x16 pixels may be incomplete, which cannot be told.

    Args:
        data: the bytes of the file.
        flags: of cv2.imdecode.
    """
    data = data.removesuffix(b"\xff")  # the first half of the marker
    if not _is_one_scan(data):
        return None
    # Judged in grey: colours run over from the blocks beside.
    grey = _decode(data + _END, _AS_WRITTEN)
    if grey is None or (_ends_in_filling(grey) and not _is_whole(data, grey)):
        return None
    if flags & ~cv2.IMREAD_ANYDEPTH == cv2.IMREAD_GRAYSCALE and _EXIF not in data[:_HEAD]:
        return grey
    return _decode(data + _END, flags)


def _ends_in_filling(grey: np.ndarray) -> bool:
    height, width = (side % _BLOCK or _BLOCK for side in grey.shape)
    return bool(np.all(grey[-height:, -width:] == _FILLING))


def _is_whole(data: bytes, grey: np.ndarray) -> bool:
    """Return whether more bytes change nothing; the decoder writes a line on stderr each time."""
    others = (_decode(data + rubbish, _AS_WRITTEN) for rubbish in _RUBBISH)
    return all(one is not None and np.array_equal(grey, one) for one in others)


def _decode(data: bytes, flags: int) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError):
        return None


def _is_one_scan(data: bytes) -> bool:
    """Return whether the pixels come in a single pass, so that the last bytes are the last pixels.

    Of a progressive picture that is cut off, all of it is there, but coarse.
    """
    place, components = 2, 0
    while place + 10 <= len(data):
        marker = data[place + 1]
        if data[place] != 0xFF or marker == 0xFF:
            place += 1
        elif marker == _SCAN:
            return components > 0 and data[place + 4] == components
        else:
            if marker in _BASELINE:
                components = data[place + 9]
            elif 0xC0 < marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                return False
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return False
