"""Generated Image and CompressedImage messages, good ones and every kind of bad one.

Whatever arrives, the caller meets an ImageError with a known reason or an image of the declared
size; and what a message merely declares takes no memory.
"""

from __future__ import annotations

import array
import itertools
import struct
import tracemalloc
import zlib
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="needs ROS 2's message packages")
from sensor_msgs.msg import CompressedImage, Image

from expression_ros.images.conversion import (
    BYTES_PER_PIXEL,
    MAX_DECODED_PIXELS,
    MIN_SIDE,
    PLANAR,
    ImageError,
    bgr_from_message,
    grey_from_message,
)

SEED = 20240611
RAW_MESSAGES = 14_000
COMPRESSED_MESSAGES = 7_000
THROUGH_THE_NODE = 250  # of each kind, with small images
REASONS = {"size", "encoding", "step", "data", "decode"}

# Every name of sensor_msgs/image_encodings.hpp, and words that are none.
CV_TYPES = [
    f"{depth}C{channels}"
    for depth in ("8U", "8S", "16U", "16S", "32S", "32F", "64F")
    for channels in (1, 2, 3, 4)
]
ENCODINGS = [
    *BYTES_PER_PIXEL, *CV_TYPES, *PLANAR, "nv24", "", "BGR8", "bgr8 ", "mono", "8UC", "jpeg",
    "bgr8\n", "\u00fc8", "x" * 300, "8UC5", "bayer_rggb32", "None",
]  # fmt: skip
BYTES_OF_TYPE = {"8": 1, "1": 2, "3": 4, "6": 8}

_NOISE = np.random.default_rng(SEED).integers(0, 256, 1 << 16, np.uint8).tobytes()


