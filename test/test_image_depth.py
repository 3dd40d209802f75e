"""10, 12, 14 and 16 bits in containers of 16: found in the images, and steady over time."""

from __future__ import annotations

import array

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="needs ROS 2's message packages")
from sensor_msgs.msg import CompressedImage, Image

from expression_ros.images.conversion import bgr_from_message, grey_from_message
from expression_ros.images.depth import DEPTHS, SHRINK_AFTER, DepthMemory, bits_needed
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.pipeline import ExpressionRecognizer

ENCODINGS = ("mono16", "16UC1", "bgr16", "rgb16", "bgra16", "rgba16", "bayer_rggb16",
             "bayer_bggr16", "bayer_gbrg16", "bayer_grbg16")  # fmt: skip


def in_encoding(bgr, encoding):
    """Return the 8-bit values of an image in the layout of a 16-bit encoding."""
    if encoding.startswith("bayer"):
        mosaic = np.zeros(bgr.shape[:2], np.uint8)
        for k, colour in enumerate(encoding[6:10]):
            row, column = divmod(k, 2)
            mosaic[row::2, column::2] = bgr[row::2, column::2, "bgr".index(colour)]
        return mosaic
    conversions = {"rgb16": cv2.COLOR_BGR2RGB, "bgra16": cv2.COLOR_BGR2BGRA,
                   "rgba16": cv2.COLOR_BGR2RGBA}  # fmt: skip
    if encoding in conversions:
        return cv2.cvtColor(bgr, conversions[encoding])
    return bgr if encoding == "bgr16" else cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)


