"""A recognizer whose every collaborator can be made to fail; its cascades see a bright square."""

from __future__ import annotations

from concurrent.futures import Future

import numpy as np

from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.face_memory import StillFace, StillScene
from expression_ros.recognition.smoothing import LabelSmoother
from expression_ros.recognition.tracking import FaceTracker, PrimaryFaceSelector


class BrightSquare:
    """A cascade that sees one face: all that is bright."""

    def detectMultiScale(self, image, scaleFactor, minNeighbors, minSize, maxSize):
        bright = image > 200
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        if not len(rows):
            return []
        x, y = int(columns[0]), int(rows[0])
        w, h = int(columns[-1]) - x + 1, int(rows[-1]) - y + 1
        fits = minSize[0] <= min(w, h) and max(w, h) <= maxSize[0] and 0.8 < w / h < 1.25
        return [(x, y, w, h)] if fits else []


class Calm:
    """A classifier whose scores differ from face to face."""

    labels = ("neutral", "happiness")

    def read(self, grey_frame, box):
        share = (box.x % 10) / 10
        scores = {"neutral": 1 - share, "happiness": share}
        return Prediction(max(scores, key=scores.get), max(scores.values()), scores)


class InlineExecutor:
    """Runs what is submitted at once: a background search whose end does not depend on luck."""

    def __init__(self, *_):
        pass

    def submit(self, work, *arguments):
        future = Future()
        try:
            future.set_result(work(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, **_):
        pass


class InjectedError(Exception):
    """What a collaborator raises because a test says so."""


class Faults:
    """Lets one method raise, before or after it did its work."""

    methods = (
        (BrightSquare, "detectMultiScale"),
        (FaceDetector, "clone"),
        (FaceDetector, "search_frame"),
        (FaceDetector, "search_near"),
        (FaceDetector, "search_lost"),
        (FaceDetector, "_search_window"),
        (FaceTracker, "update"),
        (StillFace, "is_unchanged"),
        (StillFace, "remember"),
        (StillScene, "is_unchanged"),
        (StillScene, "remember"),
        (Calm, "read"),
        (LabelSmoother, "update"),
        (PrimaryFaceSelector, "choose"),
    )
    names = tuple(f"{owner.__name__}.{name}" for owner, name in methods)

    def __init__(self, monkeypatch):
        self.armed = ""
        self.late = False
        for (owner, name), label in zip(self.methods, self.names, strict=True):
            monkeypatch.setattr(owner, name, self._wrapped(getattr(owner, name), label))

    def _wrapped(self, method, label):
        def call(*arguments, **keywords):
            if self.armed == label and not self.late:
                raise InjectedError(label)
            result = method(*arguments, **keywords)
            if self.armed == label:
                raise InjectedError(label)
            return result

        return call


def frame(width, height, content="nothing", place=0.5, seed=0):
    """Return a grey frame; a face has a third of the frame's shorter side."""
    if content == "noise":
        return np.random.default_rng(seed).integers(0, 200, (height, width)).astype(np.uint8)
    grey = np.full((height, width), 40, np.uint8)
    if content == "face":
        side = max(1, min(width, height) // 3)
        x, y = round(place * (width - side)), round(place * (height - side))
        grey[y : y + side, x : x + side] = 255
    return grey
