"""Damaged and odd files, for everything that reads files: one clear line each, and right counts."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import tempfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from expression_ros.cli import main
from expression_ros.demo.run import _as_yaml, _playable
from expression_ros.frames.opening import open_source
from expression_ros.frames.sources import SourceError
from expression_ros.images.files import (
    PhotoError,
    image_size,
    read_image,
    read_photo,
    readable_name,
)
from expression_ros.recordings.opening import open_recording

GREY = np.tile(np.arange(80, 180, dtype=np.uint8), (60, 1))  # (60, 100)


def encoded(suffix: str, image: np.ndarray = GREY) -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(
        ">I", zlib.crc32(name + content))  # fmt: skip


def png(width: int, height: int, depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + head + extra + body + chunk(b"IEND", b"")


def bmp(width: int, height: int) -> bytes:
    return encoded(".bmp")[:18] + struct.pack("<ii", width, height) + encoded(".bmp")[26:]


def huge_tiff(before: int = 0) -> bytes:
    """Return a TIFF whose table comes after so many bytes: most programs write it at the end."""
    entries = [(256, 4, 30000), (257, 4, 30000), (258, 3, 8), (259, 3, 1)]
    table = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return (
        b"II*\0"
        + struct.pack("<I", 8 + before)
        + bytes(before)
        + (struct.pack("<H", len(entries)) + table + bytes(4))
    )


PALETTE = png(2, 1, 8, 3, b"\0\0\1", chunk(b"PLTE", bytes([10, 10, 10, 240, 240, 240])))
TWELVE_BITS = encoded(".png", GREY.astype(np.uint16) << 4)

GOOD = {
    b"plain.png": encoded(".png"),
    b"named_jpg.jpg": encoded(".png"),  # what is in it counts, not its name
    b"photo.jfif": encoded(".jpg"),
    b"endless.jpg": encoded(".jpg")[:-2],
    b"palette.png": PALETTE,
    b"dot.png": encoded(".png", GREY[:1, :1]),
    b"twelve_bits.png": TWELVE_BITS,
    b"sixteen_bits.png": encoded(".png", GREY.astype(np.uint16) << 8),
    b"it's $x$ %d.png": encoded(".png"),
    b"\xff\xfe.png": encoded(".png"),
    b"a\nb.png": encoded(".png"),
    b"-.png": encoded(".png"),
}
BAD: dict[bytes, tuple[bytes | None, str]] = {  # and what the line says
    b"empty.jpg": (b"", "is empty"),
    b"cut.png": (encoded(".png")[:-30], "is cut short"),
    b"cut.jpg": (encoded(".jpg")[:-200], "is cut short"),
    b"text.png": (b"no image at all", "not an image"),
    b"video.jpg": (b"\0\0\0\x18ftypmp42" + bytes(200), "not an image"),
    b"huge.png": (png(30000, 30000, 8, 0, b"\0" * 1_000_000), "too many pixels, 30000x30000"),
    b"huge.bmp": (bmp(30000, -30000), "too many pixels, 30000x30000"),
    b"huge.tif": (huge_tiff(), "too many pixels, 30000x30000"),
    b"huge_as_written.tif": (huge_tiff(1 << 19), "too many pixels, 30000x30000"),
    b"phone.heic": (b"\0\0\0\x18ftypheic" + bytes(99), "is heic that OpenCV cannot read here"),
    b"\xfe\xff.jpg": (b"no image", "not an image"),
    b"float.tiff": (encoded(".tiff", GREY.astype(np.float32)), "not an image"),
    b"folder.png": (None, "no such file"),
}


@pytest.fixture
def heap(tmp_path) -> Path:
    """A folder of all of them."""
    folder = tmp_path / "heap"
    folder.mkdir()
    for name, content in {**GOOD, **{name: data for name, (data, _) in BAD.items()}}.items():
        path = folder / os.fsdecode(name)
        path.mkdir() if content is None else path.write_bytes(content)
    return folder


def test_predict_reads_what_can_be_read_and_names_and_counts_the_rest(heap, tmp_path, capsys):
    output = tmp_path / os.fsdecode(b"\xffout")
    code = main(["predict", str(heap), "--json", "--output", str(output)])
    out, err = capsys.readouterr()
    results, lines = json.loads(out), err.splitlines()
    assert code == 2
    assert {os.fsencode(os.path.basename(result["file"])) for result in results} == set(GOOD)
    assert len(list(output.iterdir())) == len(GOOD)
    assert len(lines) == len(BAD) + 1, err
    for name, (_, said) in BAD.items():
        (line,) = [text for text in lines[:-1] if f"/{readable_name(os.fsdecode(name))}: " in text]
        assert said in line
    assert f"{len(BAD)} of {len(GOOD) + len(BAD)} files could not be read" in lines[-1]
    assert err.isprintable() or err.replace("\n", "").isprintable()


def test_a_folder_as_camera_or_recording_skips_and_names_the_same(heap):
    source = open_source(str(heap))
    assert source.has_photos
    frames = [source.read() for _ in range(len(GOOD) + 1)]
    assert [frame is None for frame in frames] == [False] * len(GOOD) + [True]
    assert set(source.skipped) == {readable_name(os.fsdecode(name)) for name in BAD}
    recording = open_recording(str(heap))
    read = list(recording.frames())
    assert sum(frame.grey is None for frame in read) == len(BAD)
    assert all(frame.problem for frame in read if frame.grey is None)


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_file_is_one_clear_line_for_every_reader(heap, name):
    path = heap / os.fsdecode(name)
    for read, kind in ((open_source, SourceError), (open_recording, ValueError),
                       (lambda text: read_photo(Path(text)), PhotoError)):  # fmt: skip
        with pytest.raises(kind) as caught:
            read(str(path))
        assert str(caught.value).isprintable(), str(caught.value)
        if path.is_file():
            assert BAD[name][1] in str(caught.value)


@pytest.mark.parametrize("name", sorted(GOOD))
def test_an_odd_file_is_a_source_of_one_frame(heap, name):
    frame = open_source(str(heap / os.fsdecode(name))).read()
    assert frame is not None and frame.dtype == np.uint8 and frame.ndim == 3


# ---- what is in them ----


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_images_of_any_depth_are_as_bright_as_those_of_eight_bits(tmp_path, bits):
    ramp = np.tile(np.arange(256, dtype=np.uint16), (4, 1))
    path = tmp_path / "deep.png"
    path.write_bytes(encoded(".png", ramp << (bits - 8)))
    assert np.array_equal(read_image(path, colour=False), ramp)


def test_a_stuck_pixel_does_not_make_a_file_black(tmp_path):
    values = np.full((120, 160), 1000, np.uint16)
    values[3, 5] = 65_535
    (tmp_path / "stuck.png").write_bytes(encoded(".png", values))
    assert read_image(tmp_path / "stuck.png", colour=False)[60, 60] == 250


def test_a_jpeg_file_that_lacks_only_its_end_marker_is_read(tmp_path):
    whole = encoded(".jpg")
    for missing in (1, 2):
        (tmp_path / "endless.jpg").write_bytes(whole[:-missing])
        (tmp_path / "whole.jpg").write_bytes(whole)
        for colour in (False, True):
            read = read_image(tmp_path / "endless.jpg", colour=colour)
            assert np.array_equal(read, read_image(tmp_path / "whole.jpg", colour=colour))


def test_a_jpeg_in_printers_colours_is_read(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="needs Pillow to write one")
    image.new("CMYK", (40, 30), (0, 0, 0, 100)).save(tmp_path / "cmyk.jpg")
    pixels = read_image(tmp_path / "cmyk.jpg", colour=True)
    assert pixels.shape == (30, 40, 3) and np.ptp(pixels.mean(axis=(0, 1))) < 10


def test_an_animation_is_read_or_named(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="needs Pillow to write one")
    first, second = (image.new("L", (40, 30), value) for value in (200, 20))
    first.save(tmp_path / "move.gif", save_all=True, append_images=[second])
    try:
        assert read_image(tmp_path / "move.gif", colour=False).mean() > 150  # the first
    except ValueError as error:
        assert "is gif that OpenCV cannot read here" in str(error)


# ---- rights ----


@contextlib.contextmanager
def unprivileged():
    """Act as a user for whom the modes of files count; root reads everything."""
    before = os.geteuid()
    if not before:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def open_folder():
    """A folder that other users may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def test_what_may_not_be_read_is_called_that(open_folder):
    locked, closed = open_folder / "locked.png", open_folder / "closed"
    locked.write_bytes(encoded(".png"))
    closed.mkdir()
    (open_folder / "open.png").write_bytes(encoded(".png"))
    locked.chmod(0)
    closed.chmod(0)
    try:
        with unprivileged():
            with pytest.raises(PhotoError, match=r"may not be read .*chmod u\+r"):
                read_photo(locked)
            with pytest.raises(SourceError, match=r"may not be read"):
                open_source(str(locked))
            with pytest.raises(SourceError, match=r"may not be read .*chmod u\+rx"):
                open_source(str(closed))
            with pytest.raises(PhotoError, match=r"may not be read"):
                read_photo(closed / "a.png")
            source = open_source(str(open_folder))
            assert source.read() is not None and source.skipped == ("locked.png",)
    finally:
        closed.chmod(0o700)