def message(values, encoding, big_endian=False):
    data = values.astype(">u2" if big_endian else "<u2").tobytes()
    height, width = values.shape[:2]
    return Image(height=height, width=width, encoding=encoding, is_bigendian=int(big_endian),
                 step=len(data) // height, data=array.array("B", data))  # fmt: skip


def eight_bit_message(values, encoding):
    name = {"16UC1": "mono8"}.get(encoding, encoding.replace("16", "8"))
    height, width = values.shape[:2]
    return Image(height=height, width=width, encoding=name, step=values.nbytes // height,
                 data=array.array("B", values.tobytes()))  # fmt: skip


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_depth_is_read_as_the_same_image_of_8_bits(astronaut, encoding, bits, big_endian):
    values = in_encoding(cv2.resize(astronaut, (128, 128)), encoding)
    deep = message(values.astype(np.uint16) << (bits - 8), encoding, big_endian)
    same = eight_bit_message(values, encoding)
    assert np.array_equal(grey_from_message(deep), grey_from_message(same))
    assert np.array_equal(bgr_from_message(deep), bgr_from_message(same))


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("colour", [False, True])
def test_a_png_of_every_depth_in_a_compressed_image(astronaut, bits, colour):
    values = astronaut if colour else cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    png = cv2.imencode(".png", values.astype(np.uint16) << (bits - 8))[1].tobytes()
    packed = CompressedImage(format="16-bit; png compressed ", data=array.array("B", png))
    expected = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    assert np.abs(grey_from_message(packed).astype(int) - expected).max() <= 1
    if colour:
        assert np.array_equal(bgr_from_message(packed), astronaut)


def test_a_face_in_any_depth_has_the_label_that_it_has_in_8_bits(astronaut, shipped_classifier):
    def label(image):
        reader = ExpressionRecognizer(FaceDetector("all", 0.12), shipped_classifier)
        return reader.read(image, 0.0).primary

    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    expected = label(grey)
    assert expected.label == "happiness"
    for bits in (10, 12, 14):
        read = label(grey_from_message(message(grey.astype(np.uint16) << (bits - 8), "mono16")))
        assert (read.label, read.box, read.scores) == (expected.label, expected.box,
                                                       expected.scores)  # fmt: skip


@pytest.mark.parametrize(
    ("highest", "bits"),
    [(0, 8), (255, 8), (256, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14), (16383, 14),
     (16384, 16), (65535, 16)],
)  # fmt: skip
def test_the_bits_that_a_value_needs(highest, bits):
    assert bits_needed(np.full((4, 4), highest, np.uint16)) == bits
    assert bits_needed(np.zeros((0, 4), np.uint16)) == 8


def test_stuck_pixels_do_not_make_an_image_black():
    values = np.full((480, 640), 1000, np.uint16)
    values[0, :30] = 33_024  # whose lowest byte is 64 after the shift
    assert bits_needed(values) == 10
    assert DepthMemory().eight_bits(values)[0, 0] == 255, "clipped, not wrapped around"
    values[0, :40] = 33_024
    assert bits_needed(values) == 16


def test_brightness_does_not_jump_when_the_scene_gets_darker_for_a_while():
    memory = DepthMemory()
    bright, dark = np.full((8, 8), 4000, np.uint16), np.full((8, 8), 900, np.uint16)
    assert memory.eight_bits(bright)[0, 0] == 250
    for _ in range(SHRINK_AFTER - 1):
        assert memory.eight_bits(dark)[0, 0] == 56, "as dark as it is"
    memory.eight_bits(bright)
    assert memory.bits == 12
    for _ in range(SHRINK_AFTER - 1):
        memory.eight_bits(dark)
    assert memory.bits == 12, "one bright image is enough to begin anew"
    assert memory.eight_bits(dark)[0, 0] == 225
    assert memory.eight_bits(bright)[0, 0] == 250, "back at once"


def test_fewer_bits_are_those_of_the_brightest_image_since():
    memory = DepthMemory()
    memory.eight_bits(np.full((8, 8), 60_000, np.uint16))
    for k in range(SHRINK_AFTER):
        memory.eight_bits(np.full((8, 8), 2000 if k == 5 else 300, np.uint16))
    assert memory.bits == 12


def test_depth_in_millimetres_does_no_harm():
    depth = np.random.default_rng(0).integers(0, 10_000, (48, 64)).astype(np.uint16)
    for values in (depth, np.zeros_like(depth), np.full_like(depth, 65535)):
        assert grey_from_message(message(values, "16UC1")).shape == (48, 64)


# ---- other encodings of cameras ----


def planar(bgr, encoding):
    """Return nv12, nv21, i420 or yv12 as the planes below each other, (H * 3/2, W)."""
    height, width = bgr.shape[:2]
    i420 = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
    grey, u, v = i420[:height], *i420[height:].reshape(2, height // 2, width // 2)
    if encoding.startswith("nv"):
        pair = (u, v) if encoding == "nv12" else (v, u)
        colours = np.dstack(pair).reshape(height // 2, width)
    else:
        colours = np.vstack((u, v) if encoding == "i420" else (v, u)).reshape(height // 2, width)
    return np.vstack([grey, colours])


def planar_message(planes, encoding, padding=0):
    rows, width = planes.shape
    height = rows * 2 // 3
    if padding and not encoding.startswith("nv"):
        colours = planes[height:].reshape(height, width // 2)
        colours = np.pad(colours, ((0, 0), (0, padding // 2)), constant_values=255)
        grey = np.pad(planes[:height], ((0, 0), (0, padding)), constant_values=255)
        data = grey.tobytes() + colours.tobytes()
    else:
        data = np.pad(planes, ((0, 0), (0, padding)), constant_values=255).tobytes()
    return Image(height=height, width=width, encoding=encoding, step=width + padding,
                 data=array.array("B", data))  # fmt: skip


@pytest.mark.parametrize("padding", [0, 32])
@pytest.mark.parametrize("encoding", ["nv12", "nv21", "i420", "yv12"])
def test_planes_are_read_in_grey_and_colour(astronaut, encoding, padding):
    smooth = cv2.GaussianBlur(cv2.resize(astronaut, (256, 192)), (0, 0), 3)
    packed = planar_message(planar(smooth, encoding), encoding, padding)
    difference = np.abs(bgr_from_message(packed).astype(int) - smooth)
    assert difference.mean() < 1.5 and np.percentile(difference, 99) <= 8
    grey = grey_from_message(packed)
    assert grey.shape == (192, 256)
    assert np.corrcoef(grey.ravel(), cv2.cvtColor(smooth, cv2.COLOR_BGR2GRAY).ravel())[0, 1] > 0.99


def test_a_step_that_counts_all_planes():
    packed = planar_message(np.full((96, 64), 100, np.uint8), "nv12")
    packed.step = 96
    assert grey_from_message(packed).shape == (64, 64)


def test_8uc4_is_bgra(astronaut):
    bgra = cv2.cvtColor(astronaut, cv2.COLOR_BGR2BGRA)
    height, width = bgra.shape[:2]
    packed = Image(height=height, width=width, encoding="8UC4", step=4 * width,
                   data=array.array("B", bgra.tobytes()))  # fmt: skip
    assert np.array_equal(bgr_from_message(packed), astronaut)


@pytest.mark.parametrize(
    ("form", "swapped"),
    [("jpeg", False), ("bgr8; jpeg compressed bgr8", False), ("rgb8; jpeg compressed bgr8", False),
     ("rgb8; jpeg compressed rgb8", True), ("bgr8; jpeg compressed rgb8", True),
     ("bayer_rggb8; jpeg compressed bgr8", False), ("rgb8; png compressed rgb8", True)],
)  # fmt: skip
def test_colours_are_stored_as_the_format_says(form, swapped):
    """compressed_image_transport hands its array to the encoder, which takes it as bgr."""
    blue = np.full((32, 32, 3), (200, 40, 20), np.uint8)
    stored = blue[..., ::-1] if swapped else blue
    data = cv2.imencode(".png", np.ascontiguousarray(stored))[1].tobytes()
    read = bgr_from_message(CompressedImage(format=form, data=array.array("B", data)))
    assert np.array_equal(read, blue)
    assert read.flags.writeable
