"""Videos of phones stand upright, and files may have any name."""

from __future__ import annotations

import os

import numpy as np
import pytest
from mp4_files import turn, write_mp4

from expression_ros.frames.opening import open_source
from expression_ros.frames.video import rotation_of

# Top left bright, the rest dark: each turn puts the light into another corner.
_CORNERS = {0: (0, 0), 90: (0, -1), 180: (-1, -1), 270: (-1, 0)}


@pytest.fixture
def film(tmp_path):
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:24, :32] = 255
    return write_mp4(tmp_path / "film.mp4", [frame] * 3)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_phones_video_stands_upright(film, degrees):
    assert rotation_of(turn(film, degrees)) == degrees
    source = open_source(str(film))
    frame = source.read()
    assert frame.shape[:2] == ((64, 48) if degrees % 180 else (48, 64))
    assert frame[_CORNERS[degrees]].mean() > 200 and frame.mean() < 100
    assert f"({frame.shape[1]}x{frame.shape[0]}," in source.description
    source.rewind()
    assert source.read().shape == frame.shape


def test_only_the_track_with_the_images_counts(film):
    data = turn(film, 90).read_bytes()
    film.write_bytes(data.replace(b"vide", b"soun", 1))
    assert rotation_of(film) is None


def test_no_damage_of_a_header_matters(film):
    data = turn(film, 90).read_bytes()
    begin = data.index(b"moov")
    for place in range(begin - 8, len(data) - 8, 7):
        damaged = film.with_name("damaged.mp4")
        damaged.write_bytes(data[:place] + os.urandom(4) + data[place + 4 :])
        assert rotation_of(damaged) in (None, 0, 90, 180, 270)
        damaged.write_bytes(data[:place])
        assert rotation_of(damaged) in (None, 90)


NAMES = [b"it's.mp4", b"\xff\xfe.mp4", b"a\nb.mp4", b"gr\xfc\xdfe.mp4", b"$x$ %d {}.mp4", b"-.mp4"]


@pytest.mark.parametrize("name", NAMES)
def test_a_video_may_have_any_name(film, name):
    path = film.rename(film.with_name(os.fsdecode(name)))
    source = open_source(str(path))
    frames = [source.read() for _ in range(4)]
    assert [frame is None for frame in frames] == [False] * 3 + [True]
    source.rewind()
    assert source.read() is not None
    assert source.description.isprintable() and source.description.encode()
