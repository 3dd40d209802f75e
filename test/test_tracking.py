from itertools import pairwise, product

import pytest

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.detections import Detection
from expression_ros.recognition.tracking import FaceTracker


def seen(*boxes):
    return [Detection(Box(*box), 0) for box in boxes]


def test_faces_keep_their_ids_while_they_move_and_pass():
    tracker = FaceTracker()
    for step in range(30):
        left, right = (10 + 4 * step, 50, 60, 60), (300 - 4 * step, 180, 60, 60)
        order = seen(left, right) if step % 2 else seen(right, left)
        tracks = tracker.update(order, step / 30)
        if step == 0:
            names = {"left": tracks[1].id, "right": tracks[0].id}
        by_id = {track.id: track.detection.box for track in tracks}
        assert by_id == {names["left"]: Box(*left), names["right"]: Box(*right)}


def test_a_face_hidden_for_a_moment_keeps_its_id():
    tracker = FaceTracker(keep_s=0.7)
    first = tracker.update(seen((10, 10, 60, 60)), 0.0)[0].id
    assert tracker.update([], 0.3) == []
    assert tracker.update(seen((14, 10, 60, 60)), 0.5)[0].id == first


def test_a_face_gone_for_long_is_a_new_one():
    tracker = FaceTracker(keep_s=0.7)
    first = tracker.update(seen((10, 10, 60, 60)), 0.0)[0].id
    tracker.update([], 1.0)
    assert tracker.update(seen((10, 10, 60, 60)), 1.1)[0].id != first


def test_time_that_goes_back_starts_anew():
    tracker = FaceTracker()
    first = tracker.update(seen((10, 10, 60, 60)), 100.0)[0].id
    tracks = tracker.update(seen((10, 10, 60, 60)), 1.0)
    assert len(tracks) == 1 and tracks[0].id != first


def test_the_box_of_a_face_at_rest_is_steadier_than_the_detections():
    tracker = FaceTracker()
    jitter = [0, 6, 0, 6, 0, 6, 0, 6]
    xs = [tracker.update(seen((100 + j, 50, 60, 60)), k / 30)[0].box.x
          for k, j in enumerate(jitter)]  # fmt: skip
    steps = [abs(b - a) for a, b in pairwise(xs[2:])]
    assert max(steps) < 6


def test_a_smoothed_box_does_not_stick_out_of_the_frame():
    for side, one, other in product((100, 101), range(50, 60), range(50, 60)):
        tracker = FaceTracker()
        for k, width in enumerate((one, other)):  # each in the lower right corner
            x = side - width
            box = tracker.update(seen((x, x, width, width)), k / 30)[0].box
        assert box.x + box.w <= side and box.y + box.h <= side


def test_a_box_around_or_within_the_known_one_is_the_same_face():
    inner, outer = (130, 130, 40, 40), (100, 100, 100, 100)  # they share 16 % of their area
    for first, second in ((inner, outer), (outer, inner)):
        tracker = FaceTracker()
        known = tracker.update(seen(first), 0.0)[0].id
        assert [track.id for track in tracker.update(seen(second), 0.1)] == [known]


def test_a_small_box_across_the_edge_of_a_large_one_is_another_face():
    tracker = FaceTracker()
    known = tracker.update(seen((100, 100, 100, 100)), 0.0)[0].id
    assert tracker.update(seen((175, 130, 40, 40)), 0.1)[0].id != known


def test_the_face_that_overlaps_most_keeps_the_id():
    tracker = FaceTracker()
    known = tracker.update(seen((100, 100, 60, 60)), 0.0)[0].id
    by_id = {t.id: t.detection.box.x for t in tracker.update(
        seen((130, 100, 60, 60), (105, 100, 60, 60)), 0.1)}  # fmt: skip
    assert by_id[known] == 105 and len(by_id) == 2


def test_ids_are_counted_from_one():
    tracker = FaceTracker()
    assert [t.id for t in tracker.update(seen((0, 0, 60, 60), (200, 0, 60, 60)), 0.0)] == [1, 2]


@pytest.mark.parametrize("step", [-10, 10])
def test_the_smoothed_box_follows_a_face_and_keeps_its_size(step):
    tracker = FaceTracker()
    for k in range(20):
        (track,) = tracker.update(seen((300 + step * k, 300 - step * k, 60, 60)), k / 30)
        assert track.box.w == track.box.h == 60
        assert abs(track.box.x - track.detection.box.x) <= 10


@pytest.mark.parametrize(("step", "is_smoothed"), [(10, True), (25, False)])
def test_the_box_of_a_fast_head_is_taken_as_it_is(step, is_smoothed):
    tracker = FaceTracker()
    tracker.update(seen((100, 100, 60, 60)), 0.0)
    (track,) = tracker.update(seen((100 + step, 100, 60, 60)), 0.03)
    assert (track.box != track.detection.box) == is_smoothed
