"""What a PNG or JPEG file's bytes say of its image, and whether the file is whole.

A header is read before any decoder sees it. Some cameras leave out the two bytes that end a JPEG;
an image that was cut off lacks them too, and decoders fill its rest with grey: the two are told
apart here. Imports no ROS.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np

# Deflate, in which PNG packs its rows, makes at most 1032 bytes of one.
_DEFLATE_RATIO = 1032
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by PNG's colour type
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8\xff"
_JPEG_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive, all with Huffman codes
_JPEG_ALONE = (0x00, 0x01, *range(0xD0, 0xD8))  # without a length: stuffing and markers
# The end, pixels before any frame, and codings that OpenCV does not read (lossless, arithmetic).
_JPEG_ENDS = (0xD9, 0xDA, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
# A colour profile may take 255 segments; more than this before the frame is made to take long.
_JPEG_STEPS = 4096
_JPEG_END = b"\xff\xd9"
_JPEG_TAIL = 64  # bytes in which the end nearly always is

# The largest image that is decoded: 8192x8192, more than any camera of a robot sends, and at most
# 192 MiB as BGR. A PNG of 120 kB can declare (and truly hold) a thousand times its size.
MAX_DECODED_PIXELS = 1 << 26


def declared_size(data: memoryview) -> tuple[int, int, int] | None:
    """Return width, height and how many bytes there have to be, or None if it cannot be told.

    The bytes are the fewest that can hold so many pixels, and one more than there are where the
    file is cut off: nothing is taken from an image that has not come as a whole.

    Args:
        data: the bytes of a PNG or JPEG file, (N,) uint8.
    """
    if bytes(data[:8]) == _PNG_SIGNATURE:
        return _declared_by_png(data)
    if bytes(data[:3]) == _JPEG_START:
        return _declared_by_jpeg(data)
    return None


def _declared_by_png(data: memoryview) -> tuple[int, int, int] | None:
    if len(data) < 26 or bytes(data[12:16]) != b"IHDR":
        return None
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    if colour not in _PNG_CHANNELS:
        return None
    row = 1 + (width * depth * _PNG_CHANNELS[colour] + 7) // 8  # its filter, then its pixels
    return width, height, max(height * row // _DEFLATE_RATIO, _end_of_png(data))


def _end_of_png(data: memoryview) -> int:
    """Return how many bytes there have to be for every chunk to be there, up to the last.

    OpenCV takes the memory for a chunk, up to 2 GB, before it looks whether its bytes have come.
    """
    place, name = len(_PNG_SIGNATURE), b""
    while name != b"IEND" and place + 8 <= len(data):
        length, name = struct.unpack(">I4s", data[place : place + 8])
        place += 12 + length  # length, name and checksum around what is in it
    return place if name == b"IEND" else max(place, len(data) + 1)


def _declared_by_jpeg(data: memoryview) -> tuple[int, int, int] | None:
    """Walk from marker to marker to the first that begins a frame."""
    place = 2
    for _ in range(_JPEG_STEPS):
        if place + 4 > len(data):
            return None
        if data[place] != 0xFF:
            place += 1  # decoders pass over rubbish between segments, too
            continue
        marker = data[place + 1]
        if marker == 0xFF:  # fill
            place += 1
        elif marker in _JPEG_ALONE:
            place += 2
        elif marker in _JPEG_FRAMES:
            if place + 9 > len(data):
                return None
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            # Each block of 8x8 pixels takes one bit at least.
            fewest = -(-width // 8) * -(-height // 8) // 8
            return width, height, max(fewest, _end_of_jpeg(data, place))
        elif marker in _JPEG_ENDS:
            return None
        else:
            place += 2 + struct.unpack(">H", data[place + 2 : place + 4])[0]
    return None


def _end_of_jpeg(data: memoryview, frame: int) -> int:
    """Return how many bytes there have to be for the image to be there to its end.

    Many versions of OpenCV (4.6 and 4.10, not 4.14) show what there is, and for the rest grey or
    what the memory held before. The end is a marker that the pixels' codes cannot hold; after it,
    drivers may leave rubbish. Before the frame, a small preview may have an end of its own.
    """
    tail = bytes(data[max(frame, len(data) - _JPEG_TAIL) :])
    if _JPEG_END in tail or _JPEG_END in bytes(data[frame:]):
        return 0
    return len(data) + 1


_END = b"\xff\xd9"
_BASELINE = (0xC0, 0xC1)
_SCAN = 0xDA
_FILLING = 128  # grey of the blocks for which there were no bytes, exactly
_BLOCK = 8  # pixels, along each side
_EXIF = b"Exif\0\0"  # in the first segments; what turns an image after it is decoded
_HEAD = 1 << 12
# The blocks lie as they were written: where an EXIF orientation turns them, the last ones of the
# data would be in another corner.
_AS_WRITTEN = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
# Bytes that change an image in which anything is still to be read: restart markers of all numbers
# for images that are read in parts, and codes between them.
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

    Of a progressive image that is cut off, all of it is there, but coarse.
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
