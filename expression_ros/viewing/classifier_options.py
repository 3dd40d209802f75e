"""The options by which a command chooses how faces are found and read.

Part of ``expression_ros.viewing``: imports no ROS.
"""

from __future__ import annotations

import argparse

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
    from expression_ros.personal.chosen_classifier import chosen_classifier as chosen

    return chosen(
        args.classifier,
        args.model,
        person=args.person,
        region=args.region,
        expectation=args.expectation,
    )
