import cv2
import numpy as np
import pytest
from videos import frames

from expression_ros.recognition import detection
from expression_ros.recognition.boxes import Box, Detection, covers, overlap, without_overlaps
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.opencv_parts import CASCADE_ORDER, CascadeError, load_cascade


def grey_of(image):
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


class ScriptedCascade:
    """A cascade whose answer is set: for the rule that chooses between cascades, not for faces."""

    def __init__(self, boxes, shape=None):
        self.boxes, self.shape = boxes, shape

    def detectMultiScale(self, image, **settings):
        return np.array(self.boxes if image.shape == (self.shape or image.shape) else [])


def detector_with(cascades, selection="all", min_face=0.14):
    with pytest.MonkeyPatch.context() as patch:  # the real ones take long to load
        patch.setattr(detection, "load_cascade", lambda name: None)
        detector = FaceDetector(selection, min_face)
    detector._cascades = cascades
    return detector


def scripted_detector(selection, *answers):
    # With min_face 0.14, 28 of 200 rows, the frame is searched at its full size; in the tiny copy
    # for close ups there is nobody.
    return detector_with([ScriptedCascade(boxes, EMPTY.shape) for boxes in answers], selection)


A, B = (10, 10, 60, 60), (120, 10, 70, 70)
EMPTY = np.zeros((200, 300), np.uint8)


