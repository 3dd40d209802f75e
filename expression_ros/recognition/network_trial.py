"""Trying a network in a process of its own first.

On a damaged ONNX file cv2.dnn may end the process with a segmentation fault or a division by zero
(about one random damage in 150, OpenCV 4.14), where no exception can be caught. Files of ours are
held against a SHA-256 instead, before they are opened.
"""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from expression_ros.recognition.model_manifest import sha256_of

_LONGEST_S = 120.0
_TRIAL = """
import sys
import cv2, numpy
net = cv2.dnn.readNetFromONNX(sys.argv[1])
net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
net.setInput(numpy.zeros([int(n) for n in sys.argv[2].split(",")], numpy.float32))
net.forward(net.getUnconnectedOutLayersNames())
"""
_YUNET_TRIAL = """
import sys
import cv2, numpy
for side in (64, 96):
    net = cv2.FaceDetectorYN.create(sys.argv[1], "", (side, side), 0.5)
    net.detect(numpy.zeros((side, side, 3), numpy.uint8))
"""


def network_crash(path: Path, shape: tuple[int, ...]) -> str:
    """Return how cv2.dnn ends on an ONNX file, or an empty text if it survives.

    What is no crash, such as a file that cannot be read, is left to the caller, who will be told by
    an exception.

    Args:
        path: the ONNX file, which is there.
        shape: of the input.
    """
    try:
        digest = sha256_of(path)
    except OSError:
        return ""
    return _tried(_TRIAL, digest, str(path), ",".join(map(str, shape)))


def yunet_crash(path: Path, sha256: str) -> str:
    """Return how cv2.FaceDetectorYN ends on a file, or an empty text if it survives.

    Args:
        path: the ONNX file, which is there.
        sha256: of the file, in hex.
    """
    return _tried(_YUNET_TRIAL, sha256, str(path))


@lru_cache(maxsize=32)
def _tried(trial: str, digest: str, *arguments: str) -> str:
    """Run a trial once for each content of a file, told by its digest."""
    command = [sys.executable, "-c", trial, *arguments]
    try:
        code = subprocess.run(command, capture_output=True, timeout=_LONGEST_S).returncode
    except subprocess.TimeoutExpired:
        return f"does not answer within {_LONGEST_S:g} s"
    except OSError:  # no process can be started here: it is tried without one
        return ""
    return f"ends by signal {-code}" if code < 0 else ""
