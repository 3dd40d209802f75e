"""Files with networks, before OpenCV opens them: the SHA-256 of weights, and a trial.

On a damaged ONNX file cv2.dnn may end the process with a segmentation fault or a division by zero
(about one random damage in 150, OpenCV 4.14), where no exception can be caught. So a detector's
weights are opened by OpenCV only if they are, byte for byte, ones that are known to work, or those
whose SHA-256 the user gave; the latter, and networks of others, are tried in a process of their own
first.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from expression_ros.recognition.model_manifest import sha256_of

_MOST_BYTES = 64 * 1024 * 1024  # the largest known file has 7 MB
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


class WeightsError(ValueError):
    """The weights of a detector cannot be used: one line with what was found and what to do."""


@dataclass(frozen=True)
class DetectorWeights:
    """Weights as they were read from a file.

    Attributes:
        path: the file, for messages.
        data: its bytes.
        sha256: of the bytes, in hex.
        known: the name of the known weights that these are; empty for others.
    """

    path: Path
    data: bytes
    sha256: str
    known: str


def read_weights(
    path: Path, known: Mapping[str, str], source: str, sha256: str = ""
) -> DetectorWeights:
    """Read weights and hold them against what may be run.

    Args:
        path: the file.
        known: names by SHA-256 in hex.
        source: where to get them, for messages.
        sha256: what the user says the file has, in hex; empty to accept known ones only.

    Raises:
        WeightsError: the file is missing, empty or too large, or its SHA-256 is not accepted.
    """
    wanted = sha256.strip().lower().removeprefix("sha256:")
    if wanted and not re.fullmatch("[0-9a-f]{64}", wanted):
        raise WeightsError(
            f"detector_sha256 must be the 64 hexadecimal digits that sha256sum {path} prints, not "
            f"{sha256!r}"
        )
    data = _read(path, source)
    found = hashlib.sha256(data).hexdigest()
    if wanted and found != wanted:
        raise WeightsError(
            f"{path}: SHA-256 {found} is not the one of detector_sha256; the file is damaged or "
            f"another one: {source}"
        )
    if not wanted and found not in known:
        raise WeightsError(
            f"{path}: {_kind(data)} of {len(data):,} bytes with SHA-256 {found}, none of those "
            f"that are known to work; {source}, or, if you trust this file, say so: "
            f"detector_sha256 {found}"
        )
    return DetectorWeights(path, data, found, known.get(found, ""))


def _read(path: Path, source: str) -> bytes:
    if path.is_dir():
        raise WeightsError(f"{path} is a folder; detector_model must be an ONNX file: {source}")
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file of weights; {source}")
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise WeightsError(f"{path} has {size:,} bytes, too many for a detector; {source}")
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}; {source}") from None
    if not data:
        raise WeightsError(f"{path} is empty; {source}")
    return data


def _kind(data: bytes) -> str:
    """Return what a file seems to be, as far as that helps to see what went wrong."""
    start = data[:64].lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer in place of the weights (git lfs pull, or download the raw file)"
    if start.startswith((b"<!doctype", b"<html")):
        return "a web page in place of the weights (download the raw file)"
    return "a file"


def network_crash(path: Path, shape: tuple[int, ...]) -> str:
    """Return how cv2.dnn ends on an ONNX file, or an empty text if it survives.

    All but a crash, such as a file that cannot be read, is left to the caller, who will be told by
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
