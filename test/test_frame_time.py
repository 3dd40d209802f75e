"""Which time counts for a frame: a table of cameras, clocks and bags, and what holds for all."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expression_ros.recognition.frame_time import (
    CREEPS,
    GOES_BACK,
    JUMPS,
    NOT_STAMPED,
    STANDS_STILL,
    WHOLE_SECONDS,
    FrameTime,
)

RATE = 30
NOW = 1_700_000_000.0


def stream(stamp_at, seconds=5.0, rate=RATE, arrival_at=lambda t: t):
    """Return (stamp, arrival) of a camera, both by the time since its start."""
    times = [k / rate for k in range(round(seconds * rate))]
    return [(stamp_at(t), 1000.0 + arrival_at(t)) for t in times]


def told(frames):
    """Return the times, and the FrameTime after them."""
    frame_time = FrameTime()
    return [frame_time.seconds(*one) for one in frames], frame_time


def jitter(t):
    """Return arrival that is late by up to 60 ms, and in order."""
    return t + 0.03 + 0.03 * math.sin(30 * t)


PACES = {
    "a camera": (lambda t: NOW + t, 1.0),
    "a clock hours ahead": (lambda t: NOW + 7200 + t, 1.0),
    "a clock since power-on": (lambda t: 12.3 + t, 1.0),
    "a bag at half the rate": (lambda t: NOW + 0.5 * t, 0.5),
    "a simulation at a tenth of the pace": (lambda t: 0.1 + 0.1 * t, 0.1),
    "a simulation ten times as fast": (lambda t: 10 * t, 10.0),
}


@pytest.mark.parametrize("arrival_at", [lambda t: t, jitter], ids=["steady", "jitter"])
@pytest.mark.parametrize("name", PACES)
def test_stamps_that_move_at_any_sensible_pace_count(name, arrival_at):
    stamp_at, pace = PACES[name]
    times, frame_time = told(stream(stamp_at, arrival_at=arrival_at))
    assert frame_time.reason == "" and frame_time.trusted
    assert [b - a for a, b in pairwise(times[9:])] == pytest.approx(
        [pace / RATE] * (len(times) - 10), abs=1e-6
    )


FAULTS = {
    "no stamps": (lambda t: 0.0, NOT_STAMPED),
    "no numbers": (lambda t: math.nan, NOT_STAMPED),
    "one stamp for ever": (lambda t: NOW, STANDS_STILL),
    "whole seconds": (lambda t: math.floor(NOW + t), STANDS_STILL),
    "every second frame is new": (lambda t: NOW + math.floor(15 * t) / 15, STANDS_STILL),
    "nanoseconds as seconds": (lambda t: 1e9 * (NOW + t), JUMPS),
    "milliseconds as seconds": (lambda t: 1e3 * (NOW + t), JUMPS),
    "a counter of nanoseconds": (lambda t: NOW + 1e-4 * t, CREEPS),
    "25 times as fast": (lambda t: NOW + 25 * t, JUMPS),
    "backwards": (lambda t: NOW - t, GOES_BACK),
    "two cameras with clocks hours apart": (
        lambda t: NOW + t - 7200 * (round(RATE * t) % 2), GOES_BACK,
    ),
    "a driver whose counter starts again all the time": (lambda t: 1 + t % 0.1, GOES_BACK),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_where_stamps_are_of_no_use_arrival_counts_and_it_is_told_why(name):
    stamp_at, reason = FAULTS[name]
    times, frame_time = told(stream(stamp_at))
    reasons = {reason, JUMPS} if reason == GOES_BACK else {reason}
    assert frame_time.reason in reasons
    assert [b - a for a, b in pairwise(times[-60:])] == pytest.approx([1 / RATE] * 59)
    if name not in ("a counter of nanoseconds", "25 times as fast"):  # told after a second
        assert times[-1] - times[0] == pytest.approx(5.0, abs=0.1)


def test_a_slow_camera_that_stamps_in_whole_seconds():
    times, frame_time = told(stream(lambda t: math.floor(NOW + t), seconds=40, rate=0.7))
    assert frame_time.reason == WHOLE_SECONDS
    assert [b - a for a, b in pairwise(times[2:])] == pytest.approx([1 / 0.7] * (len(times) - 3))


def with_event(change, at=2.5, seconds=6.0):
    """Return a stream whose stamps are changed from a time on."""
    return stream(lambda t: NOW + (change(t) if t >= at else t), seconds=seconds)


@pytest.mark.parametrize("offset", [-8.0, -7200.0, -NOW])
def test_stamps_that_begin_anew_are_told_once_and_soon_count_again(offset):
    frame_time = FrameTime()
    starts = []
    for k, one in enumerate(with_event(lambda t: t + offset)):
        frame_time.seconds(*one)
        starts += [k] * frame_time.restarted
    assert len(starts) == 1 and 75 <= starts[0] <= 81
    assert frame_time.trusted and frame_time.reason == ""


@pytest.mark.parametrize("offset", [8.0, 1e6, -0.02])
def test_a_jump_ahead_or_a_small_step_back_is_no_new_start(offset):
    frame_time = FrameTime()
    for one in with_event(lambda t: t + offset):
        frame_time.seconds(*one)
        assert not frame_time.restarted
    assert frame_time.trusted


@pytest.mark.parametrize("wrong", [0.0, NOW + 1e6, NOW - 7200, math.nan])
def test_one_wrong_stamp_changes_nothing(wrong):
    frames = stream(lambda t: NOW + t)
    frames[60] = (wrong, frames[60][1])
    frame_time = FrameTime()
    times = []
    for one in frames:
        times.append(frame_time.seconds(*one))
        assert frame_time.reason == "" and not frame_time.restarted
    assert [b - a for a, b in pairwise(times)] == pytest.approx([1 / RATE] * 149, abs=1e-6)


def test_time_moves_even_where_stamps_move_by_less_than_a_float_can_tell():
    times, _ = told([(1e-20 * k, 1000.0 + k / RATE) for k in range(1, 40)])
    assert all(later > sooner for sooner, later in pairwise(times))


def test_a_paused_bag_goes_on_by_its_stamps():
    frames = stream(lambda t: NOW + t, arrival_at=lambda t: t + (10 if t >= 2 else 0))
    times, frame_time = told(frames)
    assert frame_time.trusted and not frame_time.restarted
    assert 4.9 < times[-1] - times[0] < 15.1


def test_frames_that_waited_in_a_queue_keep_the_time_of_their_stamps():
    frames = stream(lambda t: NOW + t, arrival_at=lambda t: math.ceil(5 * t) / 5 + 1e-4 * t)
    times, frame_time = told(frames)
    assert frame_time.reason == ""
    assert [b - a for a, b in pairwise(times)] == pytest.approx([1 / RATE] * 149, abs=1e-6)


@pytest.mark.parametrize(("stamp", "trusted"), [(NOW, True), (0.0, False), (math.nan, False)])
def test_a_first_stamp_counts_unless_it_is_none(stamp, trusted):
    frame_time = FrameTime()
    assert frame_time.seconds(stamp, 1000.0) == 1000.0
    assert frame_time.trusted == trusted


stamps = st.floats(allow_nan=True) | st.sampled_from((0.0, NOW, NOW + 1, NOW + 0.5, -5.0))
arrivals = st.floats(0.0, 5.0) | st.sampled_from((0.0, 1e-9, 1 / RATE))


@settings(max_examples=300)
@given(st.lists(st.tuples(stamps, arrivals), max_size=40), st.floats(0.06, 15))
def test_whatever_came_time_moves_on_and_good_stamps_count_soon(steps, pace):
    frame_time = FrameTime()
    arrival, times = 0.0, []
    for stamp, passed in steps:
        arrival += passed
        times.append(frame_time.seconds(stamp, arrival))
    for k in range(75):
        arrival += 1 / RATE
        times.append(frame_time.seconds(NOW + 0.25 + pace * k / RATE, arrival))
    assert all(later > sooner for sooner, later in pairwise(times))
    assert all(math.isfinite(time) for time in times)
    assert frame_time.trusted
    assert frame_time.reason == ""
    assert times[-1] - times[-31] == pytest.approx(pace, rel=1e-3)
    # Standing still ends within a frame, wherever it begins.
    for _ in range(30):
        arrival += 1 / RATE
        times.append(frame_time.seconds(NOW, arrival))
    assert times[-1] - times[-30] == pytest.approx(29 / RATE, rel=1e-3)
    assert frame_time.reason == STANDS_STILL
