"""What every detector must do, whichever it is: the cascades, YuNet, CenterFace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from detector_files import choice_of
from videos import frames

from expression_ros.parameters.choices import DETECTORS
from expression_ros.recognition.boxes import Box, Detection, covers, overlap
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recognition.settings import RecognitionSettings

NETWORKS = DETECTORS[1:]


@pytest.fixture(params=DETECTORS)
def make(request):
    """Return what makes a detector of one kind, of a selection and a least size of faces."""
    return choice_of(request.param).make


@pytest.fixture(scope="module")
def portrait(astronaut):
    """Return a grey portrait and its face's box, as the cascades agree on it."""
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    (face,) = FaceDetector().search_photo(grey)
    return grey, face.box


@pytest.fixture(scope="module")
def group(clips):
    return cv2.imread(str(clips / "multi_face.jpg"), cv2.IMREAD_GRAYSCALE)


def shown(portrait, *, width=160, to=(320, 240), turn=0.0, size=(640, 480)):
    """Return an image in which the portrait's face has a width, stands at a place and is turned.

    With it comes the part of the face's box that is in the image.
    """
    grey, box = portrait
    matrix = cv2.getRotationMatrix2D(box.centre, turn, width / box.w)
    matrix[:, 2] += (to[0] - box.centre[0], to[1] - box.centre[1])
    flags = cv2.INTER_AREA if width < box.w else cv2.INTER_LINEAR
    image = cv2.warpAffine(grey, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    left, top = max(0, to[0] - width // 2), max(0, to[1] - width // 2)
    right, bottom = min(size[0], to[0] + width // 2), min(size[1], to[1] + width // 2)
    return image, Box(left, top, right - left, bottom - top)


@pytest.mark.parametrize("selection", ["all", "single"])
def test_one_face_is_found_and_its_box_means_what_the_cascades_mean(make, portrait, selection):
    grey, box = portrait
    detector = make(selection)
    for (face,) in (
        detector.search_frame(grey),
        detector.search_photo(grey),
        detector.search_frame(grey, coarse=True)[-1:],  # of cascades, behind a larger false one
    ):
        assert overlap(face.box, box) > 0.65
        assert 0.87 < face.box.w / box.w < 1.2


SCENES = {
    "cut by the left edge": {"width": 220, "to": (85, 240)},
    "cut by the right edge": {"width": 220, "to": (555, 240)},
    "filling the image": {"width": 440},
    "turned to the left": {"turn": 25},
    "turned to the right": {"turn": -25},
    "upright": {},
}


@pytest.mark.parametrize("scene", SCENES)
def test_a_face_on_a_photo_is_found(make, portrait, scene):
    image, box = shown(portrait, **SCENES[scene])
    (face,) = make().search_photo(image)
    assert overlap(face.box, box) > 0.6


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("turn", [-40, -30, 0, 30, 40])
def test_a_network_tells_how_far_a_head_is_tilted(portrait, name, turn):
    upright, turned = (
        choice_of(name).make().search_photo(shown(portrait, turn=degrees)[0])[0]
        for degrees in (0, turn)
    )
    # Turned anticlockwise, the line of the eyes rises to the right.
    assert turned.tilt - upright.tilt == pytest.approx(-turn, abs=8)
    assert turned.box.w == pytest.approx(upright.box.w, rel=0.12)


def test_everybody_of_a_group_is_found_and_single_finds_nobody_there(make, group):
    assert len(make("all", 0.08).search_photo(group)) >= 4
    if not isinstance(make(), FaceDetector):  # one of the cascades may see just one of them
        assert make("single", 0.08).search_frame(group) == []


def test_faces_come_largest_first_and_none_twice(make, group):
    boxes = [face.box for face in make("all", 0.08).search_photo(group)]
    assert boxes == sorted(boxes, key=lambda box: -box.area)
    assert all(overlap(a, b) < 0.4 for k, a in enumerate(boxes) for b in boxes[:k])


def test_who_is_known_is_not_searched_for(make, group):
    detector = make("all", 0.08)
    first, *others = detector.search_frame(group)
    found = detector.search_frame(group, known=[first.box])
    assert all(covers(face.box, first.box) < 0.5 for face in found)
    assert len(found) >= len(others) - 1 > 0


def test_a_face_smaller_than_the_smallest_of_interest_is_not_found(make, portrait):
    image, _ = shown(portrait, width=120)
    assert make("all", 0.2).search_frame(image)
    assert make("all", 0.4).search_frame(image) == []


@pytest.mark.parametrize("setting", [("some", 0.12), ("all", 0.0), ("all", 1.1)])
def test_settings_out_of_range_are_refused(make, setting):
    with pytest.raises(ValueError, match=r"face_selection|min_face"):
        make(*setting)


def test_a_known_face_is_followed_with_one_look(make, clips):
    detector = make()
    stream = (cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
              for _, image in frames(clips / "single_face.mp4"))  # fmt: skip
    known = detector.search_frame(next(stream))[0]
    looks = []
    for grey in stream:
        before = detector.searches
        found = detector.search_near(grey, known)
        assert found is not None
        assert overlap(found.box, known.box) > 0.5
        looks.append(detector.searches - before)
        known = found
    assert looks.count(1) >= 65  # of 71


def test_a_face_at_rest_has_a_box_at_rest(make, portrait):
    detector, rng = make(), np.random.default_rng(0)
    image, _ = shown(portrait)
    known = first = detector.search_frame(image)[0]
    for _ in range(10):
        noisy = np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
        known = detector.search_near(noisy, known)
    assert overlap(known.box, first.box) > 0.9


@pytest.mark.parametrize("turn", [25, -25])
def test_a_head_that_tilts_is_followed(make, portrait, turn):
    detector = make()
    (known,) = detector.search_frame(shown(portrait)[0])
    for degrees in (*np.linspace(0, turn, 12), *[turn] * 5, *np.linspace(turn, 0, 12)):
        image, box = shown(portrait, turn=degrees)
        known = detector.search_near(image, known)
        assert known is not None, f"lost at {degrees:.0f} degrees"
        assert overlap(known.box, box) > 0.6


@pytest.mark.parametrize("width", [120, 210])
def test_a_face_that_came_nearer_or_went_away_has_its_own_width_again(make, portrait, width):
    detector = make()
    (known,) = detector.search_photo(shown(portrait)[0])
    image, _ = shown(portrait, width=width)
    found = detector.search_size(image, known)
    assert found.box.w / known.box.w == pytest.approx(width / 160, rel=0.12)


def test_a_face_that_jumped_a_little_is_found_where_it_was_lost(make, portrait):
    detector = make()
    (known,) = detector.search_frame(shown(portrait)[0])
    image, box = shown(portrait, to=(350, 230))
    looks = [detector.search_lost(image, known, look) for look in range(detector.lost_looks)]
    assert max(overlap(found.box, box) for found in looks if found) > 0.6


def test_a_face_that_left_is_not_followed(make, portrait):
    detector = make()
    (known,) = detector.search_frame(portrait[0])
    wall = np.full(portrait[0].shape, 127, np.uint8)
    assert detector.search_near(wall, known) is None
    assert detector.search_size(wall, known) is None
    assert all(detector.search_lost(wall, known, k) is None for k in range(detector.lost_looks))


SHAPES = [(1, 1), (1, 4096), (4096, 1), (2, 3), (31, 33), (200, 4096), (4096, 200), (4096, 4096)]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_a_frame_of_any_size_is_survived(make, shape):
    detector, (height, width) = make(), shape
    grey = np.full(shape, 90, np.uint8)
    grey[height // 3 : height // 2 + 1, width // 3 : width // 2 + 1] = 200
    found = detector.search_frame(grey, coarse=True) + detector.search_photo(grey)
    whole = Box(0, 0, width, height)
    for box in (whole, Box(-50, -50, 10, 10), Box(9999, 9999, 9, 9), Box(0, 0, 1, 1)):
        known = Detection(box, 0)
        found += [detector.search_near(grey, known), detector.search_size(grey, known)]
        found += [detector.search_lost(grey, known, look) for look in range(detector.lost_looks)]
    for face in filter(None, found):
        assert covers(face.box, whole) == 1.0


def test_a_clone_finds_the_same_in_another_thread(make, group):
    detector = make("all", 0.08)
    with ThreadPoolExecutor(1) as thread:
        theirs = thread.submit(lambda: detector.clone().search_frame(group)).result()
    assert theirs == detector.search_frame(group)
    detector.min_face = 0.9
    assert detector.clone().min_face == 0.9
    assert detector.clone() is detector.clone() is not detector


def test_what_is_found_does_not_depend_on_what_was_searched_before(make, portrait, group):
    """OpenCV 4.14 answers wrongly where one network is given images of changing sizes."""
    grey, _ = portrait
    fresh, used = make("all", 0.08), make("all", 0.08)
    for size in ((64, 64), (640, 480), (200, 300), (480, 640), (333, 100), (96, 96)):
        used.search_frame(cv2.resize(group, size))
    assert used.search_photo(grey) == fresh.search_photo(grey)


@pytest.mark.parametrize("background", [False, True])
def test_a_stream_is_read_with_any_detector(make, portrait, shipped_classifier, background):
    settings = RecognitionSettings(background=background, redetect_interval=0.2)
    recognizer = ExpressionRecognizer(make(), shipped_classifier, settings)
    ids, labels = set(), []
    for k in range(24):
        (face,) = recognizer.read(shown(portrait, turn=k)[0], k / 30).faces
        ids.add(face.id)
        labels.append(face.label)
    recognizer.close()
    assert ids == {1}
    assert set(labels) == {"happiness"}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("turn", [30, -30])
def test_a_tilted_smile_is_levelled_by_the_eyes_and_read(portrait, shipped_classifier, name, turn):
    recognizer = ExpressionRecognizer(choice_of(name).make(), shipped_classifier)
    upright, tilted = (
        recognizer.read_still(shown(portrait, turn=degrees)[0]).faces[0] for degrees in (0, turn)
    )
    assert tilted.label == "happiness"
    assert tilted.score > upright.score - 0.1