def test_overlap_of_boxes():
    assert overlap(Box(0, 0, 10, 10), Box(0, 0, 10, 10)) == 1.0
    assert overlap(Box(0, 0, 10, 10), Box(5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert overlap(Box(0, 0, 10, 10), Box(10, 0, 10, 10)) == 0.0
    assert covers(Box(0, 0, 10, 10), Box(2, 2, 4, 4)) == 1.0


def test_overlapping_boxes_leave_the_first():
    boxes = [Box(0, 0, 40, 40), Box(2, 2, 40, 40), Box(100, 0, 40, 40), Box(8, 8, 20, 20)]
    assert without_overlaps(boxes) == [0, 2]


def test_single_takes_the_first_cascade_that_sees_exactly_one_face():
    detector = scripted_detector("single", [], [A, B], [B], [A])
    assert detector.search_frame(EMPTY) == [Detection(Box(*B), 2)]
    assert detector.searches == 3  # the fourth is not asked


def test_single_sees_nobody_when_no_cascade_sees_exactly_one():
    assert scripted_detector("single", [], [A, B], [], [A, B]).search_frame(EMPTY) == []


def test_all_returns_every_face_largest_first_and_stops_at_the_first_success():
    detector = scripted_detector("all", [], [A, B], [A], [])
    found = detector.search_frame(EMPTY)
    assert [d.box for d in found] == [Box(*B), Box(*A)]
    assert detector.searches == 3 + 2  # in the frame, for close ups, and each face once more


@pytest.mark.parametrize("selection", ["all", "single"])
def test_of_two_boxes_that_one_cascade_draws_around_a_face_the_larger_is_kept(selection):
    eyes_and_mouth = (20, 20, 40, 40)
    detector = scripted_detector(selection, [], [eyes_and_mouth, A], [], [])
    assert [d.box for d in detector.search_frame(EMPTY)] == [Box(*A)]


def test_all_cascades_together_merge_what_overlaps():
    near_a = (13, 12, 58, 58)
    found = scripted_detector("all", [A], [near_a], [B], []).search_photo(EMPTY)
    assert sorted(d.box for d in found) == [Box(*A), Box(*B)]


def test_the_box_of_a_face_is_the_one_on_which_cascades_agree():
    half, near_a, between = (10, 10, 45, 45), (14, 14, 60, 60), (12, 12, 60, 60)
    found = scripted_detector("all", [half], [A], [near_a], [between])
    assert [d.box for d in found.search_photo(EMPTY)] == [Box(*between)]


@pytest.mark.parametrize("search", ["search_frame", "search_photo"])
def test_what_the_first_cascade_alone_sees_is_no_face(search):
    detector = scripted_detector("all", [A], [], [], [])
    assert getattr(detector, search)(EMPTY) == []


def test_order_of_the_cascades_is_the_published_one():
    assert CASCADE_ORDER == ("default", "alt2", "alt", "alt_tree")


@pytest.mark.parametrize("selection", ["all", "single"])
def test_one_face_is_found_on_a_portrait(astronaut, selection):
    found = FaceDetector(selection).search_frame(grey_of(astronaut))
    assert len(found) == 1
    x, y = found[0].box.centre
    assert 180 < x < 270 and 70 < y < 160  # where her face is


def test_four_faces_are_found_in_a_group(clips):
    image = cv2.imread(str(clips / "multi_face.jpg"))
    found = FaceDetector("all", min_face=0.08).search_photo(grey_of(image))
    assert len(found) >= 4


def test_a_known_face_is_followed_with_one_search(clips):
    detector = FaceDetector()
    stream = (grey_of(image) for _, image in frames(clips / "single_face.mp4"))
    known = detector.search_frame(next(stream))[0]
    followed = 0
    for grey in stream:
        before = detector.searches
        found = detector.search_near(grey, known)
        assert found is not None
        assert overlap(found.box, known.box) > 0.5
        followed += detector.searches - before == 1
        known = found
    assert followed >= 65  # of 71: rarely a second cascade is asked


def test_a_face_that_left_is_not_followed(astronaut):
    detector = FaceDetector()
    known = detector.search_frame(grey_of(astronaut))[0]
    assert detector.search_near(np.full((512, 512), 127, np.uint8), known) is None


@pytest.mark.parametrize("min_face", [0.05, 0.14, 0.4, 1.0])
def test_a_frame_is_searched_at_the_size_at_which_the_smallest_face_is_just_seen(min_face):
    asked = []

    class Asked:
        def detectMultiScale(self, image, **settings):
            asked.append((image.shape[0], settings["minSize"][0]))
            return np.zeros((0, 4), int)

    detector = detector_with([Asked()] * 4, min_face=min_face)
    detector.search_frame(EMPTY)
    height, smallest = asked[0]
    assert smallest == pytest.approx(max(28, min_face * 200) if height == 200 else 28, abs=1)
    assert height == pytest.approx(min(200, 28 / min_face), abs=1)


class WholeImage:
    """Sees a face that fills whatever it is shown, up to the last pixel."""

    def detectMultiScale(self, image, **settings):
        height, width = image.shape
        return np.array([(0, 0, width, height), (width // 2, height // 3, 99, 99)])


def is_inside(box, shape):
    x, y, w, h = box
    return 0 <= x < x + w <= shape[1] and 0 <= y < y + h <= shape[0]


@pytest.mark.parametrize("shape", [(240, 4096), (101, 4096), (480, 4096), (4096, 4096)])
def test_a_search_of_a_strip_costs_no_more_than_one_of_a_panorama(shape):
    assert pixels_searched(shape) <= 1.02 * pixels_searched((480, 6 * 480))


@pytest.mark.parametrize("shape", [(480, 640), (480, 6 * 480), (240, 6 * 240), (100, 600)])
def test_a_panorama_is_searched_at_the_size_at_which_the_smallest_face_is_just_seen(shape):
    scale = min(1.0, 28 / (0.12 * shape[0]))
    assert pixels_searched(shape) == pytest.approx(scale**2 * shape[0] * shape[1], rel=0.01)


def pixels_searched(shape):
    searched = []

    class Cascade:
        def detectMultiScale(self, image, **settings):
            searched.append(image.size)
            return []

    detector = detector_with([Cascade()] * 4, min_face=0.12)
    detector.search_frame(np.zeros(shape, np.uint8), (0,))
    return searched[0]


def test_a_face_in_a_strip_is_found(astronaut):
    portrait = cv2.resize(grey_of(astronaut)[:360, :360], (240, 240), interpolation=cv2.INTER_AREA)
    strip = np.full((240, 4096), 110, np.uint8)
    strip[:, 400:640] = portrait
    (alone,) = (one.box for one in FaceDetector().search_frame(portrait))
    (found,) = (one.box for one in FaceDetector().search_frame(strip))
    assert overlap(found, alone._replace(x=alone.x + 400)) > 0.6


@pytest.mark.parametrize("height", range(201, 216))
def test_boxes_stay_inside_the_frame_whatever_is_rounded(height):
    detector = detector_with([WholeImage()] * 4, min_face=0.5)  # at a quarter of its size
    grey = np.zeros((height, 2 * height + 1), np.uint8)
    found = detector.search_frame(grey) + detector.search_photo(grey)
    known = Detection(Box(height, height // 2, 90, 90), 0)  # with its surroundings beyond the edge
    found += [detector.search_lost(grey, known, 1), detector.search_near(grey, known)]
    assert len(found) >= 4
    assert [one.box for one in found if not is_inside(one.box, grey.shape)] == []


@pytest.mark.parametrize("known", [Box(100, 60, 60, 60), Box(100, 40, 144, 144)])
@pytest.mark.parametrize("aside", [(-21, 0), (0, -21), (15, 0), (0, 15), (-21, -21)])
@pytest.mark.parametrize("nearest_is_first", [True, False])
def test_of_several_faces_near_a_known_one_the_nearest_is_taken(known, aside, nearest_is_first):
    scale = min(1.0, 72 / known.w)  # a known face is searched at 72 px at most
    begin = round(0.15 * known.w) + 6  # of the nearer face in what is searched, before scaling
    corners = [(begin, begin), (begin + aside[0], begin + aside[1])]
    boxes = [[round(scale * v) for v in (*corner, known.w, known.h)] for corner in corners]
    detector = detector_with([ScriptedCascade(boxes if nearest_is_first else boxes[::-1])])
    found = detector.search_near(np.zeros((300, 400), np.uint8), Detection(known, 0))
    assert found == Detection(Box(known.x + 6, known.y + 6, known.w, known.h), 0)


def test_what_all_cascades_see_together_comes_largest_first():
    detector = scripted_detector("all", [A], [B], [A], [B])
    assert [d.box for d in detector.search_photo(EMPTY)] == [Box(*B), Box(*A)]


@pytest.mark.parametrize("box", [(600, 10, 90, 90), (10, 400, 90, 90), (700, 700, 90, 90),
                                 (-200, 0, 90, 90), (0, 0, 1, 1), (199, 99, 90, 90)])  # fmt: skip
@pytest.mark.parametrize("shape", [(1, 1), (100, 200), (1, 4096)])
def test_a_known_face_outside_the_frame_is_not_found_and_does_no_harm(shape, box):
    detector = FaceDetector()
    known = Detection(Box(*box), 0)
    frame = np.zeros(shape, np.uint8)
    assert detector.search_near(frame, known) is None
    assert detector.search_lost(frame, known, 1) is None


class CornerCascade:
    """A cascade that sees a face in the lower right corner of whatever it is shown."""

    def detectMultiScale(self, image, **settings):
        height, width = image.shape
        return [(width - 24, height - 24, 24, 24)]


def test_a_followed_face_in_the_corner_stays_inside_the_frame():
    detector = FaceDetector()
    detector._cascades = [CornerCascade()] * 4
    for size in range(60, 600):
        frame = np.zeros((size, size + 1), np.uint8)
        width = max(24, size // 3)
        known = Detection(Box(size + 1 - width, size - width, width, width), 0)
        x, y, w, h = detector.search_near(frame, known).box
        assert x + w <= size + 1 and y + h <= size and min(w, h) > 0


@pytest.mark.parametrize("shape", [(1, 1), (10, 400), (400, 10), (27, 27)])
def test_tiny_frames_have_no_face(shape):
    assert FaceDetector(min_face=1.0).search_frame(np.zeros(shape, np.uint8)) == []


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="face_selection"):
        FaceDetector("some")
    with pytest.raises(ValueError, match="min_face"):
        FaceDetector(min_face=0.0)


def test_missing_and_corrupt_cascades_are_named(tmp_path):
    with pytest.raises(CascadeError, match=r"haarcascade_eye\.xml is missing"):
        load_cascade("eye", tmp_path)
    (tmp_path / "haarcascade_eye.xml").write_text("<opencv_storage>")
    with pytest.raises(CascadeError, match=r"haarcascade_eye\.xml is corrupt"):
        load_cascade("eye", tmp_path)


def test_a_quick_search_finds_the_same_faces(clips, astronaut):
    detector = FaceDetector("all", 0.08)
    group = grey_of(cv2.imread(str(clips / "multi_face.jpg")))
    for grey in (group, grey_of(astronaut)):
        slow, quick = detector.search_frame(grey), detector.search_frame(grey, coarse=True)
        assert slow and len(slow) == len(quick)
        assert all(any(overlap(q.box, s.box) > 0.4 for q in quick) for s in slow)


def test_known_faces_are_left_out_of_a_search_and_the_others_found(clips):
    group = grey_of(cv2.imread(str(clips / "multi_face.jpg")))
    detector = FaceDetector("all", 0.08)
    first, *others = detector.search_frame(group)
    kept = group.copy()
    found = detector.search_frame(group, known=[first.box])
    assert others and len(found) == len(others)
    assert all(overlap(one.box, first.box) < 0.3 for one in found)
    np.testing.assert_array_equal(group, kept)  # the frame itself is not drawn on


def test_a_lost_face_is_looked_for_with_the_cascade_whose_turn_it_is(astronaut):
    detector = FaceDetector()
    known = detector.search_frame(grey_of(astronaut))[0]
    before = detector.searches
    found = detector.search_lost(grey_of(astronaut), known, known.cascade)
    assert found and overlap(found.box, known.box) > 0.5
    assert detector.search_lost(np.full((512, 512), 128, np.uint8), known, 2) is None
    assert detector.searches - before == 2  # one each


# What a camera shows of a face; the cascades themselves see nobody in the first five.


def moved(grey, box, *, turn=0.0, width, to, size=(640, 480)):
    """Return an image in which the face of a box has a width, stands at a place and is turned."""
    centre, scale = box.centre, width / box.w
    matrix = cv2.getRotationMatrix2D(centre, turn, scale)
    matrix[:, 2] += (to[0] - centre[0], to[1] - centre[1])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.warpAffine(grey, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


SCENES = {
    "cut by the left edge": {"width": 220, "to": (85, 240)},
    "cut by the right edge": {"width": 220, "to": (555, 240)},
    "filling the image": {"width": 440, "to": (320, 240)},
    "turned to the left": {"width": 160, "to": (320, 240), "turn": 25},
    "turned to the right": {"width": 160, "to": (320, 240), "turn": -25},
    "upright": {"width": 160, "to": (320, 240)},
}


@pytest.mark.parametrize("scene", SCENES)
def test_a_face_on_a_photo_is_found(astronaut, scene):
    grey = grey_of(astronaut)
    box = FaceDetector().search_frame(grey)[0].box
    told = SCENES[scene]
    found = FaceDetector().search_photo(moved(grey, box, **told))
    (x, y), width = told["to"], told["width"]
    left, top = max(0, x - width // 2), max(0, y - width // 2)
    right, bottom = min(640, x + width // 2), min(480, y + width // 2)
    assert len(found) == 1
    assert overlap(found[0].box, Box(left, top, right - left, bottom - top)) > 0.6


@pytest.mark.parametrize("turn", [25, -25])
def test_a_head_that_tilts_is_followed(astronaut, turn):
    grey, detector = grey_of(astronaut), FaceDetector()
    box = detector.search_frame(grey)[0].box
    scene = {"width": 160, "to": (320, 240)}
    (known,) = detector.search_frame(moved(grey, box, **scene))
    for degrees in (*np.linspace(0, turn, 12), *[turn] * 5, *np.linspace(turn, 0, 12)):
        known = detector.search_near(moved(grey, box, turn=degrees, **scene), known)
        assert known is not None, f"lost at {degrees:.0f} degrees"
        assert overlap(known.box, Box(240, 160, 160, 160)) > 0.6
