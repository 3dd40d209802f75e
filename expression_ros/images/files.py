"""Image files into arrays, after a look at what they say of themselves.

Imports no ROS. OpenCV gets bytes, never a name: it ends the process with a segmentation fault when
a name is not UTF-8.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from expression_ros.images.depth import DepthMemory
from expression_ros.images.header import (
    MAX_DECODED_PIXELS,
    declared_size,
    decode_without_end,
    may_lack_only_end,
)

# What a folder is looked through for. Whether this OpenCV reads gif, avif, heic and the like
# depends on how it was built; those that it does not are named and counted.
IMAGE_FILE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".pgm", ".ppm", ".pbm", ".tif", ".tiff",
    ".webp", ".gif", ".avif", ".heic", ".heif", ".jp2",
)  # fmt: skip
_SELDOM_READ = (".gif", ".avif", ".heic", ".heif", ".jp2")
_HEADS = (4096, 1 << 18)  # bytes in which a header is looked for; previews may be before a JPEG's
_NAMED = 5  # of the files that could not be read


class ImageFileError(ValueError):
    """An image file that cannot be read; one line that says why and what to do."""


def readable_name(name: str | os.PathLike[str]) -> str:
    r"""Return a file's name as text that can be printed, drawn and stored everywhere UTF-8 can.

    Bytes that are no UTF-8 are written as ``\xff``, line breaks and other control characters too.
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found[0]):02x}", text)


def read_image(path: Path, *, colour: bool) -> np.ndarray:
    """Return an image file turned upright as its EXIF data say; of an animation, the first.

    Args:
        path: of the file.
        colour: (H, W, 3) uint8 BGR instead of (H, W) uint8 grey. Of images with 16 bits a
            channel the range is found from the values: cameras store 10 or 12 of them.

    Raises:
        ImageFileError: there is no such file, it may not be read, it is not an image, is cut short
            or has more than 67 million pixels.
    """
    name = readable_name(path)
    data = _bytes_of(path, name)
    whole = _check_declared(data, name)
    mode = cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE
    image = _decoded(data, mode | cv2.IMREAD_ANYDEPTH) if whole else _without_end(data, mode, name)
    if image is not None and image.dtype == np.uint16:
        image = DepthMemory().eight_bits(image)
    elif image is not None and image.dtype != np.uint8:
        image = _decoded(data, mode)
    if image is None:
        raise ImageFileError(f"{name}: {_why_not(path)}")
    return image


def images_in(folder: Path) -> list[Path]:
    """Return the image files in a folder, not those further below, in natural order.

    Raises:
        ImageFileError: the folder may not be read.
    """
    try:
        found = [path for path in folder.iterdir() if is_image_name(path.name)]
    except OSError as error:
        raise ImageFileError(
            f"folder {readable_name(folder)} may not be read ({error.strerror}); chmod u+rx it"
        ) from None
    return sorted(found, key=lambda path: natural_key(path.name))


def image_size(path: Path) -> tuple[int, int] | None:
    """Return width and height as the header of an image file declares them, None if unknown."""
    try:
        with path.open("rb") as file:
            for length in _HEADS:
                file.seek(0)
                head = file.read(length)
                known = declared_size(memoryview(head)) or _other_size(memoryview(head))
                if known[0]:
                    return known[0], known[1]
    except OSError:
        pass
    return None


def is_image_name(name: str) -> bool:
    """Return whether a file's name is that of an image; hidden ones (macOS's ._a.jpg) are not."""
    return name.lower().endswith(IMAGE_FILE_SUFFIXES) and not name.startswith(".")


def natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Order digits by their value: 2 before 10; the name itself decides between 01 and 1."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [(int(part), "") if part[0] in "0123456789" else (-1, part) for part in parts], name


def are_frames(names: Sequence[str]) -> bool:
    """Return whether the files of a folder are named as the frames of one film are.

    They are if the names differ in one number only, which goes up in equal steps, as programs that
    cut a film into images write them. Numbers with gaps are those of a camera's photos.

    Args:
        names: of at least one file, in natural order.
    """
    split = [re.fullmatch(r"(.*?)([0-9]+)([^0-9]*)", name, re.DOTALL) for name in names]
    if not all(split) or len({(found[1], found[3]) for found in split if found}) != 1:
        return False
    numbers = [int(found[2]) for found in split if found]
    return len({later - sooner for sooner, later in pairwise(numbers)}) <= 1


def listed(names: Iterable[str]) -> str:
    """Return the first five names and how many more there are, as ``a, b and 3 more``."""
    shown = [readable_name(name) for name in names]
    more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    return f"{', '.join(shown[:_NAMED])}{more}"


def _bytes_of(path: Path, name: str) -> np.ndarray:
    try:
        if not path.is_file():
            raise ImageFileError(
                f"{name}: no such file{' (but something else is there)' if path.exists() else ''}"
            )
        data = np.fromfile(path, np.uint8)
    except PermissionError:
        raise ImageFileError(
            f"{name}: may not be read (permission denied); chmod u+r it, or run as its owner"
        ) from None
    except OSError as error:
        raise ImageFileError(f"{name}: cannot be read: {error.strerror}") from None
    if not data.size:
        raise ImageFileError(f"{name}: is empty; copy it again")
    return data


