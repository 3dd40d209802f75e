"""Descriptors of prepared faces."""

from __future__ import annotations

import numpy as np
import pytest

from expression_ros.recognition.descriptors import DescriptorError, make_descriptor


@pytest.fixture
def face() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (48, 48), np.uint8)


@pytest.mark.parametrize(("name", "size"), [("pixels", 48 * 48), ("hog", 9 * 9 * 4 * 12)])
def test_describe_returns_a_row_of_the_promised_size(face, name, size):
    descriptor = make_descriptor(name, {}, 48)
    vector = descriptor.describe(face)
    assert descriptor.size == size
    assert vector.shape == (1, size) and vector.dtype == np.float32


@pytest.mark.parametrize("name", ["pixels", "hog"])
def test_descriptor_is_built_again_from_its_own_settings(face, name):
    first = make_descriptor(name, {}, 48)
    second = make_descriptor(first.name, first.settings, 48)
    assert np.array_equal(first.describe(face), second.describe(face))


def test_signed_hog_tells_a_dark_edge_from_a_bright_one():
    edge = np.full((48, 48), 50, np.uint8)  # room for the overshoot of the enlargement
    edge[:, 24:] = 200
    for signed in (True, False):
        hog = make_descriptor("hog", {"signed": signed}, 48)
        same = np.allclose(hog.describe(edge), hog.describe(250 - edge), atol=1e-3)
        assert same is not signed


def test_hog_hardly_changes_with_contrast(face):
    hog = make_descriptor("hog", {}, 48)
    difference = hog.describe(face) - hog.describe(face // 2 + 30)
    assert np.abs(difference).max() < 0.05


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("fourier", {}, "unknown descriptor"),
        ("hog", {"cells": 3}, "does not take"),
        ("hog", {"cell": 10}, "whole cells"),
        ("hog", {"stride": 0}, "above 0"),
        ("hog", {"stride": 7}, "even stride"),
        ("hog", {"window": 16}, "whole cells"),
        ("hog", {"bins": "many"}, "whole numbers"),
        ("pixels", {"size": 3}, "does not take"),
        ("embedding", {}, "does not take"),
        ("embedding", {"file": "absent.onnx"}, "absent.onnx"),
    ],
)
def test_bad_settings_are_refused_with_a_reason(name, settings, message):
    with pytest.raises(DescriptorError, match=message):
        make_descriptor(name, settings, 48)


def test_embedding_is_for_faces_of_48_px():
    with pytest.raises(DescriptorError, match="48 px"):
        make_descriptor("embedding", {"file": "absent.onnx"}, 64)


@pytest.mark.parametrize("bad", [np.zeros((47, 48), np.uint8), np.zeros((48, 48), np.float32)])
@pytest.mark.parametrize("name", ["pixels", "hog"])
def test_face_of_wrong_size_or_type_is_refused(name, bad):
    with pytest.raises(DescriptorError, match="uint8 face"):
        make_descriptor(name, {}, 48).describe(bad)
