"""The subcommand ``evaluate`` of the command ``expression-ros``."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from expression_ros.commands.options import (
    add_detector_options,
    chosen_detector,
    with_one_line_errors,
)
from expression_ros.parameters.choices import CLASSIFIERS
from expression_ros.recognition.fisherfaces import KIND
from expression_ros.training.data.data_sets import AUTO, FORMATS
from expression_ros.training.data.faces import DataError
from expression_ros.training.data.labelled_images import FACES_CHOICES, SPLITS
from expression_ros.training.evaluation.evaluation import (
    ALL,
    Entry,
    EvaluationConfig,
    evaluate_classifiers,
    kind_in,
)
from expression_ros.training.evaluation.measurement import MIN_FACE
from expression_ros.training.evaluation.plots import check_drawing
from expression_ros.training.evaluation.report import (
    comparison,
    summary,
    write_comparison,
    write_json,
    write_report,
)


def add_evaluate_parser(subparsers: Any) -> None:
    """Add ``evaluate`` to the subparsers of argparse; ``func`` returns an exit code."""
    parser = subparsers.add_parser("evaluate", help="measure classifiers on labelled faces")
    parser.add_argument("--data", type=Path, required=True, metavar="PATH",
                        help="fer2013.npz or .csv, CK+'s folder, a folder or .zip with a folder "
                        "per emotion, or what expression-ros prepare wrote")  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, default=AUTO,
                        help="form of the data (default: %(default)s: look)")  # fmt: skip
    parser.add_argument("--votes", type=Path, metavar="FILE",
                        help="what people see on the faces of FER2013: an npz with ferplus_votes, "
                        "or Microsoft's fer2013new.csv (default: the votes in the data, if any)"
                        )  # fmt: skip
    parser.add_argument("--groups", type=Path, metavar="FILE",
                        help="a CSV that says who is what (sex, age, ...), named in its first "
                        "column as the images' files begin: are all read equally well?"
                        )  # fmt: skip
    parser.add_argument("--faces", choices=(AUTO, *FACES_CHOICES), default=AUTO,
                        help="cropped: the images are faces; detect: the face of each is found "
                        "(default: %(default)s: by the data)")  # fmt: skip
    add_detector_options(parser)
    parser.add_argument("--min-face", type=float, default=MIN_FACE, metavar="SHARE",
                        help="width of the smallest face that is searched, as a share of the "
                        "image's height (default: %(default)s)")  # fmt: skip
    parser.add_argument("--split", choices=(AUTO, *SPLITS, ALL), default=AUTO,
                        help="which part of the data (default: %(default)s: its test, or all if "
                        "it has no splits)")  # fmt: skip
    parser.add_argument("--classifier", choices=CLASSIFIERS, metavar="NAME",
                        help=f"one of {', '.join(CLASSIFIERS)} (default: that of --model, or "
                        f"{KIND})")  # fmt: skip
    parser.add_argument("--model", type=Path, metavar="DIR",
                        help="its model folder (default: the shipped one)")  # fmt: skip
    parser.add_argument("--compare", metavar="A,B,...",
                        help="put several side by side: names of classifiers, model folders, or "
                        "NAME=DIR")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--report", type=Path, metavar="DIR",
                        help="write a report with plots")  # fmt: skip
    parser.set_defaults(func=with_one_line_errors(_evaluate))


def _evaluate(arguments: argparse.Namespace) -> int:
    entries = _entries(arguments)
    _check_outputs(arguments)  # before minutes of work, not after them
    config = EvaluationConfig(
        entries=tuple(entries),
        data=arguments.data,
        form=arguments.format,
        votes=arguments.votes,
        groups=arguments.groups,
        faces=arguments.faces,
        split=arguments.split,
        min_face=arguments.min_face,
        detector=chosen_detector(arguments),
    )
    rows: dict[str, dict[str, Any]] = {}
    for one in evaluate_classifiers(config):
        name, figures = one.entry.name, one.figures
        rows[name] = figures
        if not arguments.compare:
            print(summary(figures))
        if arguments.report:
            folder = arguments.report / name if arguments.compare else arguments.report
            title = f"{name} on {one.data.name}, {figures['split']}"
            write_report(folder, figures, one.result, title, _command(arguments, [one.entry]))
    if arguments.compare:
        print(comparison(rows))
        if arguments.report:
            write_comparison(arguments.report, rows, _command(arguments, entries))
    if arguments.json:
        write_json(arguments.json, rows if arguments.compare else next(iter(rows.values())))
    return 0


def _entries(arguments: argparse.Namespace) -> list[Entry]:
    if not arguments.compare:
        return [_chosen(arguments.classifier, arguments.model)]
    if arguments.model or arguments.classifier:
        raise DataError("give --compare, or --classifier and --model, not both")
    entries = [_named(word.strip()) for word in arguments.compare.split(",") if word.strip()]
    if not entries:
        raise DataError("--compare needs classifiers or model folders, separated by commas")
    names = [entry.name for entry in entries]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"--compare has {twice[0]} twice; name them apart: first=DIR,second=DIR")
    return entries


def _named(word: str) -> Entry:
    """Return the entry of a part of --compare."""
    name, equals, folder = (part.strip() for part in word.partition("="))
    if not equals:
        if name in CLASSIFIERS:
            return Entry(name, name, None)
        # resolved, for the name of "." and of "svm/.."
        return Entry(Path(name).resolve().name, kind_in(Path(name)), Path(name))
    if not re.fullmatch(r"\w[\w .+-]*", name):  # it will name a folder of the report
        raise DataError(f"--compare: {name!r} is not a name of letters, digits and . _ - +")
    kind = name if name in CLASSIFIERS else kind_in(Path(folder))
    return Entry(name, kind, Path(folder))


def _chosen(classifier: str | None, model: Path | None) -> Entry:
    if model is None:
        return Entry(classifier or KIND, classifier or KIND, None)
    kind = classifier or kind_in(model)
    return Entry(kind, kind, model)


def _check_outputs(arguments: argparse.Namespace) -> None:
    if arguments.json and not arguments.json.absolute().parent.is_dir():
        raise DataError(f"--json {arguments.json}: there is no folder {arguments.json.parent}")
    if arguments.json and arguments.json.is_dir():
        raise DataError(f"--json {arguments.json} is a folder; give a file")
    if arguments.report:
        check_drawing()
        arguments.report.mkdir(parents=True, exist_ok=True)


def _command(arguments: argparse.Namespace, entries: Sequence[Entry]) -> str:
    """Return the command that measures these, without the paths of this machine."""
    words = ["expression-ros", "evaluate", "--data", arguments.data.resolve().name]
    if arguments.votes:
        words += ["--votes", arguments.votes.name]
    if arguments.groups:
        words += ["--groups", arguments.groups.name]
    for option in ("format", "faces", "split"):
        if getattr(arguments, option) != AUTO:
            words += [f"--{option}", getattr(arguments, option)]
    if arguments.min_face != MIN_FACE:
        words += ["--min-face", str(arguments.min_face)]
    if len(entries) == 1:
        (entry,) = entries
        words += ["--classifier", entry.kind]
        if entry.folder:
            words += ["--model", entry.folder.resolve().name]
    else:
        words += [
            "--compare",
            ",".join(
                f"{e.name}={e.folder.resolve().name}" if e.folder else e.name for e in entries
            ),
        ]
    return shlex.join(words)
