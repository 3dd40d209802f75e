"""The ``expression-ros`` command. Each subcommand imports what it needs when it runs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from expression_ros import __version__
from expression_ros.mirroring.robot_commands import add_robots_parser
from expression_ros.training.evaluate_commands import add_evaluate_parser
from expression_ros.training.prepare_commands import add_prepare_parser
from expression_ros.training.train_commands import add_train_parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code: 0, or 2 with one line for bad input."""
    args = _parser().parse_args(arguments)
    try:
        return args.func(args)
    except ValueError as error:
        print(f"expression-ros: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="expression-ros", description="Read facial expressions and mirror them onto a robot."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_predict_parser(commands)
    _add_demo_parser(commands)
    add_robots_parser(commands)
    add_prepare_parser(commands)
    add_train_parser(commands)
    add_evaluate_parser(commands)
    return parser


def _add_predict_parser(commands: Any) -> None:
    parser = commands.add_parser("predict", help="read the faces on photos")
    parser.add_argument("files", nargs="+", metavar="PHOTO", help="image files")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--classifier", default="fisherfaces", help="how faces are read")
    parser.add_argument("--model", default="", help="folder with its model (default: shipped)")
    parser.add_argument(
        "--min-face", type=float, default=0.06, help="smallest face, fraction of the height"
    )
    parser.set_defaults(func=_predict)


def _predict(args: argparse.Namespace) -> int:
    from expression_ros.recognition.detection import FaceDetector
    from expression_ros.recognition.models import load_classifier
    from expression_ros.recognition.photos import read_photo
    from expression_ros.recognition.pipeline import ExpressionRecognizer

    recognizer = ExpressionRecognizer(
        FaceDetector("all", args.min_face), load_classifier(args.classifier, args.model)
    )
    results, failures = [], 0
    for name in args.files:
        try:
            reading = recognizer.read_still(read_photo(Path(name)))
        except ValueError as error:
            print(f"expression-ros: {error}", file=sys.stderr)
            failures += 1
            continue
        faces = [
            {
                "box": [int(v) for v in face.box],
                "label": face.label,
                "score": round(face.score, 4),
                "scores": {label: round(score, 4) for label, score in face.scores.items()},
            }
            for face in reading.faces
        ]
        results.append({"file": name, "faces": faces})
    print(json.dumps(results, indent=2) if args.json else _table(results))
    return 2 if failures else 0


def _table(results: list[dict[str, Any]]) -> str:
    lines = []
    for result in results:
        if not result["faces"]:
            lines.append(f"{result['file']}: no face")
        for face in result["faces"]:
            x, y, w, h = face["box"]
            lines.append(
                f"{result['file']}: {face['label']} ({face['score']:.2f})  "
                f"{w}x{h} pixels at {x},{y}"
            )
    return "\n".join(lines)


def _add_demo_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "demo", help="run camera, recognizer, mirror and virtual face over ROS 2 and report"
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--camera", help="a webcam: 0, 1, /dev/video0")
    source.add_argument("--video", help="a video file or a folder of images, played once")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long a webcam is watched")
    parser.add_argument("--output", default="demo_output", help="folder for the results")
    parser.add_argument("--robot", default="virtual_face", help="robot to mirror onto")
    parser.set_defaults(func=_demo)


def _demo(args: argparse.Namespace) -> int:
    from expression_ros.demo.run import run_demo

    return run_demo(
        source=args.camera or args.video,
        seconds=args.seconds if args.camera else None,
        output=Path(args.output),
        robot=args.robot,
    )


if __name__ == "__main__":
    sys.exit(main())
