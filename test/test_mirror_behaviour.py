"""Which expression is shown when, told with a clock of the test's own."""

from __future__ import annotations

import random

import pytest

from expression_ros.mirroring.behaviour import INTENSITY_STEP, WEAKEST, Command, MirrorBehaviour
from expression_ros.mirroring.robot_table import Output, Robot, load_robot
from expression_ros.mirroring.styles import load_style
from expression_ros.vocabulary import EMOTIONS

ROBOT = load_robot("virtual_face")


@pytest.fixture
def mirror():
    return MirrorBehaviour(ROBOT, min_hold=0.5, neutral_after=2.0)


def tick(mirror: MirrorBehaviour, now: float) -> str | None:
    """Return the new word, if there is one."""
    command = mirror.tick(now)
    assert command is None or command.is_new
    return command and command.expression


def show(mirror: MirrorBehaviour, label: str, now: float) -> str | None:
    mirror.label_received(label, now)
    return tick(mirror, now)


def test_starts_neutral(mirror):
    assert mirror.expression == "neutral"
    assert tick(mirror, 0.0) is None


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
    assert tick(mirror, 0.5) == "angry"


def test_newest_label_counts_when_the_hold_ends(mirror):
    show(mirror, "happiness", 0.0)
    show(mirror, "anger", 0.1)
    show(mirror, "sadness", 0.2)
    assert tick(mirror, 0.5) == "sad"


def test_flicker_within_the_hold_changes_nothing(mirror):
    show(mirror, "happiness", 0.0)
    show(mirror, "anger", 0.1)
    show(mirror, "happiness", 0.2)
    assert tick(mirror, 0.6) is None
    assert mirror.expression == "smile"


def test_silence_returns_to_neutral(mirror):
    show(mirror, "happiness", 10.0)
    assert tick(mirror, 11.9) is None
    assert tick(mirror, 12.0) == "neutral"
    assert tick(mirror, 99.0) is None


def test_repeated_label_keeps_the_expression(mirror):
    for step in range(100):
        show(mirror, "happiness", step * 0.1)
    assert mirror.expression == "smile"


def test_hold_longer_than_the_silence_wins():
    mirror = MirrorBehaviour(ROBOT, min_hold=5.0, neutral_after=1.0)
    show(mirror, "happiness", 0.0)
    assert tick(mirror, 4.9) is None
    assert tick(mirror, 5.0) == "neutral"


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
    assert tick(mirror, 0.3) is None


def test_flood_of_unknown_words_does_not_fill_the_memory(mirror):
    reports = [mirror.label_received(f"{n} " + "x" * 10_000, 0.0) for n in range(10_000)]
    assert sum(report is not None for report in reports) == 100
    assert len(mirror.unknown_words) <= 101
    assert sum(mirror.unknown_words.values()) == 10_000
    assert max(map(len, mirror.unknown_words)) <= 40


def test_disable_returns_to_neutral_at_once_and_ignores_labels(mirror):
    show(mirror, "happiness", 0.0)
    mirror.disable()
    assert tick(mirror, 0.01) == "neutral"
    assert show(mirror, "anger", 1.0) is None
    assert mirror.expression == "neutral"
    assert mirror.labels_received == 1
    mirror.enable()
    assert tick(mirror, 1.1) is None
    assert show(mirror, "anger", 1.2) == "angry"


@pytest.mark.parametrize("back_to", [-5.0, 0.0, 99.9])
def test_clock_that_goes_back_restarts_the_timers(mirror, back_to):
    show(mirror, "happiness", 100.0)
    assert tick(mirror, back_to) is None
    assert mirror.expression == "smile"
    assert show(mirror, "anger", back_to + 0.01) == "angry"
    assert tick(mirror, back_to + 2.02) == "neutral"


def test_clock_that_goes_back_in_silence_still_ends_in_neutral(mirror):
    show(mirror, "happiness", 100.0)
    tick(mirror, 1.0)
    assert tick(mirror, 2.9) is None
    assert tick(mirror, 3.0) == "neutral"


def test_robot_can_be_exchanged_while_it_shows_something(mirror):
    words = {emotion: f"QT/{emotion}" for emotion in EMOTIONS}
    show(mirror, "happiness", 0.0)
    mirror.set_robot(Robot("qt", "", words, (Output("label", "show"),)))
    assert mirror.expression == "QT/happiness"
    assert tick(mirror, 0.1) is None
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
    assert tick(mirror, 0.3) == "neutral"


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


# Cool-down


