"""What the images of a folder are to each other, and the option to say it. Imports no ROS."""

from __future__ import annotations

import argparse

AUTO, FRAMES, PHOTOS = FOLDER_KINDS = ("auto", "frames", "photos")


def add_folder_option(parser: argparse.ArgumentParser) -> None:
    """Add --folder to a command."""
    parser.add_argument("--folder", choices=FOLDER_KINDS, default=AUTO,
                        help="what the images of a folder are: the frames of one film, or photos, "
                        "each read by itself (default: frames if they have one size and are "
                        "numbered in equal steps, else photos)")  # fmt: skip
