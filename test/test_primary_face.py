"""Whom the robot answers when several people are in view."""

from __future__ import annotations

import math

import numpy as np
import pytest

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.tracking import Candidate, PrimaryFaceSelector

SIZE = (640, 480)


def face(number: int, side: int = 100, x: int = 0, since: float = 0.0) -> Candidate:
    return Candidate(number, Box(x, 190, side, side), since)


def chosen(selector: PrimaryFaceSelector, frames, begin: float = 0.0, step: float = 0.1):
    """Return whom the selector chose in each frame; a frame is a list of faces."""
    return [selector.choose(faces, SIZE, begin + step * k) for k, faces in enumerate(frames)]


def test_largest_face_is_chosen_at_once():
    assert PrimaryFaceSelector().choose([face(1, 80), face(2, 120)], SIZE, 0.0) == 2


def test_nobody_in_view_is_nobody():
    assert PrimaryFaceSelector().choose([], SIZE, 0.0) is None


def test_two_faces_of_about_equal_size_do_not_take_turns():
    frames = [[face(1, 100 + 5 * (-1) ** k), face(2, 101)] for k in range(40)]
    assert set(chosen(PrimaryFaceSelector(), frames)) == {1}


def test_clearly_larger_face_takes_over_after_half_a_second_and_not_before():
    selector = PrimaryFaceSelector()
    assert chosen(selector, [[face(1)]] * 3) == [1, 1, 1]
    answers = chosen(selector, [[face(1), face(2, 160)]] * 8, begin=0.3)
    assert answers == [1, 1, 1, 1, 1, 2, 2, 2]


def test_one_frame_of_somebody_close_by_changes_nothing():
    frames = [[face(1)]] * 3 + [[face(1), face(2, 300)]] * 2 + [[face(1), face(2, 90)]] * 10
    assert set(chosen(PrimaryFaceSelector(), frames)) == {1}


def test_leads_that_were_interrupted_do_not_add_up():
    close, further = [face(1), face(2, 300)], [face(1), face(2, 90)]
    frames = [[face(1)], close, close, *[further] * 6, close, close]
    assert set(chosen(PrimaryFaceSelector(), frames)) == {1}


def test_a_lead_over_somebody_who_left_is_no_lead_over_who_followed():
    first, rival, next_one = face(1), face(2, 160), face(3, 100)
    frames = [[first], [first, rival], *[[next_one]] * 5, [next_one, rival], [next_one, rival]]
    answers = chosen(PrimaryFaceSelector(), frames)
    assert answers[:2] == [1, 1]
    assert answers[-3:] == [3, 3, 3]


@pytest.mark.parametrize("begin", [0.0, 1.7e9])
def test_face_that_one_frame_misses_is_waited_for(begin):
    frames = [[face(1, 120), face(2)], [face(2)], [face(2)], [face(1, 120), face(2)]]
    assert chosen(PrimaryFaceSelector(), frames, begin) == [1, None, None, 1]


def test_face_that_is_a_little_larger_never_takes_over():
    frames = [[face(1)]] + [[face(1), face(2, 112)]] * 30
    assert set(chosen(PrimaryFaceSelector(), frames)) == {1}


@pytest.mark.parametrize(("gain", "takes_over"), [(55, False), (70, True)])
def test_face_nearer_to_the_centre_takes_over_from_a_tenth_of_the_width_on(gain, takes_over):
    first = face(1, x=500)
    nearer = face(2, x=500 - gain)
    frames = [[first]] + [[first, nearer]] * 10
    assert (chosen(PrimaryFaceSelector("centre"), frames)[-1] == 2) == takes_over


def test_nearest_to_the_centre_is_measured_from_centre_to_centre():
    rng = np.random.default_rng(3)
    for _ in range(200):
        boxes = [Box(*(int(v) for v in rng.integers(20, 300, 4))) for _ in range(3)]
        faces = [Candidate(number, box, 0.0) for number, box in enumerate(boxes)]
        away = [math.dist(box.centre, (320, 240)) for box in boxes]
        chosen_face = PrimaryFaceSelector("centre").choose(faces, SIZE, 0.0)
        assert away[chosen_face] == min(away)


def test_face_that_is_gone_is_followed_by_another():
    frames = [[face(1, 120), face(2)]] + [[face(2)]] * 7
    assert chosen(PrimaryFaceSelector(), frames)[-1] == 2


def test_centre_and_longest():
    faces = [face(1, 200, x=0, since=5.0), face(2, 80, x=280, since=2.0), face(3, 90, since=1.0)]
    assert PrimaryFaceSelector("centre").choose(faces, SIZE, 9.0) == 2
    assert PrimaryFaceSelector("longest").choose(faces, SIZE, 9.0) == 3


def test_centre_has_hysteresis_too():
    frames = [[face(1, x=260 + 20 * (-1) ** k), face(2, x=290)] for k in range(30)]
    assert len(set(chosen(PrimaryFaceSelector("centre"), frames))) == 1


def test_face_by_id_or_nobody():
    selector = PrimaryFaceSelector("id", 2)
    assert chosen(selector, [[face(1, 200), face(2)], [face(1, 200)]]) == [2, None]
    selector.wanted_id = 1
    assert selector.choose([face(1)], SIZE, 1.0) == 1


@pytest.mark.parametrize("rule", ["centre", "longest"])
def test_rule_changed_while_running_takes_over_within_half_a_second(rule):
    selector = PrimaryFaceSelector()
    faces = [face(1, 200, x=0, since=1.0), face(2, 80, x=280, since=0.0)]
    assert chosen(selector, [faces] * 3) == [1, 1, 1]
    selector.rule = rule
    assert chosen(selector, [faces] * 7, begin=0.3)[-1] == 2


@pytest.mark.parametrize("rule", ["largest", "centre", "longest"])
def test_time_that_goes_back_starts_anew(rule):
    selector = PrimaryFaceSelector(rule)
    assert chosen(selector, [[face(1)]] * 3, begin=100.0) == [1, 1, 1]
    assert selector.choose([face(7)], SIZE, 1.0) == 7
