from itertools import pairwise, product

import numpy as np
import pytest

from expression_ros.recognition.boxes import Box, Detection, overlap
from expression_ros.recognition.tracking import _SAME_FACE_OVERLAP, FaceTracker, _similarity


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


def test_a_good_match_counts_more_than_two_poor_ones():
    """A face is hidden while another comes: the one that stayed keeps its id."""
    tracker = FaceTracker()
    stayed, hidden = tracker.update(seen((100, 0, 100, 100), (154, 0, 100, 100)), 0.0)
    newcomer, same = (67, 0, 100, 100), (111, 0, 100, 100)
    tracks = tracker.update(seen(newcomer, same), 0.1)
    assert [(t.id, t.detection.box.x) for t in tracks] == [(stayed.id, 111), (hidden.id + 1, 67)]


class OptimalTracker(FaceTracker):
    """Takes the pairs with the largest sum of overlaps instead."""

    def update(self, detections, stamp):
        from scipy.optimize import linear_sum_assignment

        tracks, taken = list(self.tracks), {}
        overlaps = np.zeros((len(tracks), len(detections)))
        for row, track in enumerate(tracks):
            overlaps[row] = [_similarity(track.detection.box, d.box) for d in detections]
        overlaps[overlaps < _SAME_FACE_OVERLAP] = 0.0
        for row, column in zip(*linear_sum_assignment(-overlaps), strict=True):
            if overlaps[row, column]:
                taken[column] = tracks[row].id
        for k, detection in enumerate(detections):
            if k in taken:
                self._move(taken[k], detection, stamp)
            else:
                self._start(detection, stamp)
        self.tracks = [t for t in self.tracks if stamp - t.last_seen <= self.keep_s]
        return [t for t in self.tracks if t.last_seen == stamp]


def crossing_faces(seed, count, rate=15, seconds=4):
    """Yield frames of faces that walk past each other: {face: box} of those that are detected.

    Boxes shake by 3 % of their width, one in twenty is missed, and the smaller of two is hidden
    where they overlap by half.
    """
    rng = np.random.default_rng(seed)
    sizes, rows = rng.uniform(60, 120, count), rng.uniform(150, 190, count)
    begins, ends = rng.uniform(0, 560, (2, count))
    for way in np.linspace(0, 1, rate * seconds):
        boxes = {}
        for face in np.argsort(-sizes):
            dx, dy, grown = rng.normal(0, 0.03 * sizes[face], 3)
            x = begins[face] + way * (ends[face] - begins[face]) + dx
            side = int(sizes[face] + grown)
            box = Box(int(x), int(rows[face] + dy), side, side)
            if rng.random() > 0.05 and all(overlap(box, other) < 0.5 for other in boxes.values()):
                boxes[face] = box
        yield boxes


def changed_ids(tracker, frames, rate=15):
    """Return how often a face was given another id than it had."""
    known, changes = {}, 0
    for k, boxes in enumerate(frames):
        ids = {t.detection.box: t.id for t in tracker.update(seen(*boxes.values()), k / rate)}
        now = {face: ids[box] for face, box in boxes.items()}
        changes += sum(known.get(face, now[face]) != now[face] for face in now)
        known |= now
    return changes


def test_crossing_faces_keep_their_ids_as_well_as_with_the_optimal_assignment():
    pytest.importorskip("scipy", reason="needs scipy: pip install scikit-learn")
    sequences = [list(crossing_faces(seed, count)) for seed in range(12) for count in (2, 3, 5, 8)]
    greedy = sum(changed_ids(FaceTracker(), frames) for frames in sequences)
    optimal = sum(changed_ids(OptimalTracker(), frames) for frames in sequences)
    assert 0 < greedy <= optimal
    faces = sum(len(boxes) for frames in sequences for boxes in frames)
    assert greedy < 0.02 * faces
