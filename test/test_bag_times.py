"""Stamps of a bag count while they move plausibly against the time at which it was recorded."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expression_ros.recordings.bag_images import BagTimes

SECOND = 1_000_000_000
START, STEP = 1_700_000_000_123_456_789, 33_333_333


def times_of(stamps, step=STEP):
    """Return the times of images that were recorded evenly, and their judge."""
    times = BagTimes()
    return [times.add(stamp, START + 5 + k * step) for k, stamp in enumerate(stamps)], times


def test_plausible_stamps_count_to_the_nanosecond():
    stamps = [START + k * STEP + (k % 3) * 1_000_001 for k in range(200)]
    times, judge = times_of(stamps)
    assert times == stamps and judge.remark() == ""


def test_one_stamp_far_ahead_lengthens_a_recording_by_nothing():
    stamps = [START + k * STEP for k in range(60)]
    stamps[30] += 1_000_000 * SECOND
    times, judge = times_of(stamps)
    assert times[-1] - times[0] == pytest.approx(59 * STEP, abs=2 * STEP)
    assert "of 60 images" in judge.remark() and "time of recording counts" in judge.remark()


@pytest.mark.parametrize("stamp", [0, START, 1])
def test_stamps_that_are_zero_or_stand_still_give_way_to_the_time_of_recording(stamp):
    times, judge = times_of([stamp] * 60)
    assert times[-1] - times[0] == pytest.approx(59 * STEP, abs=STEP)
    assert ("zero" if not stamp else "still") in judge.remark()


def test_a_bag_that_begins_again_begins_anew():
    stamps = [START + k * STEP for k in range(60)]
    times, anew = BagTimes(), []
    for k, stamp in enumerate([*stamps, *stamps]):
        times.add(stamp, START + k * STEP)
        anew.append(times.restarted)
    assert sum(anew) == 1 and 60 <= anew.index(True) < 70


@given(st.lists(st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)), max_size=30))
def test_time_moves_ahead_whatever_a_bag_holds(entries):
    times = BagTimes()
    found = [times.add(stamp, recorded) for stamp, recorded in entries]
    assert all(later > sooner for sooner, later in pairwise(found))
