"""The options that several commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from expression_ros.frames.folder import AUTO, FOLDER_KINDS
from expression_ros.recognition.classifier import Classifier


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


def chosen_classifier(args: argparse.Namespace) -> Classifier:
    """Return the classifier that the options name, loaded.

    Raises:
        ValueError: there is no such classifier, model or person, or they do not fit.
    """
    from expression_ros.session.classifier import chosen_classifier as chosen

    return chosen(
        args.classifier,
        args.model,
        person=args.person,
        region=args.region,
        expectation=args.expectation,
    )


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
