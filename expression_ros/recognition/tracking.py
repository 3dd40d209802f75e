"""Detections become faces with ids that last.

Which detection is which track is decided greedily, the pair that overlaps most first, and not by
the assignment with the largest sum of overlaps (the Hungarian method, linear_sum_assignment of
scipy.optimize). That sum prefers two poor pairs to a good one and a newcomer: where one face leaves
or comes while another stays, it hands ids over that the greedy choice keeps. On made sequences of
crossing faces (test_tracking.py) the greedy choice changes no more ids, and it does without
scipy.optimize, whose import takes longer than those of numpy and OpenCV together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from expression_ros.recognition.boxes import Box, covers, intersection, overlap
from expression_ros.recognition.detections import Detection
from expression_ros.recognition.face_memory import FaceMemory

_SAME_FACE_OVERLAP = 0.2
_BOX_SMOOTHING = 0.5  # share of the new box; Haar boxes jump by some pixels on a face at rest


@dataclass
class Track:
    """One face over time.

    Attributes:
        id: unique in this tracker's life, counted from 1.
        detection: where it was seen last, as the cascade drew it.
        box: the same, smoothed over the last frames.
        first_seen, last_seen: seconds, of the frames' stamps.
        memory: what is known of it besides, from search and classification.
    """

    id: int
    detection: Detection
    box: Box
    first_seen: float
    last_seen: float
    memory: FaceMemory = field(default_factory=FaceMemory)


class FaceTracker:
    """Gives each detection the id of the face it overlaps.

    Args:
        keep_s: seconds for which a face that is not seen keeps its id.
    """

    def __init__(self, keep_s: float = 0.7):
        self.keep_s = keep_s
        self.tracks: list[Track] = []
        self._next_id = 1

    def forget(self) -> None:
        """Forget all faces, but not which ids were given."""
        self.tracks = []

    def update(self, detections: Sequence[Detection], stamp: float) -> list[Track]:
        """Take one frame's detections and return the tracks seen in it, oldest first.

        Args:
            detections: the faces of the frame, overlaps removed.
            stamp: the frame's time in seconds. Time that goes back (a bag that loops, a simulation
                that was reset) starts anew with no faces.
        """
        if any(stamp < track.last_seen for track in self.tracks):
            self.tracks = []
        pairs = sorted(
            (
                (_similarity(track.detection.box, d.box), track.id, k)
                for track in self.tracks
                for k, d in enumerate(detections)
            ),
            reverse=True,
        )
        taken: dict[int, int] = {}
        matched: set[int] = set()
        for similarity, track_id, k in pairs:
            if similarity >= _SAME_FACE_OVERLAP and k not in taken and track_id not in matched:
                taken[k] = track_id
                matched.add(track_id)
        for k, detection in enumerate(detections):
            if k in taken:
                self._move(taken[k], detection, stamp)
            else:
                self._start(detection, stamp)
        self.tracks = [t for t in self.tracks if stamp - t.last_seen <= self.keep_s]
        return [t for t in self.tracks if t.last_seen == stamp]

    def _move(self, track_id: int, detection: Detection, stamp: float) -> None:
        track = next(t for t in self.tracks if t.id == track_id)
        track.box = _blend(track.box, detection.box)
        track.detection = detection
        track.last_seen = stamp

    def _start(self, detection: Detection, stamp: float) -> None:
        memory = FaceMemory(sized_at=stamp)  # it was just searched for at all sizes
        self.tracks.append(Track(self._next_id, detection, detection.box, stamp, stamp, memory))
        self._next_id += 1


def _similarity(a: Box, b: Box) -> float:
    """Return the overlap; a box inside the other counts too: cascades frame faces differently."""
    if not intersection(a, b):  # of many faces, most pairs
        return 0.0
    share = covers(a, b)
    return max(overlap(a, b), 0.5 * share if share > 0.8 else 0.0)


def _blend(old: Box, new: Box) -> Box:
    """Return the smoothed box; one that moved far (a fast head) is taken as it is."""
    if overlap(old, new) < 0.5:
        return new
    x, y, w, h = (round(o + _BOX_SMOOTHING * (n - o)) for o, n in zip(old, new, strict=True))
    right, bottom = max(old.x + old.w, new.x + new.w), max(old.y + old.h, new.y + new.h)
    return Box(x, y, min(w, right - x), min(h, bottom - y))  # rounded up twice, it would stick out
