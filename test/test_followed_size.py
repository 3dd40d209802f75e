"""The box of a followed face grows and shrinks with the face."""

import cv2
import numpy as np
import pytest

from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.pipeline import ExpressionRecognizer

RATE, SECONDS = 30, 3


class AlwaysNeutral:
    labels = ("neutral", "happiness")

    def read(self, grey_frame, box):
        return Prediction("neutral", 1.0, {"neutral": 1.0, "happiness": 0.0})


@pytest.mark.parametrize(("first", "last"), [(1.0, 1.5), (1.5, 1.0), (1.0, 2.0), (1.0, 1.0)])
def test_leaning_in_and_out(astronaut, first, last):
    """The width after leaning is what it was before, times the zoom."""
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    recognizer = ExpressionRecognizer(FaceDetector(), AlwaysNeutral())
    rng = np.random.default_rng(0)
    widths = []
    for k in range(RATE * (SECONDS + 1)):
        zoom = first * (last / first) ** min(1.0, k / (RATE * SECONDS))
        matrix = np.float32(
            [[zoom, 0, 320 - 222 * zoom + 3 * np.sin(k / 9)], [0, zoom, 240 - 115 * zoom]]
        )
        frame = cv2.warpAffine(grey, matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE)
        frame = np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255).astype(np.uint8)
        (face,) = recognizer.read(frame, k / RATE).faces
        assert face.id == 1
        widths.append(face.box.w / zoom)
    begin, end = widths[2 : RATE // 5], widths[-RATE // 2 :]
    assert np.median(end) == pytest.approx(np.median(begin), rel=0.07)
