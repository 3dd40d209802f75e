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

from expression_ros.images.depth import DepthMemory
from expression_ros.images.header import (
    MAX_DECODED_PIXELS,
    declared_size,
    decode_without_end,
    may_lack_only_end,
)

# Bytes per pixel of the encodings of sensor_msgs/image_encodings.hpp that show an image.
BYTES_PER_PIXEL = {
    "mono8": 1, "mono16": 2, "bgr8": 3, "rgb8": 3, "bgra8": 4, "rgba8": 4,
    "bgr16": 6, "rgb16": 6, "bgra16": 8, "rgba16": 8,
    "yuv422": 2, "yuv422_yuy2": 2, "uyvy": 2, "yuyv": 2,
    "bayer_rggb8": 1, "bayer_bggr8": 1, "bayer_gbrg8": 1, "bayer_grbg8": 1,
    "bayer_rggb16": 2, "bayer_bggr16": 2, "bayer_gbrg16": 2, "bayer_grbg16": 2,
}  # fmt: skip

# Encodings with a plane of grey before the colours, which have half of its width and height.
PLANAR = {
    "nv12": cv2.COLOR_YUV2BGR_NV12, "nv21": cv2.COLOR_YUV2BGR_NV21,
    "i420": cv2.COLOR_YUV2BGR_I420, "yv12": cv2.COLOR_YUV2BGR_YV12,
}  # fmt: skip

# The smallest side of an image that can hold a face: the window of the cascades that find them.
MIN_SIDE = 20

