"""The detectors that tests run with, and the weights of those that need some."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

import pytest

from expression_ros.parameters.choices import CASCADES, YUNET
from expression_ros.recognition.detector_choice import (
    CENTERFACE_WEIGHTS,
    YUNET_WEIGHTS,
    DetectorChoice,
)


def choice_of(name: str) -> DetectorChoice:
    """Return a detector with known weights, or skip: they are the user's own.

    They are looked for in EXPRESSION_ROS_DETECTORS, or beside the labelled faces.
    """
    if name == CASCADES:
        return DetectorChoice()
    known = YUNET_WEIGHTS if name == YUNET else CENTERFACE_WEIGHTS
    for path, sha256 in _files().items():
        if sha256 in known:
            return DetectorChoice(name, str(path))
    pytest.skip(f"no weights of {name}: set EXPRESSION_ROS_DETECTORS to a folder with the file")


@cache
def _files() -> dict[Path, str]:
    named = os.environ.get("EXPRESSION_ROS_DETECTORS")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "models"
    beside = Path(os.environ.get("EXPRESSION_ROS_DATA", folder)).parent / "models"
    found = [path for place in (folder, beside) for path in sorted(place.glob("*.onnx"))]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}
