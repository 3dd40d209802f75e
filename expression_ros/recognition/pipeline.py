"""One frame in, its faces with emotions out: detect, track, describe, classify, settle."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from expression_ros.recognition.boxes import Box, without_overlaps
from expression_ros.recognition.cascades import CASCADE_ORDER
from expression_ros.recognition.classifier import Classifier
from expression_ros.recognition.detection import Detection, FaceDetector
from expression_ros.recognition.settling import LabelSettler
from expression_ros.recognition.tracking import FaceTracker, Track


@dataclass
class RecognitionSettings:
    """What of the reading may be changed while it runs.

    Attributes:
        redetect_interval: seconds between searches of the whole frame while a face is known.
        smoothing: time constant of the score smoothing in seconds; 0 for none.
        switch_margin: by how much another label must lead before it takes over.
        min_confidence: below this score a face's label is ``unknown``.
    """

    redetect_interval: float = 1.0
    smoothing: float = 0.25
    switch_margin: float = 0.1
    min_confidence: float = 0.0


@dataclass(frozen=True)
class FaceReading:
    """One face of one frame.

    Attributes:
        id: the face's number, the same from frame to frame; 0 in a still picture.
        box: where it is, in pixels of the frame.
        label: the settled label, or ``unknown``.
        score: the share of votes behind the leading label, smoothed over time, 0..1.
        scores: the smoothed share of every label the model can say; they add to 1.
    """

    id: int
    box: Box
    label: str
    score: float
    scores: Mapping[str, float]


@dataclass(frozen=True)
class FrameReading:
    """What was read in one frame: faces, largest first, and how long each stage took in seconds."""

    faces: tuple[FaceReading, ...]
    stage_s: dict[str, float] = field(default_factory=dict)

    @property
    def primary(self) -> FaceReading | None:
        """The largest face, or None when nobody is there."""
        return self.faces[0] if self.faces else None


class ExpressionRecognizer:
    """Reads a stream of frames. One thread at a time.

    Args:
        detector: finds the faces.
        classifier: reads one face.
        settings: see RecognitionSettings; may be changed between frames.
    """

    def __init__(
        self,
        detector: FaceDetector,
        classifier: Classifier,
        settings: RecognitionSettings | None = None,
    ):
        self.detector = detector
        self.classifier = classifier
        self.settings = settings or RecognitionSettings()
        self._tracker = FaceTracker()
        self._settlers: dict[int, LabelSettler] = {}
        self._whole_frame_at: float | None = None
        self._last_stamp: float | None = None
        self._turn = 0  # whose turn it is among the cascades when they take turns

    def reset(self) -> None:
        """Forget all faces."""
        self._tracker = FaceTracker()
        self._settlers = {}
        self._whole_frame_at = None

    def read(self, grey: np.ndarray, stamp: float) -> FrameReading:
        """Read the next frame.

        Args:
            grey: (H, W) uint8.
            stamp: when it was taken, in seconds; going back in time starts anew.

        Raises:
            ValueError: the frame is not a two-dimensional uint8 array with pixels in it.
        """
        _check_grey(grey)
        begin = time.perf_counter()
        tracks = self._tracker.update(self._detect(grey, stamp), stamp)
        self._last_stamp = stamp
        detected = time.perf_counter()
        faces = [self._read_face(grey, track, stamp) for track in tracks]
        self._forget_lost_faces()
        faces.sort(key=lambda face: -face.box.area)
        classified = time.perf_counter()
        return FrameReading(
            tuple(faces), {"detect": detected - begin, "classify": classified - detected}
        )

    def read_still(self, grey: np.ndarray) -> FrameReading:
        """Read a single picture: every cascade is asked, nothing is smoothed, ids are 0.

        Raises:
            ValueError: as for read.
        """
        _check_grey(grey)
        faces = []
        for detection in self.detector.search_every_cascade(grey):
            prediction = self.classifier.read(grey, detection.box)
            settler = LabelSettler(min_confidence=self.settings.min_confidence)
            label, score = settler.update(prediction.scores, 0.0)
            faces.append(FaceReading(0, detection.box, label, score, prediction.scores))
        return FrameReading(tuple(faces))

    def _detect(self, grey: np.ndarray, stamp: float) -> list[Detection]:
        known = self._tracker.tracks
        if self._whole_frame_at is not None and stamp < self._whole_frame_at:
            known = []  # time went back: the faces are of another run
            self._whole_frame_at = None
        if not known:
            return self._search_for_anybody(grey, stamp)
        seen = [self.detector.search_near(grey, track.detection) for track in known]
        found = [detection for detection in seen if detection]
        if not found:
            if any(track.last_seen == self._last_stamp for track in known):
                self._whole_frame_at = None  # just lost: one thorough look, it may have jumped
            return self._search_for_anybody(grey, stamp)
        if self._due(stamp):
            found += self._search_for_newcomers(grey, stamp)
        return [found[i] for i in without_overlaps([d.box for d in found])]

    def _due(self, stamp: float) -> bool:
        last = self._whole_frame_at
        return last is None or stamp - last >= self.settings.redetect_interval

    def _search_for_anybody(self, grey: np.ndarray, stamp: float) -> list[Detection]:
        """Search a frame in which nobody is known: thoroughly when due, else one cascade in turn.

        An empty room would otherwise cost four searches a frame for ever; in turn, each cascade
        still sees every fourth frame.
        """
        if self._due(stamp):
            self._whole_frame_at = stamp
            return self.detector.search_frame(grey)
        return self.detector.search_frame(grey, cascades=(self._next_turn(),))

    def _search_for_newcomers(self, grey: np.ndarray, stamp: float) -> list[Detection]:
        """Search a frame in which somebody is known, so that who came in is noticed.

        The cascades take turns over the intervals: what only one of them sees is found as well.
        """
        self._whole_frame_at = stamp
        if self.detector.selection == "single":
            return []  # one face is asked for, and it is in view
        return self.detector.search_frame(grey, cascades=(self._next_turn(),))

    def _next_turn(self) -> int:
        self._turn = (self._turn + 1) % len(CASCADE_ORDER)
        return self._turn

    def _read_face(self, grey: np.ndarray, track: Track, stamp: float) -> FaceReading:
        prediction = self.classifier.read(grey, track.box)
        settler = self._settlers.setdefault(track.id, LabelSettler())
        settler.time_constant = self.settings.smoothing
        settler.margin = self.settings.switch_margin
        settler.min_confidence = self.settings.min_confidence
        label, score = settler.update(prediction.scores, stamp)
        return FaceReading(track.id, track.box, label, score, dict(settler.scores))

    def _forget_lost_faces(self) -> None:
        alive = {track.id for track in self._tracker.tracks}
        self._settlers = {k: v for k, v in self._settlers.items() if k in alive}


def _check_grey(grey: np.ndarray) -> None:
    if grey.ndim != 2 or grey.dtype != np.uint8 or grey.size == 0:
        raise ValueError(
            f"a frame must be a (height, width) array of uint8 with pixels in it, "
            f"not {grey.dtype} of shape {grey.shape}"
        )