# Drivers that do not say what their channels mean nearly always mean these; and uyvy and yuyv are
# the new names of what every cv_bridge knows by the old ones.
_ALIASES = {"8UC1": "mono8", "8UC3": "bgr8", "8UC4": "bgra8", "16UC1": "mono16", "uyvy": "yuv422",
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


def grey_from_message(message: Any, depth: DepthMemory | None = None) -> np.ndarray:
    """Return a sensor_msgs Image or CompressedImage as (H, W) uint8 grey.

    Args:
        message: the image.
        depth: of the stream that it belongs to, so that 16-bit images do not flicker; without,
            each image is taken by itself.

    Raises:
        ImageError: the message is not a readable image; says what was wrong and what to do.
    """
    depth = depth or DepthMemory()
    if hasattr(message, "format"):
        return _decode(message, cv2.IMREAD_GRAYSCALE, depth)
    if _encoding_of(message) in PLANAR:
        grey: np.ndarray = _planes(message)[: message.height].copy()
        return grey
    return _convert(_checked(message, depth), "mono8")


def bgr_from_message(message: Any, depth: DepthMemory | None = None) -> np.ndarray:
    """Return a sensor_msgs Image or CompressedImage as a new (H, W, 3) uint8 BGR array.

    Args:
        message, depth: as grey_from_message.

    Raises:
        ImageError: as grey_from_message.
    """
    depth = depth or DepthMemory()
    if hasattr(message, "format"):
        image = _decode(message, cv2.IMREAD_COLOR, depth)
        return cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if _is_stored_as_rgb(message) else image
    if _encoding_of(message) in PLANAR:
        return cv2.cvtColor(_planes(message), PLANAR[_encoding_of(message)])
    image = _convert(_checked(message, depth), "bgr8")
    return image if image.flags.owndata and image.flags.writeable else image.copy()


def large_enough(image: np.ndarray) -> np.ndarray:
    """Return an image as it is; raise ImageError if no face fits into it."""
    height, width = image.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ImageError(
            "size",
            f"image of {width}x{height} pixels is too small for a face; let the driver publish "
            f"images of {MIN_SIDE}x{MIN_SIDE} at least, 640x480 is good",
        )
    return image


def _encoding_of(message: Any) -> str:
    return str(_ALIASES.get(message.encoding, message.encoding))


def _is_stored_as_rgb(message: Any) -> bool:
    """Return whether red and blue of a compressed image are swapped.

    Early versions of compressed_image_transport did so, and later ones, which write bgr, still
    swap them back when they read (CompressedSubscriber::internalCallback).
    """
    return "compressed rgb" in message.format.partition(";")[2]


def _check_size(message: Any) -> None:
    height, width = message.height, message.width
    if height == 0 or width == 0:
        raise ImageError("size", f"image of {width}x{height} pixels; check the camera driver")


def _truncated(message: Any, needed: int) -> ImageError:
    return ImageError(
        "data",
        f"image is truncated: {len(message.data)} bytes of {needed} ({message.width}x"
        f"{message.height} {message.encoding}, step {message.step}); check the camera driver",
    )


def _planes(message: Any) -> np.ndarray:
    """Return the planes of a PLANAR image below each other, (H * 3/2, W) uint8, without padding."""
    _check_size(message)
    height, width, step = message.height, message.width, message.step
    if width % 2 or height % 2:
        raise ImageError(
            "size",
            f"{message.encoding} image of odd size {width}x{height}; check the camera driver",
        )
    rows = height * 3 // 2
    if step == width * 3 // 2:  # some drivers count the bytes of all planes as those of a row
        step = width
    if step < width:
        raise ImageError(
            "step",
            f"step of {step} bytes is too short for {width} pixels of {message.encoding} ({width} "
            "bytes); check the camera driver",
        )
    if len(message.data) < step * rows:
        raise _truncated(message, step * rows)
    planes = np.frombuffer(message.data, np.uint8, step * rows).reshape(rows, step)
    if step == width:
        return planes
    if _encoding_of(message).startswith("nv"):
        return np.ascontiguousarray(planes[:, :width])
    colours = planes[height:].reshape(height, step // 2)[:, : width // 2]
    return np.vstack([planes[:height, :width], colours.reshape(height // 2, width)])


def _checked(message: Any, depth: DepthMemory) -> _Tight:
    """Return the message's image with tight rows and 8 bits a value, or say why it is none."""
    _check_size(message)
    encoding = _encoding_of(message)
    height, width, step = message.height, message.width, message.step
    if encoding not in BYTES_PER_PIXEL:
        raise ImageError(
            "encoding",
            f"encoding {message.encoding!r} is not supported; let the driver publish one of "
            f"{', '.join((*BYTES_PER_PIXEL, *PLANAR))}",
        )
    row = width * BYTES_PER_PIXEL[encoding]
    if step < row:
        raise ImageError(
            "step",
            f"step of {step} bytes is too short for {width} pixels of {encoding} ({row} bytes); "
            "check the camera driver",
        )
    if len(message.data) < step * height:
        raise _truncated(message, step * height)
    if encoding.startswith("yuv") and width % 2:
        raise ImageError("size", f"{encoding} image of odd width {width}; check the camera driver")
    data = message.data
    if step > row:
        rows = np.frombuffer(data, np.uint8, step * height).reshape(height, step)
        data = np.ascontiguousarray(rows[:, :row]).reshape(-1)
    if encoding.endswith("16"):
        order = ">u2" if message.is_bigendian else "<u2"
        values = np.frombuffer(data, order, row * height // 2).astype(np.uint16, copy=False)
        encoding, row, data = f"{encoding[:-2]}8", row // 2, depth.eight_bits(values)
    native = 0 if sys.byteorder == "little" else 1
    return _Tight(height, width, encoding, native, row, data)


def _convert(image: _Tight, wanted: str) -> np.ndarray:
    try:
        return _converter()(image, wanted)
    except ImageError:
        raise
    except Exception as error:  # whatever a converter or OpenCV raises, the node must survive it
        raise ImageError("decode", f"{image.encoding} image cannot be converted: {error}") from None


def _decode(message: Any, flags: int, depth: DepthMemory) -> np.ndarray:
    endless = _check_declared(message)
    flags |= cv2.IMREAD_ANYDEPTH
    try:
        if endless:
            image = decode_without_end(bytes(message.data), flags)
        else:
            image = cv2.imdecode(np.frombuffer(message.data, np.uint8), flags)
    except (cv2.error, MemoryError):
        image = None  # a corrupt one returns None or raises, as the decoder likes
    if image is None:
        raise endless or _undecodable(message)
    return depth.eight_bits(image) if image.dtype == np.uint16 else image


def _undecodable(message: Any) -> ImageError:
    return ImageError(
        "decode",
        f"compressed image ({message.format!r:.80}, {len(message.data)} bytes) cannot be decoded; "
        "it must be jpeg or png",
    )


def _check_declared(message: Any) -> ImageError | None:
    """Raise ImageError unless the data can hold the image that their header declares.

    Returns:
        The error of a JPEG that has no end marker, if more than that proves to be missing.

    OpenCV takes the memory for the declared size before it looks at the pixels: 2.7 GB for a
    PNG of 100 bytes that says it is 30000x30000. Its other formats (TIFF, EXR, ...) are left
    aside: no camera sends them, and each is one more decoder open to everybody who can publish.
    """
    data = memoryview(message.data)
    width, height, needed = declared_size(data) or (0, 0, 0)
    if not width or not height:
        raise _undecodable(message)
    if width * height > MAX_DECODED_PIXELS:
        raise ImageError(
            "size",
            f"compressed image declares {width}x{height} pixels, over the limit of "
            f"{MAX_DECODED_PIXELS}; let the driver publish smaller images",
        )
    if len(data) < needed:
        error = ImageError(
            "data",
            f"compressed image is truncated: {len(data)} bytes, at least {needed} are needed for "
            f"the {width}x{height} pixels it declares; check the camera driver",
        )
        if may_lack_only_end(data, needed):
            return error
        raise error
    return None


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
    return lambda image, wanted: np.asarray(image_to_cvimage(image, wanted))
