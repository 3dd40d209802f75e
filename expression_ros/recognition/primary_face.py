"""Whom a robot answers when several people are in view: one face, and not another every second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from expression_ros.parameters.choices import BY_ID, CENTRE, LARGEST, LONGEST
from expression_ros.recognition.boxes import Box

_LARGER = 1.3  # times the area that another face needs to take over
_NEARER = 0.1  # of the frame's width by which another face must be nearer to the centre
_PATIENCE_S = 0.5  # for which a face that led is waited for when it is not seen, and for which
# another face must lead before it takes over


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