def _check_declared(data: np.ndarray, name: str) -> bool:
    """Raise ImageFileError for an image that is cut short or too large to be decoded.

    Returns:
        Whether it is whole, else it is a JPEG that lacks its end marker, and maybe more.
    """
    view = memoryview(data.data)
    known = declared_size(view)
    width, height, needed = known or (*_other_size(view), 0)
    if width * height > MAX_DECODED_PIXELS:
        raise ImageFileError(
            f"{name}: has too many pixels, {width}x{height}; save it with at most "
            f"{MAX_DECODED_PIXELS / 1e6:.0f} million"
        )
    if len(view) < needed and not may_lack_only_end(view, needed):
        raise _cut_short(name)
    return len(view) >= needed


def _cut_short(name: str) -> ImageFileError:
    return ImageFileError(f"{name}: is cut short; copy it again from where it came")


def _without_end(data: np.ndarray, mode: int, name: str) -> np.ndarray | None:
    with quiet_opencv():
        image = decode_without_end(data.tobytes(), mode)
    if image is None:
        raise _cut_short(name)
    return image


def _other_size(head: memoryview) -> tuple[int, int]:
    """Return width and height as BMP, GIF, WebP and TIFF files declare them, else (0, 0)."""
    begin = bytes(head[:12])
    try:
        if begin[:2] == b"BM":
            width, height = struct.unpack("<ii", head[18:26])
            return abs(width), abs(height)
        if begin[:4] == b"GIF8":
            return struct.unpack("<HH", head[6:10])
        if begin[:4] == b"RIFF" and begin[8:] == b"WEBP":
            return _webp_size(head)
        if begin[:4] in (b"II*\0", b"MM\0*"):
            return _tiff_size(head)
    except struct.error:
        pass  # the decoder says that it is none
    return 0, 0


def _webp_size(head: memoryview) -> tuple[int, int]:
    kind = bytes(head[12:16])
    if kind == b"VP8X":
        width, height = (int.from_bytes(head[k : k + 3], "little") for k in (24, 27))
        return 1 + width, 1 + height
    if kind == b"VP8L":  # without loss
        (bits,) = struct.unpack("<I", head[21:25])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _tiff_size(head: memoryview) -> tuple[int, int]:
    order = "<" if bytes(head[:1]) == b"I" else ">"
    (place,) = struct.unpack(f"{order}I", head[4:8])
    (count,) = struct.unpack(f"{order}H", head[place : place + 2])
    sizes = {256: 0, 257: 0}  # width and height by their tags
    for k in range(min(count, 64)):
        entry = head[place + 2 + 12 * k : place + 14 + 12 * k]
        tag, kind = struct.unpack(f"{order}HH", entry[:4])
        if tag in sizes:
            short = kind == 3
            (sizes[tag],) = struct.unpack(
                f"{order}{'H' if short else 'I'}", entry[8 : 10 if short else 12]
            )
    return sizes[256], sizes[257]


def _decoded(data: np.ndarray, mode: int) -> np.ndarray | None:
    try:
        with quiet_opencv():
            image = cv2.imdecode(data, mode)
    except (cv2.error, MemoryError):
        return None  # a damaged one returns None or raises, as its decoder likes
    return None if image is None or image.size == 0 else image


def _why_not(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in _SELDOM_READ:
        return f"is {suffix[1:]} that OpenCV cannot read here; save it as PNG or JPEG"
    return (
        "not an image that OpenCV can read (jpeg, png, bmp, tiff, webp); check it with an image "
        "viewer"
    )


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV and its FFmpeg from commenting on stderr on what we report in one line."""
    # The place of these functions differs between versions of OpenCV; without them it is noisy.
    utils = getattr(getattr(cv2, "utils", None), "logging", cv2)
    get_level = getattr(utils, "getLogLevel", None)
    set_level = getattr(utils, "setLogLevel", None)
    if get_level is None or set_level is None:
        yield
        return
    before = get_level()
    set_level(0)
    # FFmpeg's own level is read once, when the first video is opened; -8 is quiet.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        yield
    finally:
        set_level(before)


class PhotoError(ValueError):
    """A file that is not there or is not an image OpenCV can read."""


def read_photo(path: str | Path) -> np.ndarray:
    """Return an image file as (H, W) uint8 grey, turned upright as its EXIF data say.

    Raises:
        PhotoError: it cannot be read, is cut short or has too many pixels; one line.
    """
    return _read_photo(path, colour=False)


def read_colour_photo(path: str | Path) -> np.ndarray:
    """Return an image file as (H, W, 3) uint8 BGR, upright as the grey one is.

    Raises:
        PhotoError: as for read_photo.
    """
    return _read_photo(path, colour=True)


def _read_photo(path: str | Path, *, colour: bool) -> np.ndarray:
    try:
        return read_image(Path(path), colour=colour)
    except ImageFileError as error:
        raise PhotoError(str(error)) from None
