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
    return _tried(str(path), ",".join(map(str, shape)), digest)


@lru_cache(maxsize=32)
def _tried(path: str, shape: str, digest: str) -> str:
    command = [sys.executable, "-c", _TRIAL, path, shape]
    try:
        code = subprocess.run(command, capture_output=True, timeout=_LONGEST_S).returncode
    except subprocess.TimeoutExpired:
        return f"does not answer within {_LONGEST_S:g} s"
    except OSError:  # no process can be started here: it is tried without one
        return ""
    return f"ends by signal {-code}" if code < 0 else ""
