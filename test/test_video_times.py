"""Videos are read by the stamps of their frames, as far as these are plausible."""

from __future__ import annotations

import csv
import math
import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mp4_files import set_gaps, write_mp4

from expression_ros.cli import main
from expression_ros.frames.opening import open_source
from expression_ros.frames.playback import PlaybackSchedule, frames_in_time
from expression_ros.frames.video import FrameTimes

GAPS = [0.03, 0.03, 1.5, 0.1, 0.1, 0.7, 0.03, 0.03, 0.4, 0.03]  # of a phone in the dusk
TIMES = [sum(GAPS[:k]) for k in range(len(GAPS))]


@pytest.fixture
def uneven(tmp_path):
    """A video of ten frames that get brighter by 20 each, in 2.92 s."""
    frames = [np.full((48, 64, 3), 20 * k, np.uint8) for k in range(len(GAPS))]
    return set_gaps(write_mp4(tmp_path / "phone.mp4", frames), GAPS)


def times_of(source):
    times = []
    while source.grab():
        times.append(source.seconds)
    return times


def test_frames_have_the_times_of_their_stamps(uneven):
    source = open_source(str(uneven))
    assert times_of(source) == pytest.approx(TIMES, abs=0.002)
    source.rewind()
    assert times_of(source) == pytest.approx(TIMES, abs=0.002)


def test_a_rate_that_is_asked_for_takes_the_place_of_the_stamps(uneven):
    assert times_of(open_source(str(uneven), frame_rate=5.0)) == [k / 5.0 for k in range(10)]


def test_looking_ahead_loses_no_frame(uneven):
    source = open_source(str(uneven))
    values, gaps = [], []
    while (frame := source.read()) is not None:
        values.append(round(frame.mean() / 20))
        gaps.append(source.gap())
        assert source.gap() == gaps[-1] and source.position == len(values)
    assert values == list(range(10))
    assert gaps[-1] is None and gaps[:-1] == pytest.approx(GAPS[:-1], abs=0.002)


def test_analyze_writes_the_times_of_the_stamps(uneven, tmp_path, capsys):
    assert main(["analyze", str(uneven), "--output", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "faces.csv").open() as file:
        seconds = [float(row["time_s"]) for row in csv.DictReader(file)]
    assert seconds == pytest.approx(TIMES, abs=0.002)
    assert "in 2.9 s" in capsys.readouterr().out


def test_calibration_takes_the_seconds_that_were_named(uneven):
    from expression_ros.commands.calibrate import _stamped

    stamps = [stamp for _, stamp in _stamped(open_source(str(uneven)))]
    assert stamps == pytest.approx(TIMES, abs=0.002)


def test_a_film_is_played_as_it_was_taken(tmp_path):
    gaps = [0.02, 0.3, 0.02, 0.02, 0.02]
    frames = [np.full((48, 64, 3), 40 * k, np.uint8) for k in range(5)]
    film = set_gaps(write_mp4(tmp_path / "film.mp4", frames), gaps)
    shown = []
    for frame in frames_in_time(open_source(str(film)), threading.Event()):
        shown.append((time.monotonic(), round(frame.mean() / 40)))
    waited = {number: now - shown[0][0] for now, number in shown}
    assert waited[max(waited)] >= 0.3  # 0.13 s at the even rate
    assert all(now >= 0.3 for number, now in waited.items() if number >= 2)


def test_a_schedule_follows_the_gaps_and_a_new_rate_after_them():
    schedule = PlaybackSchedule(10.0, now=0.0)
    schedule.advance(1.0)
    assert schedule.due == pytest.approx(1.0) and schedule.frames_late(1.25) == 2
    schedule.advance(0.5)
    schedule.set_rate(4.0, now=1.0)
    assert schedule.due == pytest.approx(1.25)


# ---- what is plausible ----


def test_even_stamps_are_freed_of_the_rounding_of_containers():
    times = FrameTimes(30.0)
    stamps = [7.0 + round(k / 30.0, 3) for k in range(1000)]
    assert [times.add(stamp) for stamp in stamps] == [k / 30.0 for k in range(1000)]


@pytest.mark.parametrize("stamp", [0.0, 5.0, math.nan, math.inf])
def test_stamps_that_stand_still_or_are_none_give_the_declared_rate(stamp):
    times = FrameTimes(10.0)
    assert [times.add(stamp) for _ in range(40)] == pytest.approx([k / 10.0 for k in range(40)])


def test_a_stamp_far_ahead_is_taken_for_the_next_frame():
    times = FrameTimes(10.0)
    stamps = [0.0, 0.2, 0.4, 1e6, 0.6, 0.8]
    assert [times.add(s) for s in stamps] == pytest.approx([0.0, 0.2, 0.4, 0.5, 0.6, 0.8], abs=0.11)


def test_films_that_were_joined_go_on():
    times = FrameTimes(10.0)
    stamps = [0.0, 2.0, 4.0, 0.0, 2.0, 4.0]
    assert [times.add(s) for s in stamps] == pytest.approx([0.0, 2.0, 4.0, 4.1, 6.1, 8.1])


@given(st.floats(0.1, 480.0), st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30))
def test_time_moves_ahead_whatever_the_stamps_are(rate, stamps):
    times = FrameTimes(rate)
    found = [times.add(stamp) for stamp in stamps]
    assert all(math.isfinite(value) for value in found)
    assert all(later > sooner for sooner, later in pairwise(found))
    assert not found or found[-1] <= 3600.0 * len(found)
