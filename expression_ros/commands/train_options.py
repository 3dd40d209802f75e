"""What the training commands do about their options and files."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

from expression_ros.recognition.face_preparation import FULL, FacePreparation
from expression_ros.training.data.faces import DataError
from expression_ros.training.data.prepared_set import recorded_preparation


def face_preparation(arguments: argparse.Namespace, size: int) -> FacePreparation:
    """Return how faces are cut out: as the prepared set says, or else as the arguments do.

    A model answers badly on other crops than it was trained on, so what ``prepare`` did to detected
    faces goes into the model's manifest.

    Args:
        arguments: with data, margin, light and, where there are any, level_by_eyes and region.
        size: px, side of the faces that the model looks at.

    Raises:
        DataError: the light of the prepared faces was treated already.
    """
    region = getattr(arguments, "region", FULL)
    recorded = recorded_preparation(arguments.data)
    if recorded is not None:
        if recorded.light != "none":
            raise DataError(
                f"{arguments.data} was prepared with --light {recorded.light}, which training "
                "would do again: prepare it without, and give --light to train"
            )
        return replace(recorded, size=size, light=arguments.light, region=region)
    level = getattr(arguments, "level_by_eyes", False)
    return FacePreparation(size, arguments.margin, arguments.light, level, region)


def naming_files(
    command: Callable[[argparse.Namespace], int],
) -> Callable[[argparse.Namespace], int]:
    """Return a command whose errors about files are DataErrors, in one line with the file."""

    def run(arguments: argparse.Namespace) -> int:
        try:
            return command(arguments)
        except OSError as error:
            raise DataError(f"{error.filename}: {error.strerror}") from error

    return run
