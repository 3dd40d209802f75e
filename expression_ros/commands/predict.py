"""``expression-ros predict``: a table of the faces on photos, and the photos with them drawn in.

Part of ``expression_ros.commands``: imports no ROS.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from expression_ros import FaceReading, FrameReading
from expression_ros.commands.options import (
    add_classifier_options,
    add_detector_options,
    given_parameters,
)
from expression_ros.images.files import listed, readable_name

_HEADS = ("PHOTO", "FACE", "EXPRESSION", "SCORE", "VOTES", "BOX")


def add_predict_parser(commands: Any) -> None:
    """Add ``predict`` to the subparsers of the command line."""
    parser = commands.add_parser(
        "predict",
        help="read the faces on photos",
        description="Prints a table of the faces and writes each photo with boxes, labels, votes "
        "and scores drawn in as NAME_expression.png; no file is ever overwritten. A folder stands "
        "for every image in it.",
    )
    parser.add_argument(
        "files", nargs="+", metavar="PHOTO|DIR", help="image files and folders of them"
    )
    parser.add_argument(
        "--json", action="store_true",
        help="print JSON instead of a table; writes images only with --output",
    )  # fmt: skip
    image = parser.add_mutually_exclusive_group()
    image.add_argument(
        "--output", type=Path, metavar="DIR",
        help="folder for the images (default: the current one)",
    )  # fmt: skip
    image.add_argument("--no-picture", action="store_true", help="write no images")
    add_classifier_options(parser)
    add_detector_options(parser)
    parser.add_argument(
        "--min-face", type=float, default=0.06, help="smallest face, fraction of the height"
    )
    parser.set_defaults(func=_predict)


def _predict(args: argparse.Namespace) -> int:
    from expression_ros import RecognizerSettings, make_recognizer, read_photo
    from expression_ros.session.recognizer import read_alone

    given = {name: value for name, value in given_parameters(args).items() if name != "min_face"}
    settings = RecognizerSettings.from_values(given).for_photos(args.min_face)
    recognizer = make_recognizer(settings)
    folder = _folder_of_images(args)
    photos, failures = _photos(args.files)
    results, unread = [], []
    for name in photos:
        try:
            reading = read_alone(recognizer, read_photo(Path(name)))
        except ValueError as error:
            _complain(str(error))
            unread.append(name)
            continue
        result = {"file": name, "faces": [_as_json(face) for face in reading.faces]}
        results.append(result)
        if folder is not None:
            try:
                result["picture"] = str(_write_image(Path(name), reading, folder))
            except ValueError as error:
                _complain(str(error))
                failures += 1
    if args.json:
        print(json.dumps(results, indent=2))
    elif results:
        print("\n".join(_table(results)))
    if unread and len(photos) > 1:
        _complain(f"{len(unread)} of {len(photos)} files could not be read: {listed(unread)}")
    return 2 if failures or unread else 0


def _photos(names: Sequence[str]) -> tuple[list[str], int]:
    """Return the photos that are named, those of folders in their place, and how many failed."""
    from expression_ros.images.files import IMAGE_FILE_SUFFIXES, ImageFileError, images_in

    photos: list[str] = []
    failures = 0
    for name in names:
        if not Path(name).is_dir():
            photos.append(name)
            continue
        try:
            found = images_in(Path(name))
        except ImageFileError as error:
            _complain(str(error))
            failures += 1
            continue
        if not found:
            kinds = " ".join(suffix[1:] for suffix in IMAGE_FILE_SUFFIXES)
            _complain(f"folder {readable_name(name)} holds no images ({kinds})")
            failures += 1
        photos += map(str, found)
    return photos, failures


def _complain(text: str) -> None:
    print(f"expression-ros: {text}", file=sys.stderr)


def _folder_of_images(args: argparse.Namespace) -> Path | None:
    """Return where images go, None for nowhere."""
    if args.output is not None:
        return Path(args.output)
    return None if args.json or args.no_picture else Path()


def _as_json(face: FaceReading) -> dict[str, Any]:
    return {
        "box": [int(value) for value in face.box],
        "label": face.label,
        "score": round(face.score, 4),
        "scores": {label: round(score, 4) for label, score in face.scores.items()},
        "votes": {label: round(share, 4) for label, share in face.votes.items()},
    }


def _write_image(path: Path, reading: FrameReading, folder: Path) -> Path:
    from expression_ros import read_colour_photo
    from expression_ros.viewing.annotated_photo import annotated, write_beside

    return write_beside(annotated(read_colour_photo(path), reading), path, folder)


def _table(results: Sequence[dict[str, Any]]) -> list[str]:
    """Return the table as lines, and below it the images that were written."""
    rows = [_HEADS]
    for result in results:
        file = readable_name(result["file"])
        if not result["faces"]:
            rows.append((file, "-", "no face", "", "", ""))
        for number, face in enumerate(result["faces"], start=1):
            x, y, w, h = face["box"]
            share = face["votes"].get(face["label"])
            votes = f"{share:.0%}" if share is not None else "-"
            box = f"{w}x{h} pixels at {x},{y}"
            score = f"{face['score']:.2f}"
            rows.append((file, str(number), face["label"], score, votes, box))
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    written = [result["picture"] for result in results if "picture" in result]
    return lines + [f"written: {readable_name(name)}" for name in written]
