"""Frames with little light are brightened, all others left alone."""

import cv2
import numpy as np
import pytest

from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.image_operations import brightened
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recognition.settings import RecognitionSettings


@pytest.fixture
def grey(astronaut):
    return cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)


def dimmed(grey, light):
    noise = np.random.default_rng(0).normal(0, 1, grey.shape)
    return np.clip(grey * light + noise, 0, 255).astype(np.uint8)


def test_a_frame_with_enough_light_is_left_alone(grey):
    assert brightened(grey) is grey
    half = dimmed(grey, 0.5)
    assert brightened(half) is half


@pytest.mark.parametrize("light", [0.2, 0.1, 0.05])
@pytest.mark.parametrize("read", ["read", "read_still"])
def test_a_smile_in_the_dark_is_found_and_read(grey, light, read, shipped_classifier):
    dark = dimmed(grey, light)
    reader = ExpressionRecognizer(FaceDetector(), shipped_classifier, RecognitionSettings())
    reading = reader.read(dark, 0.0) if read == "read" else reader.read_still(dark)
    (face,) = reading.faces
    assert face.label == "happiness"


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (1, 4096)])
@pytest.mark.parametrize("level", [0, 1, 5, 255])
def test_any_frame_keeps_its_shape_and_type(shape, level):
    bright = brightened(np.full(shape, level, np.uint8))
    assert bright.shape == shape and bright.dtype == np.uint8


def test_noise_does_not_make_the_brightness_flicker(grey):
    rng = np.random.default_rng(1)
    dark = grey * 0.1
    means = [
        brightened(np.clip(dark + rng.normal(0, 1, grey.shape), 0, 255).astype(np.uint8)).mean()
        for _ in range(20)
    ]
    assert max(means) - min(means) < 4
