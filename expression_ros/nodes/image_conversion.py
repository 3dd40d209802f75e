"""Image messages into OpenCV arrays, after a look at whether they are what they say.

The conversion itself is cv_bridge's where that is installed, rosbags-image's elsewhere: never both.
Nothing is allocated from a size that a message merely declares.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from expression_ros.picture_header import MAX_DECODED_PIXELS, declared_size

# Bytes per pixel of the encodings of sensor_msgs/image_encodings.hpp that show a picture.
BYTES_PER_PIXEL = {
    "mono8": 1, "mono16": 2, "bgr8": 3, "rgb8": 3, "bgra8": 4, "rgba8": 4,
    "bgr16": 6, "rgb16": 6, "bgra16": 8, "rgba16": 8,
    "yuv422": 2, "yuv422_yuy2": 2, "uyvy": 2, "yuyv": 2,
    "bayer_rggb8": 1, "bayer_bggr8": 1, "bayer_gbrg8": 1, "bayer_grbg8": 1,
    "bayer_rggb16": 2, "bayer_bggr16": 2, "bayer_gbrg16": 2, "bayer_grbg16": 2,
}  # fmt: skip

# Drivers that do not say what their channels mean nearly always mean these; and uyvy and yuyv are
# the younger names of what every cv_bridge knows by the older ones.
_ALIASES = {"8UC1": "mono8", "8UC3": "bgr8", "16UC1": "mono16", "uyvy": "yuv422",
            "yuyv": "yuv422_yuy2"}  # fmt: skip


class ImageError(ValueError):
    """A message that is not the image it says it is.

    Attributes:
        reason: one word for counting: ``size``, ``encoding``, ``step``, ``data`` or ``decode``.
    """

    def __init__(self, reason: str, text: str):
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class _Tight:
    """What the converters read of an Image message, rows without padding."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


def grey_from_message(message: Any) -> np.ndarray:
    """Return a sensor_msgs Image or CompressedImage as (H, W) uint8 grey.

    Raises:
        ImageError: the message is not a readable image; says what was wrong and what to do.
    """
    if hasattr(message, "format"):
        return _decode(message, cv2.IMREAD_GRAYSCALE)
    return _convert(_checked(message), "mono8")


def bgr_from_message(message: Any) -> np.ndarray:
    """Return a sensor_msgs Image or CompressedImage as a new (H, W, 3) uint8 BGR array.

    Raises:
        ImageError: as grey_from_message.
    """
    if hasattr(message, "format"):
        return _decode(message, cv2.IMREAD_COLOR)
    image = _convert(_checked(message), "bgr8")
    return image if image.flags.owndata and image.flags.writeable else image.copy()