def noise(length: int) -> array.array:
    """Return ``length`` bytes that look random, quickly."""
    return array.array("B", (_NOISE * (length // len(_NOISE) + 1))[:length])


class Messages:
    """Draws messages from a seeded generator: number k of a seed is always the same."""

    def __init__(self, seed: int, largest: int = 4096, smallest: int = 1):
        self.random = np.random.default_rng(seed)
        self.largest, self.smallest = largest, smallest
        self._large_left = 24  # frames of megabytes, enough to be seen and few enough to be quick

    def one_of(self, *choices):
        return choices[self.random.integers(len(choices))]

    def side(self) -> int:
        """Return a length of 0 to ``largest`` pixels, mostly a small one."""
        if self.random.random() < 0.04:
            return self.one_of(0, 1, 2, self.largest - 1, self.largest)
        return int(self.smallest * (self.largest / self.smallest) ** self.random.random())

    def raw(self) -> Image:
        width, height = self.side(), self.side()
        encoding = self.one_of(*BYTES_PER_PIXEL) if self.random.random() < 0.5 else (
            self.one_of(*ENCODINGS))  # fmt: skip
        row = width * bytes_per_pixel(encoding)
        message = Image(width=width, height=height, encoding=encoding, step=row)
        message.is_bigendian = self.one_of(0, 0, 0, 1, 255)
        damage = self.one_of("", "", "", "padded", "step", "short", "long", "huge", "nan")
        if damage == "padded":
            message.step = row + int(self.random.integers(1, 64))
        elif damage == "step":
            message.step = self.one_of(0, 1, max(0, row - 1), row + 1, 2**32 - 1)
        elif damage == "huge":
            message.width = self.one_of(width, 30_000, 2**31, 2**32 - 1)
            message.height = self.one_of(height, 30_000, 2**31, 2**32 - 1)
            message.step = self.one_of(row, min(2**32 - 1, 3 * message.width), 2**32 - 1)
        sent = message.step * message.height
        if sent > 200_000:
            self._large_left -= 1
            if self._large_left < 0 or sent > 80_000_000:
                sent = int(self.random.integers(0, 5000))
        if damage == "short" and sent:
            sent = self.one_of(0, 1, sent // 2, sent - 1)
        elif damage == "long":
            sent += self.one_of(1, 3, 4096)
        message.data = noise(sent)
        if damage == "nan" and sent >= 8:
            number = self.one_of(np.nan, np.inf, -np.inf)
            kind = "f8" if encoding.startswith("64F") else "f4"
            values = np.full(sent // int(kind[1]), number, kind).tobytes()
            message.data = array.array("B", values + bytes(sent - len(values)))
        return message

    def compressed(self) -> CompressedImage:
        form = self.one_of("jpeg", "png", "bgr8; jpeg compressed bgr8", "", "tiff", "\u00fc" * 50)
        message = CompressedImage(format=form)
        kind = self.one_of(
            "good", "cut", "cut", "spoilt", "spoilt", "random", "head", "bomb", "other", "segments"
        )
        message.data = array.array("B", getattr(self, f"_{kind}")())
        return message

    def _good(self) -> bytes:
        shape = (min(200, self.side() + 1), min(200, self.side() + 1), 3)
        image = np.frombuffer(_NOISE * 2, np.uint8, shape[0] * shape[1] * 3).reshape(shape)
        if self.random.random() < 0.3:
            image = image[..., 0]
        return cv2.imencode(self.one_of(".jpg", ".png"), image)[1].tobytes()

    def _cut(self) -> bytes:
        whole = self._good()
        return whole[: self.random.integers(0, len(whole))]

    def _spoilt(self) -> bytes:
        """Return an image with some bytes changed, half of the time in its header."""
        data = bytearray(self._good())
        reach = self.one_of(64, len(data))
        for place in self.random.integers(0, min(reach, len(data)), self.one_of(1, 2, 16)):
            data[place] = self.random.integers(256)
        return bytes(data)

    def _random(self) -> bytes:
        return self.random.bytes(self.one_of(0, 1, 2, 3, 8, 100, 5000))

    def _head(self) -> bytes:
        return self.one_of(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n") + self._random()

    def _bomb(self) -> bytes:
        width, height = self.one_of(8000, 30_000, 65_500, 2**31 - 1), self.one_of(8000, 30_000)
        if self.random.random() < 0.5:
            return png_bomb(width, height)
        return jpeg_bomb(min(width, 65_535), height, self.one_of(0xC0, 0xC1, 0xC2, 0xC9))

    def _other(self) -> bytes:
        return self.one_of(
            tiff_bomb(30_000, 30_000), b"BM" + bytes(200), b"P6\n30000 30000\n255\n",
            b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(50), b"GIF89a\xff\xff\xff\xff" + bytes(50),
            b"#?RADIANCE\n\n-Y 30000 +X 30000\n", b"\x76\x2f\x31\x01" + bytes(100),
        )  # fmt: skip

    def _segments(self) -> bytes:
        """Return a JPEG's start with segments without an end, some of them of length 0."""
        return b"\xff\xd8" + self.one_of(
            b"\xff\xe0\x00\x00", b"\xff\xe1\x00\x02", b"\xff", b"\xff\x00", b"\x00", b"\xff\xd8"
        ) * int(self.random.integers(1, 3000))


def bytes_per_pixel(encoding: str) -> int:
    if encoding in CV_TYPES:
        return BYTES_OF_TYPE[encoding[0]] * int(encoding[-1])
    return BYTES_PER_PIXEL.get(encoding, 3)


def chunk(name: bytes, data: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + crc


def png_bomb(width: int, height: int) -> bytes:
    """Return a PNG of some 100 bytes that declares an image of any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def jpeg_bomb(width: int, height: int, frame: int = 0xC0) -> bytes:
    """Return a JPEG of 32x32 whose header declares another size."""
    data = bytearray(cv2.imencode(".jpg", np.full((32, 32, 3), 128, np.uint8))[1].tobytes())
    place = data.index(b"\xff\xc0")
    data[place + 1] = frame
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def tiff_bomb(width: int, height: int) -> bytes:
    entries = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1),
               (278, height), (279, 100)]  # fmt: skip
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(entries)) + table + bytes(4)


def outcome(message) -> tuple[str, tuple[int, ...]]:
    """Return why a message is refused, or "" and the shape of its image; check what holds."""
    try:
        grey = grey_from_message(message)
    except ImageError as error:
        assert error.reason in REASONS
        text = str(error)
        assert text and "\n" not in text and len(text) < 1000
        with pytest.raises(ImageError) as again:
            bgr_from_message(message)
        assert again.value.reason == error.reason
        return error.reason, ()
    assert grey.dtype == np.uint8 and grey.ndim == 2 and grey.size
    if isinstance(message, Image):
        assert grey.shape == (message.height, message.width)
    return "", grey.shape


def drawn(kind: str, count: int, seed: int = SEED, largest: int = 4096, smallest: int = 1):
    messages = Messages(seed, largest, smallest)
    return (getattr(messages, kind)() for _ in range(count))


@pytest.mark.parametrize(
    ("kind", "count"), [("raw", RAW_MESSAGES), ("compressed", COMPRESSED_MESSAGES)]
)
def test_no_message_raises_anything_but_an_image_error(kind, count):
    seen: Counter[str] = Counter()
    for number, message in enumerate(drawn(kind, count)):
        try:
            seen[outcome(message)[0]] += 1
        except Exception as error:
            raise AssertionError(f"{kind} message {number} of seed {SEED}: {error!r}") from error
    assert sum(seen.values()) == count
    possible = REASONS if kind == "raw" else {"size", "data", "decode"}
    expected = (possible - {"decode"} if kind == "raw" else possible) | {""}
    assert expected <= set(seen) <= possible | {""}, seen
    assert all(seen[reason] > count // 100 for reason in expected), seen


def holds_what_it_declares(message: Image) -> bool:
    width, height, step = message.width, message.height, message.step
    if not min(width, height):
        return False
    if message.encoding in PLANAR:
        step = width if step == width * 3 // 2 else step
        whole = step >= width and len(message.data) >= step * height * 3 // 2
        return whole and width % 2 == 0 and height % 2 == 0
    known = {"8UC1": 1, "8UC3": 3, "8UC4": 4, "16UC1": 2, **BYTES_PER_PIXEL}.get(message.encoding)
    return known is not None and step >= known * width and len(message.data) >= step * height


def test_a_raw_message_is_read_exactly_when_it_holds_what_it_declares():
    """An independent statement of the rule, against the one in image_conversion."""
    for message in drawn("raw", 3000, SEED + 1):
        good = holds_what_it_declares(message)
        if good and message.encoding.startswith(("yuv", "uyvy", "yuyv")):
            good = message.width % 2 == 0
        reason = outcome(message)[0]
        what = f"{message.width}x{message.height} {message.encoding!r} step {message.step}"
        # Bayer patterns of one row or column, for one, are whole and yet have no colours.
        assert (reason in ("", "decode")) == good, (what, reason)
        if reason == "decode":
            assert message.encoding.startswith("bayer") and min(message.width, message.height) < 3


@pytest.mark.parametrize("kind", ["raw", "compressed"])
def test_what_is_declared_and_not_sent_takes_no_memory(kind):
    """The peak of each message stays within what its own bytes explain."""
    tracemalloc.start()
    try:
        for number, message in enumerate(drawn(kind, 1500, SEED + 2)):
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            shape = outcome(message)[1]
            taken = tracemalloc.get_traced_memory()[1] - before
            pixels = int(np.prod(shape)) if shape else 0
            # Copies of the data (as sent, tight, native, converted), images, and small change.
            allowed = 30 * len(message.data) + 8 * pixels + 200_000
            assert taken <= allowed, f"{kind} message {number} of seed {SEED + 2}: {taken} bytes"
    finally:
        tracemalloc.stop()


def peak_memory(begin: bool = False) -> int:
    """Return the most memory this process has held since ``begin``, in bytes."""
    if begin:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def test_no_decoder_takes_the_memory_behind_our_back():
    """What libpng and libjpeg take themselves is seen only from outside of the process."""
    try:
        peak_memory(begin=True)
    except OSError as error:
        pytest.skip(f"the peak of a process's memory cannot be reset here: {error}")
    for number, message in enumerate(drawn("compressed", 2000, SEED + 4)):
        before = peak_memory(begin=True)
        outcome(message)
        taken = peak_memory() - before
        # A tall or wide image of few, small blocks may be 256 times its file.
        assert taken < 3 * 512 * len(message.data) + 8_000_000, (
            f"compressed message {number} of seed {SEED + 4}, {len(message.data)} bytes: "
            f"{taken / 1e6:.0f} MB"
        )


def test_a_png_whose_chunk_declares_two_gigabytes_is_truncated():
    data = bytearray(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    place = data.index(b"IDAT")
    data[place - 4 : place] = struct.pack(">I", 0x7FFF_FFF0)
    with pytest.raises(ImageError, match=r"truncated: .* at least 2147483") as refused:
        grey_from_message(CompressedImage(format="png", data=array.array("B", data)))
    assert refused.value.reason == "data"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (png_bomb(30_000, 30_000), "size"),
        (jpeg_bomb(30_000, 30_000), "size"),
        (jpeg_bomb(30_000, 30_000, 0xC2), "size"),
        (png_bomb(8000, 8000), "data"),
        (jpeg_bomb(8000, 8000), "data"),
        (jpeg_bomb(8000, 8000, 0xC2), "data"),
        (tiff_bomb(30_000, 30_000), "decode"),
        (b"P6\n30000 30000\n255\n", "decode"),
    ],
    ids=["png", "jpeg", "progressive", "png 64 MP", "jpeg 64 MP", "progressive 64 MP", "tiff",
         "ppm"],
)  # fmt: skip
def test_a_small_file_that_declares_a_huge_image_is_refused_before_memory_is_taken(data, reason):
    message = CompressedImage(format="jpeg", data=array.array("B", data))
    tracemalloc.start()
    try:
        for convert in (grey_from_message, bgr_from_message):
            with pytest.raises(ImageError) as refused:
                convert(message)
            assert refused.value.reason == reason
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def jpeg(image, *options) -> bytes:
    return cv2.imencode(".jpg", image, list(options))[1].tobytes()


def scene(size: int = 200):
    """Return an image whose JPEG has much to say everywhere."""
    return np.frombuffer(_NOISE * 2, np.uint8, size * size * 3).reshape(size, size, 3)


@pytest.mark.parametrize("options", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
                                     [cv2.IMWRITE_JPEG_RST_INTERVAL, 4]])  # fmt: skip
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_jpeg_without_its_pixels_is_refused_wherever_it_is_cut(options, share):
    """Some versions of OpenCV (4.6, 4.10) read it, with whatever is in memory for the rest."""
    whole = jpeg(scene(), *options)
    cut = whole[: int(share * len(whole))]
    for convert in (grey_from_message, bgr_from_message):
        with pytest.raises(ImageError) as refused:
            convert(CompressedImage(format="jpeg", data=array.array("B", cut)))
        # Cut before its size is told, it is not an image at all.
        assert refused.value.reason in (("data",) if share > 0.1 else ("data", "decode"))


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("options", [[], [cv2.IMWRITE_JPEG_RST_INTERVAL, 4]])
def test_a_jpeg_that_lacks_only_its_end_marker_is_read(missing, options):
    for seed in range(25):
        side = 1 + seed % 17
        image = np.random.default_rng(seed).integers(0, 256, (side, 2 * side, 3), np.uint8)
        whole = jpeg(image, cv2.IMWRITE_JPEG_QUALITY, 1 + 4 * seed, *options)
        for convert in (grey_from_message, bgr_from_message):
            expected = convert(CompressedImage(data=array.array("B", whole)))
            read = convert(CompressedImage(data=array.array("B", whole[:-missing])))
            assert np.array_equal(read, expected), (seed, convert)


def test_a_grey_corner_is_told_from_pixels_that_did_not_come():
    """Where the decoder's filling could be the image itself, more bytes must change nothing."""
    image = scene(160)
    image = np.where(np.arange(160)[:, None, None] < 80, image, np.uint8(128))
    whole = jpeg(image)
    read = grey_from_message(CompressedImage(data=array.array("B", whole[:-2])))
    assert np.array_equal(read, grey_from_message(CompressedImage(data=array.array("B", whole))))
    with pytest.raises(ImageError, match="truncated"):
        grey_from_message(CompressedImage(data=array.array("B", whole[: len(whole) // 2])))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_that_exif_data_turn_is_told_from_one_that_is_cut(orientation):
    """Where pixels are missing is judged as they were written, not as they are shown."""
    exif = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    plain = jpeg(scene(160))
    whole = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:]
    for convert in (grey_from_message, bgr_from_message):
        expected = convert(CompressedImage(data=array.array("B", whole)))
        read = convert(CompressedImage(data=array.array("B", whole[:-2])))
        assert np.array_equal(read, expected)
        for share in (0.3, 0.6, 0.9):
            with pytest.raises(ImageError, match="truncated"):
                cut = whole[: int(share * len(whole))]
                convert(CompressedImage(data=array.array("B", cut)))


def test_a_progressive_jpeg_without_its_end_may_be_coarse_and_is_refused():
    whole = jpeg(scene(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    with pytest.raises(ImageError, match="truncated"):
        grey_from_message(CompressedImage(data=array.array("B", whole[:-2])))


@pytest.mark.parametrize("rubbish", [b"\0", b"\0" * 100_000, b"\xff\xff\xff", b"text at the end"])
def test_what_a_driver_leaves_after_the_end_of_a_jpeg_does_no_harm(rubbish):
    data = jpeg(scene()) + rubbish
    assert grey_from_message(CompressedImage(data=array.array("B", data))).shape == (200, 200)


def test_the_end_of_a_preview_is_not_that_of_the_image():
    """Cameras put a small JPEG, with an end of its own, before the image (Exif)."""
    whole, preview = jpeg(scene()), jpeg(scene(20))
    exif = b"Exif\0\0" + preview
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif
    data = whole[:2] + segment + whole[2:]
    assert grey_from_message(CompressedImage(data=array.array("B", data))).shape == (200, 200)
    with pytest.raises(ImageError, match="truncated"):
        grey_from_message(CompressedImage(data=array.array("B", data[: len(data) // 2])))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (4096, 4096), (4096, 4096, 3)])
def test_large_images_that_are_whole_are_read_however_well_they_pack(suffix, shape):
    flat = cv2.imencode(suffix, np.zeros(shape, np.uint8))[1]
    message = CompressedImage(format=suffix[1:], data=array.array("B", flat.tobytes()))
    assert grey_from_message(message).shape == shape[:2]


@pytest.mark.parametrize(
    "options",
    [
        [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_OPTIMIZE, 1],
        [cv2.IMWRITE_JPEG_QUALITY, 1, cv2.IMWRITE_JPEG_OPTIMIZE, 1],
        [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411],
    ],
)
def test_no_encoder_packs_below_the_bound(options):
    """The bound on bytes per block is of the format, so no whole file may fall under it."""
    flat = cv2.imencode(".jpg", np.zeros((4096, 4096, 3), np.uint8), options)[1]
    message = CompressedImage(format="jpeg", data=array.array("B", flat.tobytes()))
    assert grey_from_message(message).shape == (4096, 4096)


def test_the_limit_is_on_pixels_not_on_sides():
    side = int(MAX_DECODED_PIXELS**0.5)
    wide = cv2.imencode(".png", np.zeros((8, 60_000), np.uint8))[1]
    assert grey_from_message(CompressedImage(data=array.array("B", wide.tobytes()))).size == 480_000
    with pytest.raises(ImageError, match="over the limit"):
        grey_from_message(CompressedImage(data=array.array("B", jpeg_bomb(side, side + 1))))


# ---- a part of them through the real node ----


@pytest.mark.parametrize("kind", ["raw", "compressed"])
def test_the_counts_of_the_node_add_up(ros, kind):
    """Messages one by one through DDS: none is lost, each refusal is counted by its reason."""
    from diagnostic_msgs.msg import DiagnosticArray
    from rclpy.parameter import Parameter
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from ros_bench import wait_until

    from expression_ros.nodes.recognizer.node import Recognizer

    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    transport = Parameter("image_transport", value=kind)
    node = ros.add(Recognizer(context=ros.context, parameter_overrides=[transport]))
    node.start()
    topic = "image_raw" if kind == "raw" else "image_raw/compressed"
    reliable = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
    publisher = ros.publisher(Image if kind == "raw" else CompressedImage, topic, reliable)

    expected: Counter[str] = Counter()
    generated = drawn(kind, THROUGH_THE_NODE, SEED + 3, largest=256, smallest=12)
    # What cannot travel is no test of the node: middlewares refuse texts with a line break, say.
    for sent, message in enumerate(itertools.islice(generated, THROUGH_THE_NODE), start=1):
        reason, shape = outcome(message)
        expected["size" if shape and min(shape) < MIN_SIDE else reason] += 1
        publisher.publish(message)
        counts = node._statistics
        wait_until(
            lambda c=counts, n=sent: c.processed + c.failed + sum(c.refused.values()) == n,
            f"{kind} message {sent} to be counted",
        )

    def last(task, condition):
        def look(messages):
            for one in (one for array_ in reversed(messages) for one in array_.status):
                values = {pair.key: pair.value for pair in one.values}
                if one.name == f"recognizer: {task}" and condition(values):
                    return values
            return None

        return diagnostics.wait_for(look, f"the counts of {task}")

    total = str(THROUGH_THE_NODE)
    refused = sum(expected.values()) - expected[""]
    source = last("input", lambda v: v["images received"] == total
                  and v["images refused"] == str(refused))  # fmt: skip
    assert source["images dropped"] == "0"
    for reason in REASONS:
        assert source.get(f"refused: {reason}", "0") == str(expected[reason]), reason
    read = last("recognition", lambda v: v["frames processed"] == str(expected[""]))
    assert read["frames failed"] == "0"
    assert refused > THROUGH_THE_NODE // 4 and expected[""] > THROUGH_THE_NODE // 20
