"""One frame in, its faces with emotions out: detect, track, classify, smooth, choose."""

from __future__ import annotations

import math
import time

import numpy as np

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.classifier import Classifier, is_adapted, read_in_stream
from expression_ros.recognition.detector import Detector
from expression_ros.recognition.face_memory import BLINK_S, WATCHED, FaceMemory
from expression_ros.recognition.face_preparation import prepare_face
from expression_ros.recognition.face_views import agreed, levelled, mirrored, read_both_ways
from expression_ros.recognition.image_operations import brightened, check_grey
from expression_ros.recognition.readings import FaceReading, FrameReading
from expression_ros.recognition.search import FaceSearch
from expression_ros.recognition.settings import RecognitionSettings, take_over
from expression_ros.recognition.smoothing import LabelSmoother
from expression_ros.recognition.tracking import Candidate, FaceTracker, PrimaryFaceSelector, Track

_FRAME_S = 1 / 30  # taken to pass between two frames with one stamp
_LEAST_S = 0.001  # passes from every frame to the next
_LATEST_S = 1e12  # a stamp beyond it is no time in seconds; floats begin to lose milliseconds there
_PAIR_S = 0.3  # between a face and its mirror image, read in turns, that are taken together
_PATIENCE_S = 0.15  # so long a reading waits for a frame without another large expense
_READ = 2  # faces that are read in each frame, however many there are


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
        # The settings that detector and classifier were told last, and which classifier it was.
        self._taken_over: tuple[RecognitionSettings | None, Classifier | None] = (None, None)
        self._search = FaceSearch(detector)
        self._tracker = FaceTracker()
        self.reset()

    def reset(self, quick_start: bool = True) -> None:
        """Forget all faces; those that come get ids that nobody had.

        Args:
            quick_start: search the next frame as the first one. Where every frame has another
                size, or fails, none of them is to cost so much.
        """
        self._search.reset(quick_start)
        self._tracker.forget()
        self._selector = PrimaryFaceSelector()
        self._last_stamp: float | None = None  # of the frames' time, see _time_of
        self._given_stamp: float | None = None
        self._ahead = 0.0  # seconds by which the frames' time is ahead of their stamps
        self._shape: tuple[int, ...] = ()  # of the frames that all this is of

    def close(self) -> None:
        """End the thread that searches in the background, if there is one."""
        self._search.close()

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
        self._search.raise_from_background()
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
        detections = self._search.find(grey, stamp, self._tracker.tracks, self._in_force)
        tracks = self._tracker.update(detections, stamp)
        self._last_stamp = stamp
        detected = time.perf_counter()
        due = self._due_to_be_read(tracks, stamp)
        for track in tracks:
            self._classify(grey, track, stamp, track.id in due)
        faces = sorted((self._smooth(track, stamp) for track in tracks), key=lambda f: -f.box.area)
        primary = self._choose(tracks, stamp)
        classified = time.perf_counter()
        return FrameReading(
            tuple(faces),
            {"detect": detected - begin, "classify": classified - detected},
            next((face for face in faces if face.id == primary), None),
        )

    def _take_settings(self) -> None:
        """Let this frame be read, to its end, with the settings that are there at its start."""
        settings, classifier = self.settings, self.classifier
        self._in_force = settings
        if self._taken_over[0] is not settings or self._taken_over[1] is not classifier:
            take_over(settings, self.detector, classifier)
            self._taken_over = settings, classifier

    def _begin_anew(self) -> None:
        self.reset(quick_start=False)

    def _time_of(self, stamp: float) -> float:
        """Return the frame's time: its stamp, but later than that of every frame before.

        Where time stood still, no face would ever be looked for, read again or found to be gone.
        """
        if self._given_stamp is not None and stamp < self._given_stamp:
            self._begin_anew()  # a bag that loops, a simulation that was reset: other faces
        given, self._given_stamp = self._given_stamp, stamp
        if self._last_stamp is None:
            return stamp
        if stamp == given:
            self._ahead += _FRAME_S
        # What passed while stamps stood still stays: time that waited for them would stand still.
        self._ahead = max(self._ahead, self._last_stamp + _LEAST_S - stamp)
        return stamp + self._ahead

    def read_still(self, grey: np.ndarray) -> FrameReading:
        """Read a single image: every cascade is asked, nothing is smoothed, ids are 0.

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
            smoother = LabelSmoother(min_confidence=self._in_force.min_confidence)
            label, score = smoother.update(prediction.scores, 0.0)
            box, votes = detection.box, prediction.votes
            faces.append(FaceReading(0, box, label, score, prediction.scores, votes))
        return FrameReading(tuple(faces), primary=faces[0] if faces else None)

    def _due_to_be_read(self, tracks: list[Track], stamp: float) -> set[int]:
        """Return the faces that are read in this frame; of many known ones, each has its turn.

        A frame that was searched for more than the known faces is no frame to read in as well,
        unless the reading has waited.
        """
        new = {track.id for track in tracks if track.memory.prediction is None}
        due = []
        for track in tracks:
            memory = track.memory
            if track.id in new or not memory.is_due(stamp):
                continue
            changed = track.id not in self._search.held or memory.is_news()
            waits = self._search.searched_more and stamp - memory.read_at <= _PATIENCE_S
            if changed and not waits:
                due.append((memory.read_at, track.id))
        known = sorted(due)[: max(_READ, math.ceil(len(tracks) / 2))]
        return new | {track_id for _, track_id in known}

    def _classify(self, grey: np.ndarray, track: Track, stamp: float, due: bool) -> None:
        """Look at a face again: at its mouth, and, where it is due, at its expression."""
        memory, held = track.memory, track.id in self._search.held
        if not held:
            memory.still.remember(grey, track.detection.box, stamp)
        # A calm face is read less often than its mouth has to be watched.
        watched = not held and not 0 <= stamp - memory.watched_at < BLINK_S
        if not due and not watched:
            return
        view = levelled(grey, track.box, track.detection.tilt)
        if watched:
            memory.mouth.see(prepare_face(*view, WATCHED), stamp)
            memory.watched_at = stamp
        if due:
            self._ask(view, memory, stamp)

    def _ask(self, view: tuple[np.ndarray, Box], memory: FaceMemory, stamp: float) -> None:
        """Read a face, or in turns its mirror image, and take it together with the last reading."""
        turned, memory.mirrored = memory.mirrored, not memory.mirrored
        seen = mirrored(*view) if turned else view
        said = read_in_stream(self.classifier, *seen, memory.mouth.is_speaking(stamp))
        other = memory.view if stamp - memory.read_at < _PAIR_S else None
        memory.prediction = agreed([said, other]) if other else said
        memory.said.append(said.scores)
        memory.view, memory.read_at = said, stamp

    def _smooth(self, track: Track, stamp: float) -> FaceReading:
        """Return what is said of a face: its smoothed label, and its scores over time."""
        memory, settings = track.memory, self._in_force
        prediction, smoother = memory.prediction, memory.smoother
        assert prediction is not None
        smoother.time_constant = settings.smoothing
        smoother.margin = settings.switch_margin
        smoother.min_confidence = settings.min_confidence
        smoother.talking_time = settings.talking_time
        smoother.doubt_time = settings.doubt_time
        speaking, moving = memory.mouth.is_speaking(stamp), memory.mouth.is_moving(stamp)
        scores = prediction.scores
        # A classifier that is adapted to a person knows the person's rest.
        if settings.resting_state and not is_adapted(self.classifier):
            scores = memory.rest.read(scores, stamp, speaking)
        label, score = smoother.update(scores, stamp, speaking, moving)
        scores = dict(smoother.scores)
        return FaceReading(track.id, track.box, label, score, scores, prediction.votes)

    def _choose(self, tracks: list[Track], stamp: float) -> int | None:
        """Return the id of the primary face."""
        self._selector.rule = self._in_force.primary
        self._selector.wanted_id = self._in_force.primary_id
        candidates = [Candidate(track.id, track.box, track.first_seen) for track in tracks]
        height, width = self._shape
        return self._selector.choose(candidates, (width, height), stamp)
