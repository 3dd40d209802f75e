"""The classic loop, written out plainly from its published description, to compare with.

After van Gent, "Emotion recognition with Python, OpenCV and a face dataset" (2016), as packages of
the field still run it: all four frontal cascades over the whole frame with scaleFactor 1.1,
minNeighbors 10 and minSize 5x5, the first that sees exactly one face wins, the face is brought to
350x350, and ten Fisherface models of raw pixels vote by mode.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.opencv_parts import load_cascade
from expression_ros.training.fisherfaces.opencv_model_file import (
    FisherfaceModel,
    write_opencv_model,
)
from expression_ros.vocabulary import FER2013_ORDER

CASCADES = ("default", "alt2", "alt", "alt_tree")
SIDE_PX = 350
MEMBERS = 10


@dataclass(frozen=True)
class ClassicReading:
    """What the classic loop saw in one frame, and how long it took.

    Attributes:
        box: of the face; None without exactly one.
        label: the mode of the ten models' answers; empty without a face.
        seconds: for everything, all four cascades included, as published.
        lazy_seconds: the same for a kinder reading of the description: no cascade is asked after
            the first that sees exactly one face.
        processor_s: processor time of all threads, in s: what it took, whatever else ran.
    """

    box: Box | None
    label: str
    seconds: float
    lazy_seconds: float
    processor_s: float


class ClassicLoop:
    """Reads a frame as the classic loop does.

    Its models hold random numbers of the right shape: what they answer does not matter here, and
    how long they take does not depend on it.
    """

    def __init__(self) -> None:
        self.cascades = [load_cascade(f"frontalface_{name}") for name in CASCADES]
        with TemporaryDirectory() as folder:
            self.models = [_random_model(Path(folder), number) for number in range(MEMBERS)]

    def read(self, bgr: np.ndarray) -> ClassicReading:
        """Read a (H, W, 3) uint8 frame."""
        begin, processor = time.perf_counter(), time.process_time()
        grey = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
        answers, moments = [], []
        for cascade in self.cascades:
            answers.append(cascade.detectMultiScale(grey, 1.1, minNeighbors=10, minSize=(5, 5)))
            moments.append(time.perf_counter())
        alone = [k for k, boxes in enumerate(answers) if len(boxes) == 1]
        if not alone:
            seconds = time.perf_counter() - begin
            return ClassicReading(None, "", seconds, seconds, time.process_time() - processor)
        box = Box(*(int(value) for value in answers[alone[0]][0]))
        label = self._vote(cv2.resize(_cut(grey, box), (SIDE_PX, SIDE_PX)))
        seconds = time.perf_counter() - begin
        spared = moments[-1] - moments[alone[0]]
        processor_s = time.process_time() - processor
        return ClassicReading(box, label, seconds, seconds - spared, processor_s)

    def _vote(self, face: np.ndarray) -> str:
        answers = [model.predict(face)[0] for model in self.models]
        return FER2013_ORDER[Counter(answers).most_common(1)[0][0]]


def _cut(grey: np.ndarray, box: Box) -> np.ndarray:
    return grey[box.y : box.y + box.h, box.x : box.x + box.w]


def _random_model(folder: Path, number: int) -> cv2.face.FisherFaceRecognizer:
    rng = np.random.default_rng(number)
    classes = len(FER2013_ORDER)
    size, directions = SIDE_PX * SIDE_PX, classes - 1
    numbers = FisherfaceModel(
        mean=rng.uniform(0, 255, size),
        eigenvectors=rng.normal(0, 1e-3, (size, directions)),
        eigenvalues=np.ones(directions),
        projections=rng.normal(0, 1, (classes, directions)),
        numbers=np.arange(classes),
    )
    path = folder / "classic.xml"
    write_opencv_model(path, numbers, dict(enumerate(FER2013_ORDER)))
    model = cv2.face.FisherFaceRecognizer.create()
    model.read(str(path))
    return model
