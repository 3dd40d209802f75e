"""Detections become faces with ids that last, and one of them is whom a robot answers.

Which detection is which track is decided greedily, the pair that overlaps most first, and not by
the assignment with the largest sum of overlaps (the Hungarian method, linear_sum_assignment of
scipy.optimize). That sum prefers two poor pairs to a good one and a newcomer: where one face leaves
or comes while another stays, it hands ids over that the greedy choice keeps. On made sequences of
crossing faces (test_tracking.py) the greedy choice changes no more ids, and it does without
scipy.optimize, whose import takes longer than those of numpy and OpenCV together.

When several people are in view, the primary face is one of them, and not another every second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from expression_ros.parameters.choices import BY_ID, CENTRE, LARGEST, LONGEST
from expression_ros.recognition.boxes import Box, Detection, covers, intersection, overlap
from expression_ros.recognition.face_memory import FaceMemory

_SAME_FACE_OVERLAP = 0.2
_BOX_SMOOTHING = 0.5  # share of the new box; Haar boxes jump by some pixels on a face at rest

# Of the primary face.
_LARGER = 1.3  # times the area that another face needs to take over
_NEARER = 0.1  # of the frame's width by which another face must be nearer to the centre
_PATIENCE_S = 0.5  # for which a face that led is waited for when it is not seen, and for which
# another face must lead before it takes over


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


@dataclass(frozen=True)
class Candidate:
    """A face that may be the primary one.

    Attributes:
        id: of its track.
        box: where it is, in pixels.
        first_seen: seconds, of the frames' stamps.
    """

    id: int
    box: Box
    first_seen: float


class PrimaryFaceSelector:
    """Chooses the primary face with hysteresis.

    Another face takes over only if it leads clearly and for half a second, and a face that led is
    waited for as long when a frame misses it: between two people of equal size the robot's look
    does not hop.

    Args:
        rule: one of PRIMARY_CHOICES: the largest face, the one nearest to the frame's centre, the
            one that has been in view for longest, or the one with a given id.
        wanted_id: of the face for the rule "id".
    """

    def __init__(self, rule: str = LARGEST, wanted_id: int = 0):
        self.rule = rule
        self.wanted_id = wanted_id
        self._present: int | None = None
        self._last_seen = -math.inf
        self._rival: int | None = None
        self._rival_since = 0.0
        self._last_stamp = -math.inf

    def choose(
        self, faces: Sequence[Candidate], frame_size: tuple[int, int], stamp: float
    ) -> int | None:
        """Return the id of the primary face of this frame, or None.

        None is also the answer while a face that led is being waited for.

        Args:
            faces: of this frame.
            frame_size: (width, height) in pixels.
            stamp: of the frame in seconds; going back in time starts anew.
        """
        if stamp < self._last_stamp:
            self._present, self._rival = None, None
        self._last_stamp = stamp
        if self.rule == BY_ID:
            self._present = None
            return next((face.id for face in faces if face.id == self.wanted_id), None)
        leader = min(faces, key=lambda face: self._rank(face, frame_size), default=None)
        present = next((face for face in faces if face.id == self._present), None)
        if present is None:
            if self._present is not None and stamp - self._last_seen < _PATIENCE_S:
                return None
            self._take(leader, stamp)
        else:
            self._last_seen = stamp
            if leader is not None and self._outdone(present, leader, frame_size, stamp):
                self._take(leader, stamp)
        return self._present

    def _take(self, face: Candidate | None, stamp: float) -> None:
        self._present = None if face is None else face.id
        self._last_seen = stamp
        self._rival = None

    def _outdone(
        self, present: Candidate, leader: Candidate, size: tuple[int, int], stamp: float
    ) -> bool:
        if leader.id == present.id or not self._leads_clearly(present, leader, size):
            self._rival = None
            return False
        if self._rival != leader.id:
            self._rival, self._rival_since = leader.id, stamp
        return stamp - self._rival_since >= _PATIENCE_S

    def _leads_clearly(self, present: Candidate, leader: Candidate, size: tuple[int, int]) -> bool:
        if self.rule == LARGEST:
            return leader.box.area >= _LARGER * present.box.area
        if self.rule == CENTRE:
            gain = _from_centre(present.box, size) - _from_centre(leader.box, size)
            return gain >= _NEARER * size[0]
        return True  # longest in view: only after the rule was changed

    def _rank(self, face: Candidate, size: tuple[int, int]) -> tuple[float, int]:
        if self.rule == CENTRE:
            return _from_centre(face.box, size), face.id
        if self.rule == LONGEST:
            return face.first_seen, face.id
        return -face.box.area, face.id


def _from_centre(box: Box, size: tuple[int, int]) -> float:
    """Return the distance of a box's centre from that of the frame, in pixels."""
    return math.hypot(box.x + box.w / 2 - size[0] / 2, box.y + box.h / 2 - size[1] / 2)