def test_expression_cools_down_before_it_is_shown_again():
    mirror = MirrorBehaviour(ROBOT, min_hold=0.0, neutral_after=60.0, cooldown=3.0)
    assert show(mirror, "happiness", 0.0) == "smile"
    assert show(mirror, "anger", 1.0) == "angry"  # the smile ends here
    assert show(mirror, "happiness", 2.0) == "neutral"
    assert tick(mirror, 3.99) is None
    assert tick(mirror, 4.0) == "smile"  # still wanted


def test_each_expression_cools_down_for_itself_and_neutral_never():
    mirror = MirrorBehaviour(ROBOT, min_hold=0.0, neutral_after=60.0, cooldown=10.0)
    words = [show(mirror, label, now) for now, label in enumerate(
        ["happiness", "neutral", "anger", "neutral", "sadness", "anger"])]  # fmt: skip
    assert words == ["smile", "neutral", "angry", "neutral", "sad", "neutral"]


def test_clock_that_goes_back_forgets_what_was_cooling_down():
    mirror = MirrorBehaviour(ROBOT, min_hold=0.0, neutral_after=60.0, cooldown=30.0)
    show(mirror, "happiness", 100.0)
    show(mirror, "anger", 101.0)  # the smile ends here
    assert show(mirror, "happiness", 102.0) == "neutral"
    assert show(mirror, "happiness", 1.0) == "smile"


def test_another_robot_has_nothing_to_cool_down():
    mirror = MirrorBehaviour(ROBOT, min_hold=0.0, neutral_after=60.0, cooldown=30.0)
    show(mirror, "happiness", 0.0)
    show(mirror, "anger", 1.0)
    mirror.set_robot(load_robot("virtual_face"))
    assert show(mirror, "happiness", 2.0) == "smile"


def test_expression_that_is_shown_does_not_cool_down():
    mirror = MirrorBehaviour(ROBOT, min_hold=0.0, neutral_after=60.0, cooldown=10.0)
    show(mirror, "happiness", 0.0)
    assert show(mirror, "happiness", 1.0) is None
    assert mirror.expression == "smile"


# Intensity


def graded(**values) -> MirrorBehaviour:
    return MirrorBehaviour(ROBOT, **{"min_hold": 0.0, "neutral_after": 60.0, "full_score": 0.8,
                                     **values})  # fmt: skip


def see(mirror: MirrorBehaviour, label: str, score: float, now: float) -> Command | None:
    """Let a frame's scores and label arrive, in this order."""
    mirror.scores_received({label: score, "fear": 0.0}, now)
    mirror.label_received(label, now)
    return mirror.tick(now)


@pytest.mark.parametrize(
    ("score", "intensity"), [(0.0, WEAKEST), (0.4, 0.5), (0.6, 0.75), (0.8, 1.0), (1.0, 1.0)]
)
def test_intensity_follows_the_score(score, intensity):
    command = see(graded(), "happiness", score, 1.0)
    assert command == Command("smile", pytest.approx(intensity), 0.0, True)


def test_intensity_is_full_without_scores_and_with_full_score_zero():
    mirror = graded()
    mirror.label_received("happiness", 0.0)
    assert mirror.tick(0.0).intensity == 1.0
    assert see(graded(full_score=0.0), "happiness", 0.1, 0.0).intensity == 1.0


@pytest.mark.parametrize(("age", "intensity"), [(0.0, 0.5), (0.3, 0.5), (0.7, 1.0), (10.0, 1.0)])
def test_old_scores_say_nothing_about_a_new_label(age, intensity):
    mirror = graded()
    mirror.scores_received({"happiness": 0.4}, 20.0)
    mirror.label_received("happiness", 20.0 + age)
    assert mirror.tick(20.0 + age).intensity == pytest.approx(intensity)


def test_scores_of_the_frame_before_say_nothing_about_a_label_of_this_one():
    mirror = graded()
    mirror.scores_received({"happiness": 0.4}, 0.0)
    mirror.scores_received({"anger": 0.4}, 0.1)
    mirror.label_received("happiness", 0.1)
    assert mirror.tick(0.1).intensity == 1.0


def test_robot_that_is_exchanged_shows_the_expression_as_strongly():
    mirror = graded()
    see(mirror, "happiness", 0.4, 0.0)
    words = {emotion: f"QT/{emotion}" for emotion in EMOTIONS}
    mirror.set_robot(Robot("qt", "", words, (Output("label", "show"),)))
    assert mirror.command == Command("QT/happiness", pytest.approx(0.5))
    assert see(mirror, "happiness", 0.4, 0.1) is None


