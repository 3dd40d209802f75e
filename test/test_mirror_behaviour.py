"""Which expression is shown when, told with a clock of the test's own."""

from __future__ import annotations

import random

import pytest

from expression_ros.mirroring.behaviour import MirrorBehaviour
from expression_ros.mirroring.robot_table import Output, Robot, load_robot
from expression_ros.vocabulary import EMOTIONS

ROBOT = load_robot("virtual_face")


@pytest.fixture
def mirror():
    return MirrorBehaviour(ROBOT, min_hold=0.5, neutral_after=2.0)


def show(mirror: MirrorBehaviour, label: str, now: float) -> str | None:
    mirror.label_received(label, now)
    return mirror.tick(now)


def test_starts_neutral(mirror):
    assert mirror.expression == "neutral"
    assert mirror.tick(0.0) is None


@pytest.mark.parametrize("emotion", EMOTIONS[1:])
def test_every_emotion_is_answered_at_once(mirror, emotion):
    assert show(mirror, emotion, 100.0) == ROBOT.expressions[emotion]
    assert mirror.emotion == emotion


def test_alias_is_answered_like_the_label(mirror):
    assert show(mirror, " Happy", 0.0) == "smile"


def test_change_is_reported_once(mirror):
    assert show(mirror, "happiness", 0.0) == "smile"
    assert show(mirror, "happiness", 1.0) is None


def test_expression_is_held_for_min_hold(mirror):
    show(mirror, "happiness", 0.0)
    assert show(mirror, "anger", 0.1) is None
    assert show(mirror, "anger", 0.49) is None
    assert mirror.expression == "smile"
    assert mirror.tick(0.5) == "angry"


def test_newest_label_counts_when_the_hold_ends(mirror):
    show(mirror, "happiness", 0.0)
    show(mirror, "anger", 0.1)
    show(mirror, "sadness", 0.2)
    assert mirror.tick(0.5) == "sad"


def test_flicker_within_the_hold_changes_nothing(mirror):
    show(mirror, "happiness", 0.0)
    show(mirror, "anger", 0.1)
    show(mirror, "happiness", 0.2)
    assert mirror.tick(0.6) is None
    assert mirror.expression == "smile"


def test_silence_returns_to_neutral(mirror):
    show(mirror, "happiness", 10.0)
    assert mirror.tick(11.9) is None
    assert mirror.tick(12.0) == "neutral"
    assert mirror.tick(99.0) is None


def test_repeated_label_keeps_the_expression(mirror):
    for step in range(100):
        show(mirror, "happiness", step * 0.1)
    assert mirror.expression == "smile"


def test_hold_longer_than_the_silence_wins():
    mirror = MirrorBehaviour(ROBOT, min_hold=5.0, neutral_after=1.0)
    show(mirror, "happiness", 0.0)
    assert mirror.tick(4.9) is None
    assert mirror.tick(5.0) == "neutral"


def test_unknown_keeps_the_expression_until_neutral_after(mirror):
    show(mirror, "happiness", 0.0)
    for step in range(1, 20):
        assert show(mirror, "unknown", step * 0.1) is None
    assert mirror.expression == "smile"
    assert show(mirror, "unknown", 2.0) == "neutral"
    assert mirror.unknown_labels == 20


def test_unknown_word_is_reported_once_and_counted_always(mirror):
    assert mirror.label_received("foo", 0.0) == "foo"
    assert mirror.label_received("foo", 0.1) is None
    assert mirror.label_received("", 0.2) == ""
    assert mirror.unknown_words == {"foo": 2, "": 1}
    assert mirror.labels_received == 3
    assert mirror.tick(0.3) is None


def test_flood_of_unknown_words_does_not_fill_the_memory(mirror):
    reports = [mirror.label_received(f"{n} " + "x" * 10_000, 0.0) for n in range(10_000)]
    assert sum(report is not None for report in reports) == 100
    assert len(mirror.unknown_words) <= 101
    assert sum(mirror.unknown_words.values()) == 10_000
    assert max(map(len, mirror.unknown_words)) <= 40


def test_disable_returns_to_neutral_at_once_and_ignores_labels(mirror):
    show(mirror, "happiness", 0.0)
    mirror.disable()
    assert mirror.tick(0.01) == "neutral"
    assert show(mirror, "anger", 1.0) is None
    assert mirror.expression == "neutral"
    assert mirror.labels_received == 1
    mirror.enable()
    assert mirror.tick(1.1) is None
    assert show(mirror, "anger", 1.2) == "angry"


@pytest.mark.parametrize("back_to", [-5.0, 0.0, 99.9])
def test_clock_that_goes_back_restarts_the_timers(mirror, back_to):
    show(mirror, "happiness", 100.0)
    assert mirror.tick(back_to) is None
    assert mirror.expression == "smile"
    assert show(mirror, "anger", back_to + 0.01) == "angry"
    assert mirror.tick(back_to + 2.02) == "neutral"


def test_clock_that_goes_back_in_silence_still_ends_in_neutral(mirror):
    show(mirror, "happiness", 100.0)
    mirror.tick(1.0)
    assert mirror.tick(2.9) is None
    assert mirror.tick(3.0) == "neutral"


def test_robot_can_be_exchanged_while_it_shows_something(mirror):
    words = {emotion: f"QT/{emotion}" for emotion in EMOTIONS}
    show(mirror, "happiness", 0.0)
    mirror.set_robot(Robot("qt", "", words, (Output("label", "show"),)))
    assert mirror.expression == "QT/happiness"
    assert mirror.tick(0.1) is None
    assert show(mirror, "anger", 0.6) == "QT/anger"


def test_two_emotions_with_one_word_are_no_change():
    words = {emotion: "same" for emotion in EMOTIONS} | {"happiness": "smile"}
    mirror = MirrorBehaviour(Robot("two", "", words, (Output("label", "t"),)), 1.0, 2.0)
    assert show(mirror, "anger", 0.0) is None
    assert mirror.emotion == "anger"
    assert show(mirror, "happiness", 0.1) == "smile"


def test_times_can_be_changed_at_any_time(mirror):
    show(mirror, "happiness", 0.0)
    mirror.min_hold = 0.0
    assert show(mirror, "anger", 0.1) == "angry"
    mirror.neutral_after = 0.1
    assert mirror.tick(0.3) == "neutral"


def test_no_sequence_of_labels_breaks_the_hold_or_the_silence():
    draw = random.Random(7)
    words = [*EMOTIONS, "unknown", "foo"]
    for _ in range(300):
        hold, silence = draw.uniform(0, 1), draw.uniform(0.1, 3)
        mirror = MirrorBehaviour(ROBOT, hold, silence)
        now, changed, named = 0.0, -10.0, -10.0
        for _ in range(60):
            now += draw.choice([0.0, 0.02, 0.3, 2.0])
            if draw.random() < 0.5:
                word = draw.choice(words)
                mirror.label_received(word, now)
                named = now if word in EMOTIONS else named
            if mirror.tick(now) is not None:
                assert now - changed >= hold
                changed = now
            if now - max(named, changed - hold) >= silence + hold:
                assert mirror.expression == "neutral"
