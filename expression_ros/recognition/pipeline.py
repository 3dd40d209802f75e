"""One frame in, its faces with emotions out: detect, track, describe, classify, settle."""

from __future__ import annotations

import math
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle

import numpy as np

from expression_ros.recognition.boxes import Box, covers, without_overlaps
from expression_ros.recognition.classifier import Classifier
from expression_ros.recognition.detections import Detection
from expression_ros.recognition.detector import Detector
from expression_ros.recognition.face_memory import SIZE_S, WATCHED, FaceMemory
from expression_ros.recognition.face_preparation import prepare_face
from expression_ros.recognition.illumination import brightened, check_grey
from expression_ros.recognition.levelled_view import levelled
from expression_ros.recognition.mirrored_views import agreed, mirrored, read_both_ways
from expression_ros.recognition.primary_face import Candidate, PrimaryFaceSelector
from expression_ros.recognition.readings import FaceReading, FrameReading
from expression_ros.recognition.regional_vote import RegionalVote
from expression_ros.recognition.settings import RecognitionSettings, take_over
from expression_ros.recognition.settling import LabelSettler
from expression_ros.recognition.stillness import BLINK_S, StillScene
from expression_ros.recognition.tracking import FaceTracker, Track

_LOOK_AROUND_S = 0.12  # between searches of the frame while nobody is in view
_FRAME_S = 1 / 30  # taken to pass between two frames with one stamp
_LEAST_S = 0.001  # passes from every frame to the next
_LATEST_S = 1e12  # a stamp beyond it is no time in seconds; floats begin to lose milliseconds there
_PAIR_S = 0.3  # between a face and its mirror image, read in turns, that are taken together
_LONGEST_SIZE_S = 0.9  # the same, of a face that keeps its size
_SAME_SIZE = 0.06  # share of the width by which that search may err
_PATIENCE_S = 0.15  # so long a reading waits for a frame without another large expense
_FOLLOWED, _READ = 4, 2  # faces that are followed and read in each frame, however many there are
_FINE, _COARSE = False, True


