"""Dark, bright and blurred images are named; images that can be read never are."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from expression_ros.nodes.recognizer.image_quality import (
    BLURRED,
    BRIGHT,
    DARK,
    REMEDIES,
    QualityWatch,
    fault_of,
)

CLIPS = ("single_face.mp4", "WolfgangLanger_Pexels.mp4", "face_noface.mov", "noface_face.mov",
         "no_face.mp4", "multi_face.jpg")  # fmt: skip


@pytest.fixture(scope="module")
def portrait(astronaut):
    return cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)


def blurred(grey, pixels):
    """Return an image blurred by so many pixels of 640."""
    return cv2.GaussianBlur(grey, (0, 0), pixels * grey.shape[1] / 640)


@pytest.mark.parametrize("width", [160, 320, 512, 1920])
def test_each_fault_is_named_at_every_size(portrait, width):
    grey = cv2.resize(portrait, (width, width), interpolation=cv2.INTER_AREA)
    bright = np.clip(150 + grey.astype(int), 0, 255).astype(np.uint8)
    bright = np.maximum(bright, np.uint8(240))
    assert fault_of(grey) == ""
    assert fault_of(grey // 10) == DARK
    assert fault_of(bright) == BRIGHT
    assert fault_of(blurred(grey, 12)) == BLURRED


@pytest.mark.parametrize(
    "change",
    [
        lambda grey: (grey * 0.2).astype(np.uint8),  # dim, and the face is still there
        lambda grey: np.clip(grey.astype(int) + 90, 0, 255).astype(np.uint8),
        lambda grey: blurred(grey, 4),
        lambda grey: np.where(np.arange(512) < 400, 255, grey).astype(np.uint8),  # a white wall
        lambda grey: np.where(np.arange(512) < 400, 0, grey).astype(np.uint8),  # a dark room
        lambda grey: np.full_like(grey, 120),  # a wall has no edges to be blurred
        lambda grey: grey[:1, :1],
    ],
)
def test_what_can_be_read_or_says_nothing_is_no_fault(portrait, change):
    assert fault_of(change(portrait)) in ("", DARK if change(portrait).size == 1 else "")


@pytest.mark.parametrize("clip", CLIPS)
def test_no_false_alarm_on_real_images(clips, clip):
    """A frame that fades from black is dark, but for no three seconds."""
    video, watch, frames = cv2.VideoCapture(str(clips / clip)), QualityWatch(), 0
    while (read := video.read())[0]:
        if frames % 5 == 0:  # as if half a second passed: more looks than in life
            watch.look(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY), frames / 10)
            assert watch.problem == "", frames
        frames += 1
    assert frames


def test_only_what_lasts_is_told_and_forgotten_at_once(portrait):
    watch = QualityWatch()
    for k in range(5):
        watch.look(portrait // 20, k / 2)
        assert watch.problem == ""
    watch.look(portrait // 20, 2.5)
    assert watch.problem == REMEDIES[DARK] and "more light" in watch.problem
    watch.look(portrait, 3.0)
    assert watch.problem == ""


def test_different_faults_in_turn_are_none(portrait):
    watch = QualityWatch()
    for k in range(12):
        watch.look(portrait // 20 if k % 2 else blurred(portrait, 12), k / 2)
        assert watch.problem == ""


def test_an_image_is_looked_at_twice_a_second_at_most(portrait, monkeypatch):
    looks = []
    monkeypatch.setattr("expression_ros.nodes.recognizer.image_quality.fault_of", looks.append)
    watch = QualityWatch()
    for k in range(300):
        watch.look(portrait, k / 60)
    assert len(looks) == 10


def test_a_look_at_a_large_image_is_cheap(portrait):
    large = cv2.resize(portrait, (3840, 2160))
    fault_of(large)
    begin = time.process_time()
    for _ in range(5):
        fault_of(large)
    assert (time.process_time() - begin) / 5 < 0.02
