"""``expression-ros predict``: a table of the faces on photos, and the photos with them drawn in.

Part of ``expression_ros.viewing``: imports no ROS.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from expression_ros.recognition.pipeline import FaceReading, FrameReading
from expression_ros.viewing.classifier_options import add_classifier_options, chosen_classifier

_HEADS = ("PHOTO", "FACE", "EXPRESSION", "SCORE", "VOTES", "BOX")


def add_predict_parser(commands: Any) -> None:
    """Add ``predict`` to the subparsers of the command line."""
    parser = commands.add_parser(
        "predict",
        help="read the faces on photos",
        description="Prints a table of the faces and writes each photo with boxes, labels, votes "
        "and scores drawn in as NAME_expression.png; no file is ever overwritten.",
    )
    parser.add_argument("files", nargs="+", metavar="PHOTO", help="image files")
    parser.add_argument(
        "--json", action="store_true",
        help="print JSON instead of a table; writes pictures only with --output",
    )  # fmt: skip
    picture = parser.add_mutually_exclusive_group()
    picture.add_argument(
        "--output", type=Path, metavar="DIR",
        help="folder for the pictures (default: the current one)",
    )  # fmt: skip
    picture.add_argument("--no-picture", action="store_true", help="write no pictures")
    add_classifier_options(parser)
    parser.add_argument(
        "--min-face", type=float, default=0.06, help="smallest face, fraction of the height"
    )
    parser.set_defaults(func=_predict)


def _predict(args: argparse.Namespace) -> int:
    from expression_ros.recognition.detection import FaceDetector
    from expression_ros.recognition.photos import read_photo
    from expression_ros.recognition.pipeline import ExpressionRecognizer

    detector = FaceDetector("all", args.min_face)
    recognizer = ExpressionRecognizer(detector, chosen_classifier(args))
    folder = _folder_of_pictures(args)
    results, failures = [], 0
    for name in args.files:
        try:
            reading = _numbered(recognizer.read_still(read_photo(Path(name))))
        except ValueError as error:
            print(f"expression-ros: {error}", file=sys.stderr)
            failures += 1
            continue
        result = {"file": name, "faces": [_as_json(face) for face in reading.faces]}
        results.append(result)
        if folder is not None:
            try:
                result["picture"] = str(_write_picture(Path(name), reading, folder))
            except ValueError as error:
                print(f"expression-ros: {error}", file=sys.stderr)
                failures += 1
    if args.json:
        print(json.dumps(results, indent=2))
    elif results:
        print("\n".join(_table(results)))
    return 2 if failures else 0


def _folder_of_pictures(args: argparse.Namespace) -> Path | None:
    """Return where pictures go, None for nowhere."""
    if args.output is not None:
        return args.output
    return None if args.json or args.no_picture else Path()


def _numbered(reading: FrameReading) -> FrameReading:
    """Return a reading whose faces are numbered from 1, so that the table can refer to them."""
    faces = tuple(replace(face, id=k) for k, face in enumerate(reading.faces, start=1))
    return replace(reading, faces=faces, primary=faces[0] if faces else None)


def _as_json(face: FaceReading) -> dict[str, Any]:
    return {
        "box": [int(value) for value in face.box],
        "label": face.label,
        "score": round(face.score, 4),
        "scores": {label: round(score, 4) for label, score in face.scores.items()},
        "votes": {label: round(share, 4) for label, share in face.votes.items()},
    }


def _write_picture(path: Path, reading: FrameReading, folder: Path) -> Path:
    from expression_ros.recognition.photos import read_colour_photo
    from expression_ros.viewing.photo_picture import annotated, write_beside

    return write_beside(annotated(read_colour_photo(path), reading), path, folder)


def _table(results: Sequence[dict[str, Any]]) -> list[str]:
    """Return the table as lines, and below it the pictures that were written."""
    rows = [_HEADS]
    for result in results:
        if not result["faces"]:
            rows.append((result["file"], "-", "no face", "", "", ""))
        for number, face in enumerate(result["faces"], start=1):
            x, y, w, h = face["box"]
            share = face["votes"].get(face["label"])
            votes = f"{share:.0%}" if share is not None else "-"
            box = f"{w}x{h} pixels at {x},{y}"
            score = f"{face['score']:.2f}"
            rows.append((result["file"], str(number), face["label"], score, votes, box))
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return lines + [f"written: {result['picture']}" for result in results if "picture" in result]