class ExpressionRecognizer:
    """Reads a stream of frames. One thread at a time.

    What is kept of the frames before is of one size of frame and of one run of time: another size,
    and a stamp that goes back, start anew. So does an exception out of the reading of a frame:
    wherever it came from, the next frame is read as the first one. Ids are never given twice.

    Args:
        detector: finds the faces.
        classifier: reads one face.
        settings: see RecognitionSettings; others may be put in their place at any time, also from
            another thread: a frame is read to its end with those that it began with.
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier,
        settings: RecognitionSettings | None = None,
    ):
        self.detector = detector
        self.classifier = classifier
        self.settings = settings or RecognitionSettings()
        self._in_force = self.settings  # of the frame that is being read
        # Whose turn it is among the cascades, in whole frames and where a face was lost: with one
        # turn for both, some frame rates would give every whole frame to the same cascade.
        self._frame_turn = cycle(range(detector.parts))
        self._lost_turn = cycle(range(detector.lost_looks))
        self._searcher: ThreadPoolExecutor | None = None
        self._newcomers: Future[list[Detection]] | None = None
        self._tracker = FaceTracker()
        self.reset()

    def reset(self) -> None:
        """Forget all faces; those that come get ids that nobody had."""
        self._tracker.forget()
        self._memories: dict[int, FaceMemory] = {}
        self._selector = PrimaryFaceSelector()
        self._scene = StillScene()
        self._whole_frame_at: float | None = None  # the last thorough search
        self._looked_at: float | None = None  # the last search while nobody is known
        self._questions: deque[tuple[int, bool]] = deque()  # cascades to ask; fine or coarse
        self._last_stamp: float | None = None  # of the frames' time, see _time_of
        self._given_stamp: float | None = None
        self._shape: tuple[int, ...] = ()  # of the frames that all this is of
        self._searched_more = False  # whether this frame was searched for more than known faces
        self._newcomers = None

    def close(self) -> None:
        """End the thread that searches in the background, if there is one."""
        if self._searcher is not None:
            self._searcher.shutdown(wait=True, cancel_futures=True)
            self._searcher, self._newcomers = None, None

    def read(self, grey: np.ndarray, stamp: float) -> FrameReading:
        """Read the next frame.

        Args:
            grey: (H, W) uint8.
            stamp: when it was taken, in seconds; going back in time starts anew. Frames with one
                stamp are taken to be a thirtieth of a second apart.

        Raises:
            ValueError: the frame is not a two-dimensional uint8 array with pixels in it, or the
                stamp no time in seconds.
            Exception: whatever detector and classifier raise, also for a search in the
                background, once; the next frame can be read.
        """
        check_grey(grey)
        if not abs(stamp) < _LATEST_S:  # NaN, too
            raise ValueError(f"a stamp must be a time in seconds, not {stamp!r}")
        self._raise_from_background()
        self._take_settings()
        try:
            return self._read(brightened(grey), stamp)
        except BaseException:
            self._begin_anew()  # some of the state has moved on and some has not
            raise

    def _read(self, grey: np.ndarray, stamp: float) -> FrameReading:
        begin = time.perf_counter()
        if self._shape and grey.shape != self._shape:
            self._begin_anew()  # boxes, and how faces looked, are of frames of another size
        stamp = self._time_of(stamp)
        self._shape = grey.shape
        still = {
            track.id
            for track in self._tracker.tracks
            if track.last_seen == self._last_stamp
            and self._memories[track.id].is_unchanged(grey, stamp)
        }
        still |= self._waiting(still)
        tracks = self._tracker.update(self._detect(grey, stamp, still), stamp)
        self._last_stamp = stamp
        detected = time.perf_counter()
        due = self._due_to_be_read(tracks, still, stamp)
        faces = [
            self._read_face(grey, track, stamp, track.id in still, track.id in due)
            for track in tracks
        ]
        self._forget_lost_faces()
        primary = self._primary_of(tracks, grey.shape, stamp)
        faces.sort(key=lambda face: -face.box.area)
        classified = time.perf_counter()
        return FrameReading(
            tuple(faces),
            {"detect": detected - begin, "classify": classified - detected},
            next((face for face in faces if face.id == primary), None),
        )

    def _take_settings(self) -> None:
        """Let this frame be read, to its end, with the settings that are there at its start."""
        self._in_force = self.settings
        take_over(self._in_force, self.detector, self.classifier)

    def _waiting(self, still: set[int]) -> set[int]:
        """Return the faces that are taken to be where they were: of many, each has its turn.

        Those that were not looked at for longest are followed in this frame, half of them or more.
        """
        moving = [
            track
            for track in self._tracker.tracks
            if track.last_seen == self._last_stamp and track.id not in still
        ]
        moving.sort(key=lambda track: self._memories[track.id].still.stamp)
        return {track.id for track in moving[max(_FOLLOWED, math.ceil(len(moving) / 2)) :]}

    def _due_to_be_read(self, tracks: list[Track], still: set[int], stamp: float) -> set[int]:
        """Return the known faces that are read in this frame; of many, each has its turn.

        A frame that was searched for more than the known faces is no frame to read in as well,
        unless the reading has waited.
        """
        due = []
        for track in tracks:
            memory = self._memories.get(track.id)
            if memory is None or not memory.is_due(stamp):
                continue
            changed = track.id not in still or memory.is_news()
            waits = self._searched_more and stamp - memory.read_at <= _PATIENCE_S
            if changed and not waits:
                due.append((memory.read_at, track.id))
        return {track for _, track in sorted(due)[: max(_READ, math.ceil(len(tracks) / 2))]}

    def _begin_anew(self) -> None:
        """Forget all faces in mid-stream: the next frames ask one cascade each.

        Where every frame has another size, or fails, none of them is to cost a quick start.
        """
        self.reset()
        self._looked_at = -math.inf

    def _time_of(self, stamp: float) -> float:
        """Return the frame's time: its stamp, but later than that of every frame before.

        Where time stood still, no face would ever be looked for, read again or found to be gone.
        """
        if self._given_stamp is not None and stamp < self._given_stamp:
            self._begin_anew()  # a bag that loops, a simulation that was reset: other faces
        given, self._given_stamp = self._given_stamp, stamp
        if self._last_stamp is None:
            return stamp
        passed = _FRAME_S if stamp == given else _LEAST_S
        return max(stamp, self._last_stamp + passed)

    def _raise_from_background(self) -> None:
        """Raise what a search in the background raised, and drop it; known faces stay known."""
        if self._newcomers is not None and self._newcomers.done():
            error = self._newcomers.exception()
            if error is not None:
                self._newcomers = None
                raise error

    def read_still(self, grey: np.ndarray) -> FrameReading:
        """Read a single picture: every cascade is asked, nothing is smoothed, ids are 0.

        Raises:
            ValueError: as for read.
        """
        check_grey(grey)
        self._take_settings()
        grey = brightened(grey)
        faces = []
        for detection in self.detector.search_photo(grey):
            view = levelled(grey, detection.box, detection.tilt)
            prediction = read_both_ways(self.classifier, *view)
            settler = LabelSettler(min_confidence=self._in_force.min_confidence)
            label, score = settler.update(prediction.scores, 0.0)
            box, votes = detection.box, prediction.votes
            faces.append(FaceReading(0, box, label, score, prediction.scores, votes))
        return FrameReading(tuple(faces), primary=faces[0] if faces else None)

    def _detect(self, grey: np.ndarray, stamp: float, still: set[int]) -> list[Detection]:
        known = self._tracker.tracks
        self._searched_more = False
        if not known:
            return self._search_for_anybody(grey, stamp)
        sized = self._next_to_size([track for track in known if track.id not in still], stamp)
        self._searched_more = sized is not None
        seen = [
            track.detection if track.id in still else self._follow(grey, track, track is sized)
            for track in known
        ]
        found = [detection for detection in seen if detection]
        if not found:
            if any(track.last_seen == self._last_stamp for track in known):
                self._whole_frame_at = stamp
                self._questions.clear()  # just lost: a face that is not near may have jumped
                self._questions += [(index, _COARSE) for index in range(self.detector.parts)]
            return self._search_for_anybody(grey, stamp)
        found += self._newcomers_in(grey, stamp, found)
        return [found[i] for i in without_overlaps([d.box for d in found])]

    def _next_to_size(self, tracks: list[Track], stamp: float) -> Track | None:
        """Return the face whose size is due to be searched; one a frame, to spread the cost.

        None in a frame in which newcomers are searched.
        """
        if self._due(stamp) and self.detector.selection != "single":
            return None
        waiting = [track for track in tracks if track.last_seen == self._last_stamp]
        track = min(waiting, key=lambda t: self._memories[t.id].sized_at, default=None)
        if track is None:
            return None
        memory = self._memories[track.id]
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
        memory, width = self._memories[track.id], track.detection.box.w
        is_kept = found is not None and abs(found.box.w - width) <= _SAME_SIZE * width
        memory.size_s = min(memory.size_s + SIZE_S, _LONGEST_SIZE_S) if is_kept else SIZE_S
        return found

    def _due(self, stamp: float) -> bool:
        last = self._whole_frame_at
        return last is None or stamp - last >= self._in_force.redetect_interval

    def _search_for_anybody(self, grey: np.ndarray, stamp: float) -> list[Detection]:
        """Search a frame in which nobody is known, one cascade a frame.

        When a search of the whole frame is due, each cascade is asked in one of the next frames,
        so that no frame waits for all four; only in the very first all are, for a quick start. In
        between, only what moves is worth a look, eight times a second: an empty room would
        otherwise cost a search a frame for ever.
        """
        if self._looked_at is None:
            self._whole_frame_at = self._looked_at = stamp
            self._scene.remember(grey)
            return self.detector.search_frame(grey)
        if self._due(stamp):
            self._whole_frame_at = stamp
            self._questions.clear()
            parts, turned = self.detector.parts, self.detector.turned_looks
            self._questions += [(index, _FINE) for index in range(parts)]
            self._questions += [(index, _COARSE) for index in range(parts, parts + turned)]
        if self._questions:
            cascade, coarse = self._questions.popleft()
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

        The cascades take turns over the intervals: what only one of them sees is found as well.
        """
        if self._newcomers is not None and self._newcomers.done():
            found, self._newcomers = self._newcomers.result(), None
            return self._still_there(grey, found, known)
        if not self._due(stamp):
            return []
        self._whole_frame_at = stamp
        if self.detector.selection == "single":
            return []  # one face is asked for, and it is in view
        self._searched_more = True
        turn, boxes = (next(self._frame_turn),), [detection.box for detection in known]
        if not self._in_force.background:
            return self.detector.search_frame(grey, turn, _COARSE, boxes)
        if self._newcomers is None:
            if self._searcher is None:
                self._searcher = ThreadPoolExecutor(1, "newcomers")
            self._newcomers = self._searcher.submit(self._search_elsewhere, grey, turn, boxes)
        return []

    def _search_elsewhere(
        self, grey: np.ndarray, turn: tuple[int, ...], known: list[Box]
    ) -> list[Detection]:
        """Search a frame in the background thread; it makes its detector, which takes long."""
        return self.detector.twin().search_frame(grey, turn, _COARSE, known)

    def _still_there(
        self, grey: np.ndarray, found: list[Detection], known: list[Detection]
    ) -> list[Detection]:
        """Return where faces that were found some frames ago are now, without those known."""
        new = [d for d in found if all(covers(d.box, k.box) < 0.5 for k in known)]
        seen = [self.detector.search_near(grey, detection) for detection in new]
        return [detection for detection in seen if detection]

    def _read_face(
        self, grey: np.ndarray, track: Track, stamp: float, still: bool, due: bool
    ) -> FaceReading:
        memory = self._memories.setdefault(track.id, FaceMemory(sized_at=stamp))  # just searched
        if not still:
            memory.still.remember(grey, track.detection.box, stamp)
        due = due or memory.prediction is None
        # A calm face is read less often than its mouth has to be watched.
        watched = not still and not 0 <= stamp - memory.watched_at < BLINK_S
        if due or watched:
            view = levelled(grey, track.box, track.detection.tilt)
            if watched:
                memory.mouth.see(prepare_face(*view, WATCHED), stamp)
                memory.watched_at = stamp
            if due:
                self._ask(view, memory, stamp)
        prediction = memory.prediction
        assert prediction is not None
        settler = memory.settler
        settler.time_constant = self._in_force.smoothing
        settler.margin = self._in_force.switch_margin
        settler.min_confidence = self._in_force.min_confidence
        settler.talking_time = self._in_force.talking_time
        settler.doubt_time = self._in_force.doubt_time
        speaking = memory.mouth.is_speaking(stamp)
        scores = prediction.scores
        if self._in_force.resting_state and self._knows_nobody():
            scores = memory.rest.read(scores, stamp, speaking)
        moving = memory.mouth.is_moving(stamp)
        label, score = settler.update(scores, stamp, speaking, moving)
        return FaceReading(
            track.id, track.box, label, score, dict(settler.scores), prediction.votes
        )

    def _ask(self, view: tuple[np.ndarray, Box], memory: FaceMemory, stamp: float) -> None:
        """Read a face, or in turns its mirror image, and take it together with the last reading."""
        turned, memory.mirrored = memory.mirrored, not memory.mirrored
        seen = mirrored(*view) if turned else view
        if isinstance(self.classifier, RegionalVote):
            said = self.classifier.read_watched(*seen, memory.mouth.is_speaking(stamp))
        else:
            said = self.classifier.read(*seen)
        other = memory.view if stamp - memory.read_at < _PAIR_S else None
        memory.prediction = agreed([said, other]) if other else said
        memory.said.append(said.scores)
        memory.view, memory.read_at = said, stamp

    def _knows_nobody(self) -> bool:
        """Return whether the classifier is adapted to nobody: whose is, knows the person's rest."""
        return getattr(self.classifier, "person", None) is None

    def _primary_of(self, tracks: list[Track], shape: tuple[int, ...], stamp: float) -> int | None:
        self._selector.rule = self._in_force.primary
        self._selector.wanted_id = self._in_force.primary_id
        candidates = [Candidate(track.id, track.box, track.first_seen) for track in tracks]
        return self._selector.choose(candidates, (shape[1], shape[0]), stamp)

    def _forget_lost_faces(self) -> None:
        alive = {track.id for track in self._tracker.tracks}
        self._memories = {k: v for k, v in self._memories.items() if k in alive}
