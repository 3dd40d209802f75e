"""Cutting faces out of frames."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from expression_ros.recognition import face_preparation
from expression_ros.recognition.face_preparation import (
    FaceError,
    FacePreparation,
    prepare_crop,
    prepare_face,
    tilt_of_eyes,
)


@pytest.fixture
def frame() -> np.ndarray:
    """A ramp from left to right: its grey levels tell where a crop came from."""
    return np.tile(np.arange(200, dtype=np.uint8), (120, 1))


@pytest.fixture(scope="module")
def portrait() -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """A real face, seen by a cascade."""
    data = pytest.importorskip("skimage.data")
    import cv2

    grey = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
    return grey, (178, 66, 94, 94)


def test_the_box_is_cut_out(frame):
    face = prepare_face(frame, (50, 20, 48, 48), FacePreparation(margin=0.0))
    assert face.shape == (48, 48) and face.dtype == np.uint8
    assert np.array_equal(face, frame[20:68, 50:98])


def test_margin_widens_the_crop_on_both_sides(frame):
    face = prepare_face(frame, (50, 20, 40, 40), FacePreparation(size=60, margin=0.25))
    assert np.array_equal(face, frame[10:70, 40:100])


@pytest.mark.parametrize("box", [(-20, -20, 60, 60), (170, 90, 60, 60), (-30, -30, 260, 200)])
def test_border_is_repeated_where_the_box_leaves_the_frame(frame, box):
    x, y, w, h = box
    pad = 100
    padded = np.pad(frame, pad, mode="edge")
    expected = prepare_face(padded, (x + pad, y + pad, w, h), FacePreparation(margin=0.1))
    assert np.array_equal(prepare_face(frame, box, FacePreparation(margin=0.1)), expected)


@pytest.mark.parametrize("light", ["none", "equalize", "clahe", "standardize"])
def test_crop_of_a_data_set_is_prepared_like_a_face_in_a_frame(portrait, light):
    grey, (x, y, w, h) = portrait
    preparation = FacePreparation(margin=0.0, light=light)
    from_frame = prepare_face(grey, (x, y, w, h), preparation)
    assert np.array_equal(prepare_crop(grey[y : y + h, x : x + w], preparation), from_frame)


def test_standardized_faces_do_not_depend_on_brightness_and_contrast(portrait):
    grey, box = portrait
    dim = (grey * 0.5 + 20).astype(np.uint8)
    preparation = FacePreparation(light="standardize")
    difference = prepare_face(grey, box, preparation).astype(int) - prepare_face(
        dim, box, preparation
    )
    assert np.abs(difference).max() <= 4


def test_flat_face_stays_flat():
    flat = np.full((80, 80), 90, np.uint8)
    assert np.ptp(prepare_face(flat, (10, 10, 50, 50), FacePreparation(light="standardize"))) == 0


def test_levelling_turns_a_tilted_face_upright(portrait):
    import cv2

    grey, (x, y, w, h) = portrait
    centre = (x + w / 2, y + h / 2)
    tilted = cv2.warpAffine(grey, cv2.getRotationMatrix2D(centre, 12, 1.0), grey.shape[::-1])
    upright = prepare_face(grey, (x, y, w, h), FacePreparation()).astype(float)

    def difference(levelled: bool) -> float:
        face = prepare_face(tilted, (x, y, w, h), FacePreparation(level_by_eyes=levelled))
        return float(np.abs(face - upright).mean())

    assert difference(True) < 0.6 * difference(False)


def eyes(left, right, side=20):
    """Return an eye cascade that sees eyes with these centres in the face, which is 96 px wide."""
    boxes = np.array([(x - side // 2, y - side // 2, side, side) for x, y in (*left, *right)])
    return SimpleNamespace(detectMultiScale=lambda image, *args, **settings: boxes)


@pytest.mark.parametrize(("left", "right", "tilt"), [
    ([(28, 36)], [(68, 36)], 0.0),
    ([(28, 29)], [(68, 43)], 19.29),
    ([(28, 43)], [(68, 29)], -19.29),
    ([(28, 25)], [(68, 47)], 28.81),
    ([(28, 24)], [(68, 49)], 0.0),  # 32 degrees: no face that a frontal cascade finds
    ([(28, 49)], [(68, 24)], 0.0),
    ([(36, 33)], [(60, 39)], 0.0),  # too near to each other,
    ([(14, 33)], [(80, 39)], 0.0),  # too far apart,
    ([(28, 14)], [(68, 22)], 0.0),  # eyebrows,
    ([(28, 50)], [(68, 58)], 0.0),  # nostrils,
    ([(28, 29)], [], 0.0),  # and what is no pair
    ([(28, 29), (20, 40)], [(68, 43)], 0.0),
    ([(28, 29)], [(68, 43), (76, 20)], 0.0),
])  # fmt: skip
def test_eyes_tell_the_tilt_only_where_they_are_where_eyes_can_be(monkeypatch, left, right, tilt):
    cascade = eyes(left, right)
    monkeypatch.setattr(face_preparation, "_eye_cascade", lambda: cascade)
    grey = np.zeros((200, 200), np.uint8)
    assert tilt_of_eyes(grey, (50, 50, 96, 96)) == pytest.approx(tilt, abs=0.01)


def test_levelling_leaves_an_image_without_eyes_alone(frame):
    box = (50, 20, 60, 60)
    levelled = prepare_face(frame, box, FacePreparation(level_by_eyes=True))
    assert np.array_equal(levelled, prepare_face(frame, box, FacePreparation()))


@pytest.mark.parametrize("box", [(0, 0, 0, 10), (0, 0, 10, -1), (200, 0, 20, 20), (-20, 0, 20, 20)])
def test_empty_box_is_refused(frame, box):
    with pytest.raises(FaceError, match="holds nothing"):
        prepare_face(frame, box)


@pytest.mark.parametrize("bad", [np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9)), np.zeros((0, 9))])
def test_frame_that_is_not_grey_uint8_is_refused(bad):
    with pytest.raises(FaceError, match="grey"):
        prepare_face(bad, (0, 0, 5, 5))


@pytest.mark.parametrize(
    "settings", [{"size": 4}, {"size": 4.5}, {"margin": 9}, {"light": "dark"}, {"eyes": True},
                 {"level_by_eyes": "yes"}, {"margin": "wide"}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(FaceError):
        FacePreparation.from_mapping(settings)


def test_settings_survive_being_written_and_read():
    preparation = FacePreparation(size=64, margin=0.1, light="clahe", level_by_eyes=True)
    assert FacePreparation.from_mapping(preparation.as_mapping()) == preparation
