"""Where faces are in each frame of a stream, at a cost that is spread over the frames.

Known faces are followed, one of them a frame is searched for at all sizes; where nothing has
changed, nothing is searched. The whole frame is searched for newcomers every so often, by one
cascade a frame, in the background if that is asked for.
"""

from __future__ import annotations

import math
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle

import numpy as np

from expression_ros.recognition.boxes import Box, Detection, covers, without_overlaps
from expression_ros.recognition.detector import Detector
from expression_ros.recognition.face_memory import SIZE_S, StillScene
from expression_ros.recognition.settings import RecognitionSettings
from expression_ros.recognition.tracking import Track

_LOOK_AROUND_S = 0.12  # between searches of the frame while nobody is in view
_LONGEST_SIZE_S = 0.9  # between searches over all sizes for a face that keeps its size
_SAME_SIZE = 0.06  # share of the width by which that search may err
_FOLLOWED = 4  # faces that are followed in each frame, however many there are
_FINE, _COARSE = False, True


class FaceSearch:
    """Decides what of each frame is searched. One thread at a time.

    Args:
        detector: finds the faces.

    Attributes:
        held: ids of the tracks that were not searched for in the last frame, since they look as
            they did, or since it was the turn of others.
        searched_more: whether the last frame was searched for more than known faces.
    """

    def __init__(self, detector: Detector):
        self.detector = detector
        # Whose turn it is among the cascades, in whole frames and where a face was lost: with one
        # turn for both, some frame rates would give every whole frame to the same cascade.
        self._frame_turn = cycle(range(detector.parts))
        self._lost_turn = cycle(range(detector.lost_looks))
        self._small_turn = 0
        self._searcher: ThreadPoolExecutor | None = None
        self._newcomers: Future[list[Detection]] | None = None
        self.reset()

    def reset(self, quick_start: bool = True) -> None:
        """Forget what was searched.

        Args:
            quick_start: ask all cascades in the next frame. Without, the next frames ask one each:
                where every frame has another size, or fails, none of them is to cost so much.
        """
        self.held: set[int] = set()
        self.searched_more = False
        self._scene = StillScene()
        self._last_stamp: float | None = None
        self._whole_frame_at: float | None = None  # the last thorough search
        self._small_at: float | None = None  # the last look for small newcomers
        # the last search while nobody is known
        self._looked_at: float | None = None if quick_start else -math.inf
        self._pending: deque[tuple[int, bool]] = deque()  # cascades to ask; fine or coarse
        self._newcomers = None

    def close(self) -> None:
        """End the thread that searches in the background, if there is one."""
        if self._searcher is not None:
            self._searcher.shutdown(wait=True, cancel_futures=True)
            self._searcher, self._newcomers = None, None

    def raise_from_background(self) -> None:
        """Raise what a search in the background raised, and drop it; known faces stay known."""
        if self._newcomers is not None and self._newcomers.done():
            error = self._newcomers.exception()
            if error is not None:
                self._newcomers = None
                raise error

    def find(
        self, grey: np.ndarray, stamp: float, known: list[Track], settings: RecognitionSettings
    ) -> list[Detection]:
        """Return the faces of the next frame.

        Args:
            grey: (H, W) uint8.
            stamp: of the frame in seconds, later than that of every frame before.
            known: the tracks of the frames before.
            settings: how often and how to look for newcomers.
        """
        self._settings, self._small_looks = settings, self.detector.small_looks(grey.shape[0])
        seen = [track for track in known if track.last_seen == self._last_stamp]
        still = {track.id for track in seen if track.memory.is_unchanged(grey, stamp)}
        self.held = still | _waiting([track for track in seen if track.id not in still])
        self.searched_more = False
        found = self._find(grey, stamp, known)
        self._last_stamp = stamp
        return found

    def _find(self, grey: np.ndarray, stamp: float, known: list[Track]) -> list[Detection]:
        if not known:
            return self._search_for_anybody(grey, stamp)
        sized = self._next_to_size([track for track in known if track.id not in self.held], stamp)
        self.searched_more = sized is not None
        seen = [
            track.detection if track.id in self.held else self._follow(grey, track, track is sized)
            for track in known
        ]
        found = [detection for detection in seen if detection]
        if not found:
            if any(track.last_seen == self._last_stamp for track in known):
                self._whole_frame_at = stamp
                self._pending.clear()  # just lost: a face that is not near may have jumped
                self._pending += [(index, _COARSE) for index in range(self.detector.parts)]
            return self._search_for_anybody(grey, stamp)
        found += self._newcomers_in(grey, stamp, found)
        return [found[i] for i in without_overlaps([d.box for d in found])]

    def _next_to_size(self, tracks: list[Track], stamp: float) -> Track | None:
        """Return the face whose size is due to be searched; one a frame, to spread the cost.

        None in a frame in which newcomers are searched.
        """
        if self._due(stamp) and not self._newcomers and self.detector.selection != "single":
            return None
        waiting = [track for track in tracks if track.last_seen == self._last_stamp]
        track = min(waiting, key=lambda t: t.memory.sized_at, default=None)
        if track is None:
            return None
        memory = track.memory
        if stamp - memory.sized_at < memory.size_s:
            return None
        memory.sized_at = stamp
        return track

    def _follow(self, grey: np.ndarray, track: Track, sized: bool) -> Detection | None:
        if track.last_seen == self._last_stamp:
            found = self._sized(grey, track) if sized else None
            return found or self.detector.search_near(grey, track.detection)
        return self.detector.search_lost(grey, track.detection, next(self._lost_turn))

    def _sized(self, grey: np.ndarray, track: Track) -> Detection | None:
        """Return the face at whatever size it has; one that keeps it is asked ever less often."""
        found = self.detector.search_size(grey, track.detection)
        memory, width = track.memory, track.detection.box.w
        is_kept = found is not None and abs(found.box.w - width) <= _SAME_SIZE * width
        memory.size_s = min(memory.size_s + SIZE_S, _LONGEST_SIZE_S) if is_kept else SIZE_S
        return found

    def _due(self, stamp: float) -> bool:
        last = self._whole_frame_at
        return last is None or stamp - last >= self._settings.redetect_interval

    def _small_due(self, stamp: float) -> bool:
        """Return whether to look for small newcomers: between other looks, every other time.

        Who is far away can wait for longer than a frame can for the others.
        """
        if not self._small_looks or self._whole_frame_at is None:
            return False
        interval, last = self._settings.redetect_interval, self._small_at
        # Never twice in a row, and where every frame is due for the whole one, every other time.
        waited = last is None or (last < self._whole_frame_at and stamp - last >= 2 * interval)
        return waited and stamp - self._whole_frame_at >= interval / 2

    def _next_small(self) -> int:
        """Return the number of the next look for small faces; they take turns."""
        self._small_turn = (self._small_turn + 1) % self._small_looks
        return self.detector.parts + self.detector.turned_looks + self._small_turn

    def _search_for_anybody(self, grey: np.ndarray, stamp: float) -> list[Detection]:
        """Search a frame in which nobody is known, one cascade a frame.

        When a search of the whole frame is due, each cascade is asked in one of the next frames,
        so that no frame waits for all four; only in the very first all are, for a quick start. In
        between, only what moves is worth a look, eight times a second: an empty room would
        otherwise cost a search in every frame.
        """
        if self._looked_at is None:
            self._whole_frame_at = self._looked_at = stamp
            self._scene.remember(grey)
            return self.detector.search_frame(grey, range(self.detector.parts))
        if self._due(stamp) and not self._pending:  # else few frames would only see its beginning
            self._whole_frame_at = stamp
            parts, turned = self.detector.parts, self.detector.turned_looks
            self._pending += [(index, _FINE) for index in range(parts)]
            self._pending += [(index, _COARSE) for index in range(parts, parts + turned)]
            some = math.ceil(self._small_looks / 2)  # the others next time
            self._pending += [(self._next_small(), _COARSE) for _ in range(some)]
        if self._pending:
            cascade, coarse = self._pending.popleft()
        elif 0 <= stamp - self._looked_at < _LOOK_AROUND_S or self._scene.is_unchanged(grey):
            return []
        else:
            cascade, coarse = next(self._frame_turn), _COARSE
        self._looked_at = stamp
        self._scene.remember(grey)
        return self.detector.search_frame(grey, (cascade,), coarse)

    def _newcomers_in(
        self, grey: np.ndarray, stamp: float, known: list[Detection]
    ) -> list[Detection]:
        """Return who came in while somebody is known.

        The cascades take turns over the intervals: what only one of them sees is found as well. So
        do the parts of the frame in which the smallest faces are looked for.
        """
        if self._newcomers is not None and self._newcomers.done():
            found, self._newcomers = self._newcomers.result(), None
            return self._still_there(grey, found, known)
        if self._newcomers is not None:
            return []  # still being searched for: the next look keeps its turn
        small = self._small_due(stamp)
        if not small and not self._due(stamp):
            return []
        if small:
            self._small_at = stamp
        else:
            self._whole_frame_at = stamp
        if self.detector.selection == "single":
            return []  # one face is asked for, and it is in view
        self.searched_more = True
        turn = (self._next_small() if small else next(self._frame_turn),)
        boxes = [detection.box for detection in known]
        if not self._settings.background:
            return self.detector.search_frame(grey, turn, _COARSE, boxes)
        if self._searcher is None:
            self._searcher = ThreadPoolExecutor(1, "newcomers")
        self._newcomers = self._searcher.submit(self._search_elsewhere, grey, turn, boxes)
        return []

    def _search_elsewhere(
        self, grey: np.ndarray, turn: tuple[int, ...], known: list[Box]
    ) -> list[Detection]:
        """Search a frame in the background thread; it makes its detector, which takes long."""
        return self.detector.clone().search_frame(grey, turn, _COARSE, known)

    def _still_there(
        self, grey: np.ndarray, found: list[Detection], known: list[Detection]
    ) -> list[Detection]:
        """Return where faces that were found some frames ago are now, without those known."""
        new = [d for d in found if all(covers(d.box, k.box) < 0.5 for k in known)]
        seen = [self.detector.search_near(grey, detection) for detection in new]
        return [detection for detection in seen if detection]


def _waiting(moving: list[Track]) -> set[int]:
    """Return the faces that are taken to be where they were: of many, each has its turn.

    Those that were not looked at for longest are followed in this frame, half of them or more.
    """
    moving = sorted(moving, key=lambda track: track.memory.still.stamp)
    return {track.id for track in moving[max(_FOLLOWED, math.ceil(len(moving) / 2)) :]}