def test_stronger_score_makes_the_expression_stronger_in_steps():
    mirror = graded(min_hold=0.5, attack=0.7)
    assert see(mirror, "happiness", 0.4, 0.0).intensity == pytest.approx(0.5)
    assert see(mirror, "happiness", 0.44, 1.0) is None  # a small change is no movement
    assert see(mirror, "happiness", 0.8, 2.0) == Command("smile", 1.0, 0.7, False)
    assert see(mirror, "happiness", 0.4, 2.1) is None  # held
    assert mirror.tick(2.5) == Command("smile", pytest.approx(0.5), 0.7, False)


def test_scores_that_are_no_shares_are_counted_and_ignored():
    mirror = graded()
    mirror.scores_received({"happiness": float("nan"), "anger": 1.5, "foo": 0.5, "": -1}, 0.0)
    assert mirror.bad_scores == 4
    mirror.label_received("happiness", 0.0)
    assert mirror.tick(0.0).intensity == 1.0


def test_neutral_has_no_intensity():
    mirror = graded()
    see(mirror, "happiness", 0.8, 0.0)
    assert see(mirror, "neutral", 0.3, 1.0) == Command("neutral")


# Attack and release


def test_change_takes_attack_and_the_way_back_release():
    mirror = MirrorBehaviour(ROBOT, 0.0, 1.0, attack=0.2, release=1.5)
    mirror.label_received("happiness", 0.0)
    assert mirror.tick(0.0) == Command("smile", 1.0, 0.2, True)
    assert mirror.tick(1.0) == Command("neutral", 1.0, 1.5, True)


# Styles


def test_empathic_style_answers_anger_with_concern():
    mirror = MirrorBehaviour(ROBOT, 0.0, 60.0, style=load_style("empathic"))
    assert show(mirror, "anger", 0.0) == "concerned"
    assert mirror.emotion == "anger"
    assert show(mirror, "sadness", 1.0) is None  # concern as well
    assert show(mirror, "happiness", 2.0) == "smile"
    assert show(mirror, "contempt", 3.0) == "neutral"


def test_style_that_smiles_at_a_neutral_face_leaves_the_robot_neutral_when_alone(tmp_path):
    own = tmp_path / "cheerful.yaml"
    own.write_text("name: cheerful\nanswers: {neutral: happiness}\n", encoding="utf-8")
    mirror = MirrorBehaviour(ROBOT, 0.0, 2.0, style=load_style(str(own)))
    assert tick(mirror, 0.0) is None
    assert show(mirror, "neutral", 1.0) == "smile"
    assert tick(mirror, 3.0) == "neutral"
    show(mirror, "neutral", 4.0)
    mirror.disable()
    assert tick(mirror, 4.1) == "neutral"


def test_style_changes_what_is_shown_at_once():
    mirror = MirrorBehaviour(ROBOT, min_hold=10.0, neutral_after=60.0)
    assert show(mirror, "anger", 0.0) == "angry"
    mirror.set_style(load_style("empathic"))
    assert tick(mirror, 0.1) == "concerned"
    mirror.set_style(load_style("mirror"))
    assert tick(mirror, 0.2) == "angry"


def test_robot_without_a_face_for_concern_shows_its_sad_one():
    words = {emotion: f"QT/{emotion}" for emotion in EMOTIONS}
    robot = Robot("qt", "", words, (Output("label", "show"),))
    mirror = MirrorBehaviour(robot, 0.0, 60.0, style=load_style("empathic"))
    assert show(mirror, "anger", 0.0) == "QT/sadness"


def test_no_sequence_of_scores_breaks_the_hold_or_moves_for_little():
    draw = random.Random(11)
    for _ in range(200):
        hold = draw.uniform(0, 1)
        mirror = graded(min_hold=hold, neutral_after=2.0, cooldown=draw.choice([0.0, 1.0]))
        now, last, before = 0.0, -10.0, mirror.command
        for _ in range(80):
            now += draw.choice([0.0, 0.02, 0.3, 1.0])
            label = draw.choice(["happiness", "anger", "unknown", "neutral"])
            command = see(mirror, label, draw.choice([draw.random(), 0.0, 1.0]), now)
            if command is None:
                continue
            assert now - last >= hold
            assert WEAKEST <= command.intensity <= 1.0
            assert command.is_new == (command.expression != before.expression)
            if not command.is_new:
                assert abs(command.intensity - before.intensity) > INTENSITY_STEP - 1e-6
            last, before = now, command
