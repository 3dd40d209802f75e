"""The ids under which ROS4HRI (REP-155) knows faces: five letters, never given twice in a run."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LENGTH = 5
_COUNT = len(_LETTERS) ** _LENGTH  # 11.9 million ids
_STEP = 7_654_321  # shares no factor with _COUNT, so that each number gives another id


def face_name(number: int, origin: str = "") -> str:
    """Return the id of the number-th face: five letters a to z, as in ``hpjrt``.

    Args:
        number: of the face, from 1; the first 11,881,376 all get different ids.
        origin: who numbers the faces; the same number of another origin gets another id.
    """
    place = (number * _STEP + zlib.crc32(origin.encode())) % _COUNT
    letters = []
    for _ in range(_LENGTH):
        place, digit = divmod(place, len(_LETTERS))
        letters.append(_LETTERS[digit])
    return "".join(reversed(letters))


class PresentFaces:
    """Says which faces are there, by id, as frame after frame tells which were seen.

    A tracker that starts anew may count from 1 again; the ids go on where they were.

    Args:
        origin: as for face_name.
        keep_s: seconds for which a face that is not seen stays, as long as its tracker knows it.
    """

    def __init__(self, origin: str = "", keep_s: float = 0.7):
        self.origin = origin
        self.keep_s = keep_s
        self._before = 0  # numbers given before the tracker's last start
        self._highest = 0
        self._seen: dict[int, float] = {}  # track id: when it was seen last, s
        self._stamp: float | None = None

    def update(self, track_ids: Iterable[int], stamp: float) -> list[str]:
        """Take the tracks seen in a frame and return the ids of all who are there, oldest first.

        Args:
            track_ids: from 1, as FaceReading.id.
            stamp: the frame's time in seconds; going back in time starts anew, as the tracker does.
        """
        if self._stamp is not None and stamp < self._stamp:
            self.restart()
        self._stamp = stamp
        for track_id in track_ids:
            self._seen[track_id] = stamp
            self._highest = max(self._highest, self._before + track_id)
        self._seen = {k: seen for k, seen in self._seen.items() if stamp - seen <= self.keep_s}
        return [self.name(track_id) for track_id in sorted(self._seen)]

    def restart(self) -> None:
        """Forget all faces: the tracker may count from 1 again, and its faces are new ones."""
        self.clear()
        self._before = self._highest
        self._stamp = None

    def clear(self) -> None:
        """Forget who is there, as when the camera is silent; the tracker goes on counting."""
        self._seen = {}

    def name(self, track_id: int) -> str:
        """Return the id of a track of the present tracker."""
        return face_name(self._before + track_id, self.origin)
