"""Shrinking by halves: close to what one step of area averaging gives."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from expression_ros.recognition.image_operations import shrunk


@pytest.mark.parametrize(
    ("width", "side"),
    [*((w, 48) for w in (48, 49, 95, 96, 97, 333, 500)), *((w, 24) for w in (24, 47, 48, 96, 97))],
)
def test_a_photo_comes_out_as_in_one_step(astronaut, width, side):
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    image = cv2.resize(grey, (width, width + width % 3), interpolation=cv2.INTER_AREA)
    small = shrunk(image, (side, side))
    one_step = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    assert small.shape == (side, side) and small.dtype == np.uint8
    # Not the same: of an odd number of columns the last one is left out, at each halving.
    assert np.corrcoef(small.ravel(), one_step.ravel())[0, 1] > 0.96


def test_the_mean_stays():
    noise = np.random.default_rng(0).integers(0, 256, (480, 640)).astype(np.uint8)
    assert shrunk(noise, (64, 48)).mean() == pytest.approx(noise.mean(), abs=1.0)


def test_an_image_of_that_size_is_the_image(astronaut):
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    np.testing.assert_array_equal(shrunk(grey, grey.shape[::-1]), grey)
