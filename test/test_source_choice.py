"""Which of several cameras is answered: pure arithmetic of scores and seconds."""

from __future__ import annotations

import math

import pytest

from expression_ros.mirroring.source_choice import SMOOTHING_S, SourceChoice, source_names

MARGIN = 0.15
TIMEOUT = 0.5


@pytest.fixture
def choice():
    return SourceChoice(["front", "left"], MARGIN, TIMEOUT)


def say(choice, name, score, now, label="happiness"):
    if score is not None:
        choice.scores_received(name, {label: score, "neutral": 1 - score}, now)
    choice.label_received(name, label, now)
    return choice.choose(now)


def watch(choice, begin, end, **scores):
    """Let each source say its score 30 times a second; return who is chosen at the end."""
    for k in range(round(30 * (end - begin)) + 1):
        for name, score in scores.items():
            say(choice, name, score, begin + k / 30)
    return choice.chosen


def test_nobody_is_chosen_before_a_label_and_after_a_silence(choice):
    assert choice.choose(0.0) is None
    assert say(choice, "left", 0.8, 1.0) == "left"
    assert choice.choose(1.0 + TIMEOUT) == "left"
    assert choice.choose(1.01 + TIMEOUT) is None
    assert choice.label("left", 2.0) == "" and choice.score("left", 2.0) is None


def test_the_surest_is_chosen(choice):
    assert watch(choice, 0.0, 2.0, front=0.5, left=0.9) == "left"


def test_a_small_lead_changes_nothing(choice):
    assert watch(choice, 0.0, 5.0, front=0.8, left=0.8 + MARGIN - 0.01) == "front"
    assert choice.switches == 0


def test_one_sure_frame_of_a_newcomer_changes_nothing(choice):
    watch(choice, 0.0, 2.0, front=0.6)
    assert say(choice, "left", 1.0, 2.0) == "front"
    assert say(choice, "left", 1.0, 2.03) == "front"


def test_two_cameras_that_see_the_same_face_do_not_hop(choice):
    chosen = set()
    for k in range(300):  # ten seconds of noise in turn, far above the margin
        now = k / 30
        chosen.add(say(choice, "front", 0.6 + 0.3 * (k % 2), now))
        chosen.add(say(choice, "left", 0.9 - 0.3 * (k % 2), now))
    assert len(chosen) == 1 and choice.switches == 0


def test_a_lasting_lead_takes_over_once(choice):
    assert watch(choice, 0.0, 1.0, front=0.6, left=0.6) == "front"
    assert watch(choice, 1.0, 3.0, front=0.6, left=0.95) == "left"
    assert choice.switches == 1


def test_scores_are_averaged_over_time(choice):
    say(choice, "front", 0.9, 0.0)
    say(choice, "front", 0.9, 0.1)
    once = 1 - math.exp(-0.1 / SMOOTHING_S)
    assert choice.score("front", 0.1) == pytest.approx(once * 0.9)
    watch(choice, 0.1, 5.0, front=0.9)
    assert choice.score("front", 5.0) == pytest.approx(0.9, abs=0.001)


def test_after_a_silence_a_face_starts_anew(choice):
    watch(choice, 0.0, 2.0, front=1.0)
    say(choice, "front", 0.6, 10.0)
    assert choice.score("front", 10.0) == 0.0


def test_the_other_takes_over_from_one_that_falls_silent(choice):
    say(choice, "front", 0.9, 0.0)
    assert say(choice, "left", 0.6, 0.4) == "front"
    assert say(choice, "left", 0.6, TIMEOUT + 0.1) == "left"
    assert choice.switches == 1


def test_who_tells_no_scores_is_answered_when_alone(choice):
    assert say(choice, "front", None, 0.0) == "front"
    assert say(choice, "left", 0.4, 0.1) == "left"
    assert say(choice, "front", None, 0.2) == "left"


def test_scores_that_are_no_numbers_do_not_count(choice):
    choice.scores_received("front", {"happiness": math.nan, "neutral": 0.4}, 0.0)
    choice.scores_received("front", {"happiness": math.nan, "neutral": 0.4}, 0.4)
    before = choice.score("front", 0.4)
    assert 0.0 < before < 0.4
    choice.scores_received("front", {"happiness": math.nan}, 0.5)
    choice.scores_received("front", {}, 0.5)
    assert choice.score("front", 0.5) == before


def test_a_clock_that_goes_back_is_a_silence(choice):
    say(choice, "front", 0.9, 5.0)
    assert choice.choose(1.0) is None
    assert say(choice, "left", 0.3, 1.0) == "left"


def test_names_are_read_in_order():
    assert source_names("front, left,robot_1/rear,") == ["front", "left", "robot_1/rear"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        (" , ", "it is empty"),
        ("front,front", "'front' is named twice"),
        ("1st", "'1st' cannot be a namespace"),
        ("/front", "'/front' cannot be a namespace"),
        ("front left", "'front left' cannot be a namespace"),
        ("front//left", "cannot be a namespace"),
    ],
)
def test_names_that_cannot_be_say_why(text, words):
    with pytest.raises(ValueError, match=words):
        source_names(text)