def _checked(message: Any) -> _Tight:
    """Return the message's image with tight rows, or say why it is none."""
    encoding = _ALIASES.get(message.encoding, message.encoding)
    height, width, step = message.height, message.width, message.step
    if height == 0 or width == 0:
        raise ImageError("size", f"image of {width}x{height} pixels; check the camera driver")
    if encoding not in BYTES_PER_PIXEL:
        raise ImageError(
            "encoding",
            f"encoding {message.encoding!r} is not supported; let the driver publish one of "
            f"{', '.join(BYTES_PER_PIXEL)}",
        )
    row = width * BYTES_PER_PIXEL[encoding]
    if step < row:
        raise ImageError(
            "step",
            f"step of {step} bytes is too short for {width} pixels of {encoding} ({row} bytes); "
            "check the camera driver",
        )
    if len(message.data) < step * height:
        raise ImageError(
            "data",
            f"image is truncated: {len(message.data)} bytes of {step * height} "
            f"({width}x{height} {encoding}, step {step}); check the camera driver",
        )
    if encoding.startswith("yuv") and width % 2:
        raise ImageError("size", f"{encoding} image of odd width {width}; check the camera driver")
    data = message.data
    if step > row:
        rows = np.frombuffer(data, np.uint8, step * height).reshape(height, step)
        data = np.ascontiguousarray(rows[:, :row]).reshape(-1)
    # cv_bridge cannot swap bytes with NumPy 2, so nobody else has to: what goes on is native.
    native = 0 if sys.byteorder == "little" else 1
    if encoding.endswith("16") and bool(message.is_bigendian) != bool(native):
        data = np.frombuffer(data, np.uint16, row * height // 2).byteswap().view(np.uint8)
    return _Tight(height, width, encoding, native, row, data)


def _convert(image: _Tight, wanted: str) -> np.ndarray:
    try:
        return _converter()(image, wanted)
    except ImageError:
        raise
    except Exception as error:  # whatever a converter or OpenCV raises, the node must survive it
        raise ImageError("decode", f"{image.encoding} image cannot be converted: {error}") from None


def _decode(message: Any, flags: int) -> np.ndarray:
    _check_declared(message)
    try:
        image = cv2.imdecode(np.frombuffer(message.data, np.uint8), flags)
    except (cv2.error, MemoryError):
        image = None  # a corrupt one returns None or raises, as the decoder likes
    if image is None:
        raise _undecodable(message)
    return image


def _undecodable(message: Any) -> ImageError:
    return ImageError(
        "decode",
        f"compressed image ({message.format!r:.80}, {len(message.data)} bytes) cannot be decoded; "
        "it must be jpeg or png",
    )


def _check_declared(message: Any) -> None:
    """Raise ImageError unless the data can hold the picture that their header declares.

    OpenCV takes the memory for the declared size before it looks at the pixels: 2.7 GB for a
    PNG of 100 bytes that says it is 30000x30000. Its other formats (TIFF, EXR, ...) are left
    aside: no camera sends them, and each is one more decoder open to whoever can publish.
    """
    data = memoryview(message.data)
    width, height, needed = declared_size(data) or (0, 0, 0)
    if not width or not height:
        raise _undecodable(message)
    if width * height > MAX_DECODED_PIXELS:
        raise ImageError(
            "size",
            f"compressed image declares {width}x{height} pixels, over the limit of "
            f"{MAX_DECODED_PIXELS}; let the driver publish smaller pictures",
        )
    if len(data) < needed:
        raise ImageError(
            "data",
            f"compressed image is truncated: {len(data)} bytes, at least {needed} are needed for "
            f"the {width}x{height} pixels it declares; check the camera driver",
        )


_chosen: list[Callable[[_Tight, str], np.ndarray]] = []


def _converter() -> Callable[[_Tight, str], np.ndarray]:
    """Return the conversion to use on this machine, looked up once."""
    if not _chosen:
        _chosen.append(_cv_bridge_converter() or _rosbags_converter())
    return _chosen[0]


def _cv_bridge_converter() -> Callable[[_Tight, str], np.ndarray] | None:
    if importlib.util.find_spec("cv_bridge") is None:
        return None
    if int(np.__version__.split(".")[0]) >= 2 and not _cv_bridge_survives():
        return None
    try:
        from cv_bridge import CvBridge
    except ImportError:
        return None
    bridge = CvBridge()
    return lambda image, wanted: bridge.imgmsg_to_cv2(image, wanted)


def _cv_bridge_survives() -> bool:
    """Return whether cv_bridge can convert an image at all, tried in a process of its own.

    One compiled for NumPy 1 (of apt) crashes the process under NumPy 2 (of pip), at the first
    conversion and without an exception.
    """
    trial = (
        "import numpy, cv_bridge; "
        "cv_bridge.CvBridge().cv2_to_imgmsg(numpy.zeros((2, 2, 3), numpy.uint8), 'bgr8'); "
        "from cv_bridge.boost.cv_bridge_boost import cvtColor2; "
        "cvtColor2(numpy.zeros((2, 2, 3), numpy.uint8), 'bgr8', 'mono8')"
    )
    return not subprocess.run([sys.executable, "-c", trial], capture_output=True).returncode


def _rosbags_converter() -> Callable[[_Tight, str], np.ndarray]:
    try:
        from rosbags.image import image_to_cvimage
    except ImportError:
        raise ImageError(
            "decode",
            "neither cv_bridge nor rosbags-image is installed: 'apt install ros-$ROS_DISTRO-"
            "cv-bridge' or 'pip install rosbags-image'",
        ) from None
    # Its type hint asks for rosbags' own message class; it reads only what _Tight has.
    return lambda image, wanted: np.asarray(image_to_cvimage(image, wanted))  # type: ignore[arg-type]
