"""Messages of every usual encoding, and messages that are not what they say."""

from __future__ import annotations

import array

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="needs ROS 2's message packages")
from sensor_msgs.msg import CompressedImage, Image

from expression_ros.images.conversion import (
    BYTES_PER_PIXEL,
    ImageError,
    bgr_from_message,
    grey_from_message,
)

HEIGHT, WIDTH = 48, 64


@pytest.fixture
def scene():
    """Return a smooth colour image: conversions that subsample colour barely change it."""
    x, y = np.meshgrid(np.linspace(40, 200, WIDTH), np.linspace(60, 180, HEIGHT))
    return np.dstack([x, y, (x + y) / 2]).astype(np.uint8)


def message(data, encoding, *, height=HEIGHT, width=WIDTH, step=None):
    raw = np.ascontiguousarray(data)
    row = raw.nbytes // height if height else 0
    return Image(
        height=height, width=width, encoding=encoding, is_bigendian=0,
        step=row if step is None else step, data=array.array("B", raw.tobytes()),
    )  # fmt: skip


def bayer(image, pattern):
    """Return the mosaic a sensor with that pattern (rows joined, e.g. 'rggb') would give."""
    channel = {"b": 0, "g": 1, "r": 2}
    mosaic = np.zeros(image.shape[:2], np.uint8)
    for k, colour in enumerate(pattern):
        row, column = divmod(k, 2)
        mosaic[row::2, column::2] = image[row::2, column::2, channel[colour]]
    return mosaic


def packed_yuv(image, order):
    """Return UYVY or YUYV bytes, (H, W, 2)."""
    yuv = cv2.cvtColor(image, cv2.COLOR_BGR2YUV)
    chroma = np.empty(image.shape[:2], np.uint8)
    chroma[:, 0::2], chroma[:, 1::2] = yuv[:, 0::2, 1], yuv[:, 0::2, 2]
    return np.dstack([chroma, yuv[..., 0]] if order == "uyvy" else [yuv[..., 0], chroma])


def coded(image, encoding):
    """Return the image's pixels in an encoding."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if encoding.startswith("bayer"):
        mosaic = bayer(image, encoding[6:10])
        return mosaic if encoding.endswith("8") else mosaic.astype(np.uint16) * 257
    simple = {
        "mono8": lambda: grey, "8UC1": lambda: grey,
        "mono16": lambda: grey.astype(np.uint16) * 257,
        "16UC1": lambda: grey.astype(np.uint16) * 257,
        "bgr8": lambda: image, "8UC3": lambda: image,
        "rgb8": lambda: image[..., ::-1],
        "bgra8": lambda: cv2.cvtColor(image, cv2.COLOR_BGR2BGRA),
        "rgba8": lambda: cv2.cvtColor(image, cv2.COLOR_BGR2RGBA),
        "bgr16": lambda: image.astype(np.uint16) * 257,
        "rgb16": lambda: image[..., ::-1].astype(np.uint16) * 257,
        "bgra16": lambda: cv2.cvtColor(image, cv2.COLOR_BGR2BGRA).astype(np.uint16) * 257,
        "rgba16": lambda: cv2.cvtColor(image, cv2.COLOR_BGR2RGBA).astype(np.uint16) * 257,
        "yuv422": lambda: packed_yuv(image, "uyvy"), "uyvy": lambda: packed_yuv(image, "uyvy"),
        "yuv422_yuy2": lambda: packed_yuv(image, "yuyv"),
        "yuyv": lambda: packed_yuv(image, "yuyv"),
    }  # fmt: skip
    return simple[encoding]()


@pytest.mark.parametrize("encoding", [*BYTES_PER_PIXEL, "8UC1", "8UC3", "16UC1"])
def test_every_encoding_becomes_the_same_grey(scene, encoding):
    grey = grey_from_message(message(coded(scene, encoding), encoding))
    expected = cv2.cvtColor(scene, cv2.COLOR_BGR2GRAY)
    assert grey.dtype == np.uint8 and grey.shape == expected.shape
    # away from the border, where demosaicing has no neighbours
    difference = np.abs(grey.astype(int) - expected)[2:-2, 2:-2]
    assert difference.max() <= 6, (encoding, difference.max())


@pytest.mark.parametrize("encoding", [e for e in BYTES_PER_PIXEL if "mono" not in e])
def test_every_colour_encoding_becomes_the_same_bgr(scene, encoding):
    image = bgr_from_message(message(coded(scene, encoding), encoding))
    assert image.shape == scene.shape and image.dtype == np.uint8
    difference = np.abs(image.astype(int) - scene)[2:-2, 2:-2]
    # coded here with YUV's full range, read as video range: at most 16 off
    limit = 16 if encoding.startswith("yu") or encoding == "uyvy" else 8
    assert difference.max() <= limit, (encoding, difference.max())


@pytest.mark.parametrize("encoding", ["mono8", "bgr8", "mono16", "yuv422"])
def test_padded_rows_are_understood(scene, encoding):
    pixels = coded(scene, encoding)
    rows = pixels.reshape(HEIGHT, -1).view(np.uint8)
    padded = np.hstack([rows, np.full((HEIGHT, 24), 255, np.uint8)])
    expected = grey_from_message(message(pixels, encoding))
    assert np.array_equal(grey_from_message(message(padded, encoding)), expected)


def test_big_endian_mono16(scene):
    grey = cv2.cvtColor(scene, cv2.COLOR_BGR2GRAY)
    big = message((grey.astype(np.uint16) * 256).astype(">u2"), "mono16")
    big.is_bigendian = 1
    assert np.abs(grey_from_message(big).astype(int) - grey).max() <= 1


def test_the_bgr_image_can_be_drawn_on_without_changing_the_message(scene):
    original = message(scene, "bgr8")
    before = bytes(original.data)
    bgr_from_message(original)[:] = 0
    assert bytes(original.data) == before


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_compressed_images(scene, suffix):
    data = cv2.imencode(suffix, scene)[1].tobytes()
    compressed = CompressedImage(format=suffix[1:], data=array.array("B", data))
    assert np.abs(bgr_from_message(compressed).astype(int) - scene).max() <= 12
    assert grey_from_message(compressed).shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"height": 0}, "size", "64x0"),
        ({"width": 0}, "size", "0x48"),
        ({"encoding": "32FC1"}, "encoding", "'32FC1' is not supported.*mono8"),
        ({"encoding": ""}, "encoding", "'' is not supported"),
        ({"step": 10}, "step", "step of 10 bytes is too short"),
        ({"height": 4_000_000}, "data", "truncated"),
        ({"step": 4_000_000_000}, "data", "truncated"),
        ({"data": array.array("B", [1, 2, 3])}, "data", "3 bytes of 9216"),
    ],
)
def test_what_is_no_image_is_refused_with_the_reason(scene, change, reason, words):
    bad = message(scene, "bgr8")
    for name, value in change.items():
        setattr(bad, name, value)
    for convert in (grey_from_message, bgr_from_message):
        with pytest.raises(ImageError, match=words) as error:
            convert(bad)
        assert error.value.reason == reason
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("data", [b"", b"no image", b"\xff\xd8\xff\xe0 half a jpeg"])
def test_what_is_no_jpeg_is_refused(data):
    with pytest.raises(ImageError, match="cannot be decoded"):
        grey_from_message(CompressedImage(format="jpeg", data=array.array("B", data)))
