"""Ids of faces: five letters, the same for the same face, never given to another one."""

from __future__ import annotations

import re

from expression_ros.recognition.ros4hri import PresentFaces, face_name


def test_ids_are_five_letters_and_do_not_repeat():
    names = [face_name(number, "recognizer") for number in range(1, 20_001)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z]{5}", name) for name in names)


def test_ids_are_the_same_in_every_run_and_others_for_another_camera():
    assert face_name(7, "/front/recognizer") == face_name(7, "/front/recognizer")
    front = {face_name(number, "/front/recognizer") for number in range(1, 100)}
    left = {face_name(number, "/left/recognizer") for number in range(1, 100)}
    assert not front & left


def test_the_step_reaches_every_id():
    from math import gcd

    from expression_ros.recognition import ros4hri as face_names

    assert gcd(face_names._STEP, face_names._COUNT) == 1


def test_ids_appear_and_vanish_with_the_tracks():
    present = PresentFaces(keep_s=0.5)
    assert present.update([], 0.0) == []
    first = present.update([1], 0.1)
    both = present.update([2, 1], 0.2)
    assert len(both) == 2 and both[:1] == first
    assert present.update([2], 0.3) == both  # not seen for a moment: still there
    assert present.update([2], 0.8) == both[1:]
    assert present.update([], 1.4) == []


def test_a_tracker_that_starts_anew_gets_new_ids():
    present = PresentFaces()
    given = present.update([1, 2, 3], 5.0)
    after_loop = present.update([1], 0.0)  # time went back: the tracker counts from 1 again
    assert not set(after_loop) & set(given)
    assert present.update([1], 0.1) == after_loop
    present.restart()
    after_restart = present.update([1, 2], 0.2)
    assert not set(after_restart) & {*given, *after_loop}


def test_after_a_silent_camera_a_track_keeps_its_id():
    present = PresentFaces()
    (name,) = present.update([4], 1.0)
    present.clear()
    assert present.update([], 1.1) == []
    assert present.update([4], 1.2) == [name]


def test_time_that_goes_back_while_the_camera_was_silent_is_noticed():
    present = PresentFaces()
    given = present.update([1], 9.0)
    present.clear()
    assert not set(present.update([1], 1.0)) & set(given)
