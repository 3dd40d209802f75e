"""The subcommand ``analyze`` of the command ``expression-ros``. Imports no ROS."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from expression_ros.commands.options import (
    add_detector_options,
    add_folder_option,
    given_parameters,
)
from expression_ros.images.files import readable_name
from expression_ros.parameters.choices import CLASSIFIERS, EXPECTATIONS, REGIONS
from expression_ros.recordings.recorded_frames import Recording, RecordingError

CSV_NAME = "faces.csv"
PLOT_NAME = "timeline.png"


def add_analyze_parser(subparsers: Any) -> None:
    """Add ``analyze`` to the subparsers of argparse; ``func`` returns an exit code."""
    parser = subparsers.add_parser(
        "analyze", help="read a recorded session: a video, a folder of images or a bag",
        description="Reads every frame as the recognizer does, and writes a CSV file with a row "
        "per face and frame, and a plot of the labels over time.",
    )  # fmt: skip
    parser.add_argument("recording", metavar="FILE|DIR|BAG",
                        help="a video, a folder of images, or a rosbag2 recording (its folder, or "
                        "a .db3 or .mcap file)")  # fmt: skip
    parser.add_argument("--output", type=Path, metavar="DIR",
                        help=f"folder for {CSV_NAME} and {PLOT_NAME} (default: NAME_expressions in "
                        "the current one)")  # fmt: skip
    parser.add_argument("--topic", default="", metavar="NAME",
                        help="which images of a bag (default: the only ones)")  # fmt: skip
    parser.add_argument("--rate", type=float, default=0.0, metavar="HZ",
                        help="frames per second of a folder (default: 30 of frames, 1 of "
                        "photos), or in place of a video's own stamps")  # fmt: skip
    add_folder_option(parser)
    parser.add_argument("--every", type=int, default=1, metavar="N",
                        help="read only one of N frames")  # fmt: skip
    parser.add_argument("--classifier", choices=CLASSIFIERS,
                        help="how faces are read (default: the recognizer's, as for all "
                        "below)")  # fmt: skip
    parser.add_argument("--model", metavar="DIR", help="folder with its model")
    parser.add_argument("--person", metavar="NAME",
                        help="whom to adapt to (expression-ros calibrate)")  # fmt: skip
    parser.add_argument("--region", choices=REGIONS, help="which part of a face is read")
    parser.add_argument("--expectation", choices=EXPECTATIONS, help="what faces are expected")
    add_detector_options(parser)
    parser.set_defaults(detector=None, detector_model=None, detector_sha256=None)
    parser.add_argument("--face-selection", choices=("all", "single"), help="which faces are read")
    parser.add_argument("--min-face", type=float, metavar="SHARE",
                        help="width of the smallest face, as a share of the image's "
                        "height")  # fmt: skip
    parser.add_argument("--min-confidence", type=float, metavar="SCORE",
                        help="below this score a label is unknown (default: what the model's "
                        "card says)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.set_defaults(func=_guarded)


def _guarded(arguments: argparse.Namespace) -> int:
    """Analyze; answer bad input with one line on stderr and exit code 2."""
    try:
        return _analyze(arguments)
    except ValueError as error:  # of recordings, models, parameters, cascades
        _complain(str(error))
    except OSError as error:
        # A full disk has no file's name.
        _complain(
            f"{readable_name(error.filename)}: {error.strerror}" if error.filename else str(error)
        )
    return 2


def _analyze(arguments: argparse.Namespace) -> int:
    from expression_ros import UNKNOWN, RecognizerSettings, make_recognizer
    from expression_ros.recordings.analysis import analyze
    from expression_ros.recordings.opening import open_recording
    from expression_ros.recordings.timeline import FaceRows, Timeline
    from expression_ros.recordings.timeline_plot import check_drawing, save_timeline

    # What can be wrong is told at once, not after minutes of work.
    _check_numbers(arguments)
    check_drawing()
    recognizer = make_recognizer(RecognizerSettings.from_values(given_parameters(arguments)))
    recording = open_recording(
        arguments.recording, topic=arguments.topic, rate=arguments.rate, folder=arguments.folder
    )
    labels = recognizer.classifier.labels
    timeline = Timeline((*labels, UNKNOWN))
    damage = ""
    try:
        output = _output_folder(arguments, recording)
        with FaceRows(output / CSV_NAME, labels, recording.has_photos) as rows:
            try:
                analyze(recording, recognizer, rows, timeline, arguments.every)
            except RecordingError as error:  # what came before is worth having
                damage = str(error)
        lacking = recording.missing(timeline.looked_at * arguments.every)
    finally:
        recording.close()
        recognizer.close()
    if not timeline.seconds:
        (output / CSV_NAME).unlink()
        why = damage or "; ".join(timeline.problems.values()) or lacking or "it has no frames"
        raise RecordingError(f"no frame of {arguments.recording} could be read: {why}")
    save_timeline(output / PLOT_NAME, timeline, recording.description,
                  recognizer.settings.min_confidence)  # fmt: skip
    summary = {
        "recording": recording.description,
        **timeline.summary(),
        "files": [readable_name(output / name) for name in (CSV_NAME, PLOT_NAME)],
    }
    print(json.dumps(summary, indent=2) if arguments.json else _text(summary, recording.has_photos))
    for reason, problem in timeline.problems.items():
        count = timeline.unreadable[reason]
        _complain(f"{count} unreadable ({reason}), first {problem}")
    if remark := recording.remark():
        _complain(remark)
    if damage or lacking:
        _complain(damage or lacking)
    return 2 if damage else 0


def _check_numbers(arguments: argparse.Namespace) -> None:
    if arguments.every < 1:
        raise RecordingError(f"--every must be 1 or more, not {arguments.every}")
    if not (math.isfinite(arguments.rate) and arguments.rate >= 0):
        raise RecordingError(f"--rate must be above 0, not {arguments.rate:g}")


def _output_folder(arguments: argparse.Namespace, recording: Recording) -> Path:
    """Make and return the folder for the results, never one inside the recording."""
    folder = arguments.output or Path(f"{recording.name}_expressions")
    source = Path(arguments.recording).expanduser().resolve()
    if source.is_dir() and folder.resolve().is_relative_to(source):
        raise RecordingError(
            f"{folder} is inside {arguments.recording}, which is left as it is; give another "
            "folder by --output"
        )
    if folder.exists() and not folder.is_dir():
        raise RecordingError(f"--output {folder} is a file; give a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(
            f"the folder {readable_name(folder)} cannot be made: {error.strerror}; give another by "
            "--output"
        ) from None
    return folder


def _text(summary: dict[str, Any], has_photos: bool) -> str:
    read = f"{summary['frames']:,} {'photo' if has_photos else 'frame'}{_s(summary['frames'])}"
    if not has_photos:
        read += f" in {summary['span_s']:.1f} s"
    count = len(summary["faces"])
    lines = [
        summary["recording"],
        f"{read}, {summary['frames_with_face']:,} with a face; {count:,} face{_s(count)}",
    ]
    lines += [f"  {label:<10} {100 * share:5.1f} %" for label, share in summary["labels"].items()]
    if summary["unreadable"]:
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in summary["unreadable"].items())
        lines.append(f"unreadable: {reasons}")
    return "\n".join([*lines, f"wrote {' and '.join(summary['files'])}"])


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _complain(text: str) -> None:
    print(f"expression-ros: {text}", file=sys.stderr)
