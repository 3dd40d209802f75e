"""Scores become valence and arousal, and labels the words of ROS4HRI."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_robots_shipped import HRI_WORDS

from expression_ros.mirroring.robot_table import load_robot
from expression_ros.recognition.ros4hri import COORDINATES, hri_word, valence_and_arousal
from expression_ros.vocabulary import EMOTIONS, UNKNOWN


def test_every_emotion_has_its_place_in_the_plane():
    assert set(COORDINATES) == set(EMOTIONS)
    assert COORDINATES["neutral"] == (0.0, 0.0)
    valence = {label: place[0] for label, place in COORDINATES.items()}
    arousal = {label: place[1] for label, place in COORDINATES.items()}
    assert min(valence["happiness"], valence["surprise"]) > 0
    assert max(valence[label] for label in ("anger", "contempt", "disgust", "fear", "sadness")) < 0
    assert arousal["sadness"] < 0 < min(arousal["anger"], arousal["fear"], arousal["surprise"])


@pytest.mark.parametrize("label", EMOTIONS)
def test_a_sure_label_lies_where_it_was_rated(label):
    assert valence_and_arousal({label: 1.0}) == pytest.approx(COORDINATES[label])


def test_doubt_lies_between_the_labels():
    valence, arousal = valence_and_arousal({"happiness": 0.5, "neutral": 0.5})
    assert (valence, arousal) == pytest.approx((0.405, 0.255))
    even = valence_and_arousal(dict.fromkeys(EMOTIONS, 1 / 8))
    assert all(-1 <= value <= 1 for value in even)


def test_weights_need_not_add_to_one():
    once = valence_and_arousal({"anger": 0.2, "fear": 0.1})
    assert valence_and_arousal({"anger": 2.0, "fear": 1.0}) == pytest.approx(once)


@pytest.mark.parametrize(
    "scores", [{}, {"anger": 0.0}, {"envy": 1.0}, {"unknown": 1.0}, {"anger": float("nan")}]
)
def test_where_nothing_counts_is_the_middle(scores):
    assert valence_and_arousal(scores) == (0.0, 0.0)


@pytest.mark.parametrize("label", EMOTIONS)
def test_every_emotion_has_a_word_that_hri_msgs_lists(label):
    assert hri_word(label) in HRI_WORDS
    robot = load_robot("pal")
    assert hri_word(label) == robot.expression_for(label)  # the recognizer and the mirror agree


def test_what_has_no_word_is_empty():
    assert hri_word(UNKNOWN) == hri_word("") == hri_word("envy") == ""


@pytest.mark.parametrize("label", EMOTIONS)
def test_the_documentation_says_the_same(label):
    text = (Path(__file__).resolve().parent.parent / "docs" / "interfaces.md").read_text("utf-8")
    valence, arousal = (f"{value:.2f}" if value else "0" for value in COORDINATES[label])
    assert f"| {label} | `{hri_word(label)}` | {valence} | {arousal} |" in text