@pytest.mark.parametrize("command", ["analyze", "predict", "demo"])
def test_outputs_that_cannot_be_written_are_one_line(open_folder, tmp_path, command, capsys):
    image = open_folder / "a.png"
    image.write_bytes(encoded(".png"))
    words = [command, *(["--video"] if command == "demo" else []), str(image)]
    with unprivileged():
        code = main([*words, "--output", str(open_folder / "out")])
    err = capsys.readouterr().err
    lines = [line for line in err.splitlines() if line.startswith("expression-ros: ")]
    assert code == 2 and len(lines) == 1 and "Traceback" not in err
    assert str(open_folder / "out") in lines[0] and "ermission denied" in lines[0]
    assert list(open_folder.iterdir()) == [image]


# ---- names in commands ----


@pytest.mark.parametrize("text", ["it's.mp4", "0", "a: b", "''", "{x}", "~", "a # b", '"', "é"])
def test_a_name_is_a_text_parameter_as_it_is(text):
    import yaml

    assert yaml.safe_load(_as_yaml(text)) == text


@pytest.mark.parametrize("name", [b"\xff.png", b"a\nb.png"])
def test_a_name_that_no_parameter_can_hold_is_played_by_another(heap, name, tmp_path):
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(encoded(".png"))
    with _playable(str(path)) as played:
        assert played.isprintable() and open_source(played).read() is not None


@pytest.mark.parametrize("suffix", [".bmp", ".tiff", ".webp", ".png", ".jpg"])
@pytest.mark.parametrize("quality", [60, 101])  # of WebP: with and without loss
def test_the_size_is_known_before_an_image_is_decoded(tmp_path, suffix, quality):
    image = np.random.default_rng(1).integers(0, 255, (37, 53, 3), np.uint8)
    ok, data = cv2.imencode(suffix, image, [cv2.IMWRITE_WEBP_QUALITY, quality])
    assert ok
    data.tofile(tmp_path / f"a{suffix}")
    assert image_size(tmp_path / f"a{suffix}") == (53, 37)
