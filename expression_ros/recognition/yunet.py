"""YuNet, OpenCV's own network for faces (Wu, Peng and Yu, 2023), run by cv2.FaceDetectorYN."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from expression_ros.recognition.detector_weights import DetectorWeights, WeightsError
from expression_ros.recognition.network_detection import NetworkFace, NetworksBySize
from expression_ros.recognition.opencv_parts import missing_part

_OVERLAP, _MOST = 0.3, 500  # of boxes that are of one face; boxes before overlaps are removed
_EMPTY = np.empty(0, np.uint8)


class YuNet:
    """Finds faces by cv2.FaceDetectorYN; see FaceNetwork. One thread at a time.

    Args:
        weights: of the user, checked already.

    Raises:
        WeightsError: OpenCV lacks FaceDetectorYN, or cannot run these weights.
    """

    sure = 0.7  # one false box in a hundred
    nearby = 0.5
    # Medians over the 204 portraits of the Face Research Lab London Set (DeBruine and Jones, 2017),
    # neutral and smiling, against the boxes on which the cascades agree:
    # python tools/measure_detector_boxes.py
    box_width, box_centre = 1.92, 0.2

    def __init__(self, weights: DetectorWeights):
        if problem := missing_part("FaceDetectorYN"):
            raise WeightsError(f"detector yunet: {problem}")
        self._weights = weights
        self._networks = NetworksBySize(self._made)
        try:
            self.faces(np.zeros((64, 64), np.uint8), 0.5)
        except (cv2.error, TypeError, SystemError) as error:
            reason = " ".join(str(error).split())[:120]
            raise WeightsError(
                f"{weights.path}: this OpenCV ({cv2.__version__}) cannot run it as YuNet "
                f"({reason}); weights of 2023 and later need OpenCV 4.9 or newer: pip install "
                "'opencv-contrib-python-headless>=4.9,<5'"
            ) from None

    def twin(self) -> YuNet:
        """Return another one with the same weights for another thread."""
        return YuNet(self._weights)

    def faces(self, grey: np.ndarray, least: float) -> list[NetworkFace]:
        """Return the faces in a picture; see FaceNetwork.faces."""
        network = self._networks[grey.shape[1], grey.shape[0]]
        network.setScoreThreshold(least)
        _, rows = network.detect(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
        if rows is None:
            return []
        return [NetworkFace(float(row[14]), row[4:14].reshape(5, 2).astype(float)) for row in rows]

    def _made(self, size: tuple[int, int]) -> Any:
        buffer = np.frombuffer(self._weights.data, np.uint8)
        return cv2.FaceDetectorYN.create("onnx", buffer, _EMPTY, size, self.sure, _OVERLAP, _MOST)
