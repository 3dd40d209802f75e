"""The subcommand ``evaluate`` of the command ``expression-ros``."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from expression_ros import load_classifier
from expression_ros.commands.detector_options import add_detector_options, chosen_detector
from expression_ros.parameters.choices import CLASSIFIERS
from expression_ros.recognition.fisherfaces import KIND
from expression_ros.recognition.model_manifest import MANIFEST_NAME, ModelError, kind_of
from expression_ros.recognition.models import ONNX
from expression_ros.recognition.network_description import DESCRIPTION_NAME
from expression_ros.training.data.data_sets import AUTO, FORMATS, open_data_set
from expression_ros.training.data.faces import DataError, report_progress
from expression_ros.training.data.labelled_pictures import (
    FACES_CHOICES,
    SPLITS,
    TEST,
    DataSet,
    Dropped,
    fault_lines,
)
from expression_ros.training.data.people_groups import read_groups
from expression_ros.training.evaluation.measurement import (
    MIN_FACE,
    MeasuredClassifier,
    Measurement,
    measure,
)
from expression_ros.training.evaluation.plots import check_drawing
from expression_ros.training.evaluation.report import (
    comparison,
    figures_of,
    summary,
    write_json,
    write_report,
)

_ALL = "all"
_COMPARISON_NAME = "comparison.md"


@dataclass(frozen=True)
class _Entry:
    """A classifier to be measured: what it is called in tables, its kind, its folder or None."""

    name: str
    kind: str
    folder: Path | None


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
                        "column as the pictures' files begin: are all read equally well?"
                        )  # fmt: skip
    parser.add_argument("--faces", choices=(AUTO, *FACES_CHOICES), default=AUTO,
                        help="cropped: the pictures are faces; detect: the face of each is found "
                        "(default: %(default)s: by the data)")  # fmt: skip
    add_detector_options(parser)
    parser.add_argument("--min-face", type=float, default=MIN_FACE, metavar="SHARE",
                        help="width of the smallest face that is searched, as a share of the "
                        "picture's height (default: %(default)s)")  # fmt: skip
    parser.add_argument("--split", choices=(AUTO, *SPLITS, _ALL), default=AUTO,
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
                        help="write a report with pictures")  # fmt: skip
    parser.set_defaults(func=_guarded)


def _guarded(arguments: argparse.Namespace) -> int:
    """Evaluate; answer bad input with one line on stderr and exit code 2."""
    try:
        return _evaluate(arguments)
    except ValueError as error:  # of data, models, descriptors, faces, cascades
        print(f"expression-ros: {error}", file=sys.stderr)
    except OSError as error:
        print(f"expression-ros: {error.filename}: {error.strerror}", file=sys.stderr)
    return 2


def _evaluate(arguments: argparse.Namespace) -> int:
    entries = _entries(arguments)
    # What can be wrong is told at once, not after minutes of work.
    _check_outputs(arguments)
    loaded = [load_classifier(entry.kind, entry.folder or "") for entry in entries]
    groups = read_groups(arguments.groups) if arguments.groups else None
    whole = open_data_set(arguments.data, arguments.format, votes=arguments.votes)
    data = _part(whole, arguments.split)
    faces = data.faces if arguments.faces == AUTO else arguments.faces
    _name_faults(data.dropped)
    rows: dict[str, dict[str, Any]] = {}
    named: set[str] = set()
    for entry, classifier in zip(entries, loaded, strict=True):
        result = measure(
            cast(MeasuredClassifier, classifier), data, faces, arguments.min_face,
            chosen_detector(arguments),
        )  # fmt: skip
        _name_faults([drop for drop in result.unreadable if drop.source not in named])
        named |= {drop.source for drop in result.unreadable}
        if not result.truth:
            raise DataError(_nothing_to_judge(result, data, entry))
        figures = {
            "classifier": entry.kind,
            "model": entry.folder.resolve().name if entry.folder else "shipped",
            "faces": faces,
            "split": _name_of_split(data),
            **figures_of(result, data, groups),
        }
        rows[entry.name] = figures
        if not arguments.compare:
            print(summary(figures))
        if arguments.report:
            folder = arguments.report / entry.name if arguments.compare else arguments.report
            title = f"{entry.name} on {data.name}, {figures['split']}"
            write_report(folder, figures, result, title, _command(arguments, [entry]))
    if arguments.compare:
        print(comparison(rows))
        if arguments.report:
            page = _comparison_page(data, rows, _command(arguments, entries))
            (arguments.report / _COMPARISON_NAME).write_text(page, encoding="utf-8")
    if arguments.json:
        write_json(arguments.json, rows if arguments.compare else next(iter(rows.values())))
    return 0


def _entries(arguments: argparse.Namespace) -> list[_Entry]:
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


def _named(word: str) -> _Entry:
    """Return the entry of a part of --compare."""
    name, equals, folder = (part.strip() for part in word.partition("="))
    if not equals:
        if name in CLASSIFIERS:
            return _Entry(name, name, None)
        # resolved, for the name of "." and of "svm/.."
        return _Entry(Path(name).resolve().name, _kind_in(Path(name)), Path(name))
    if not re.fullmatch(r"\w[\w .+-]*", name):  # it will name a folder of the report
        raise DataError(f"--compare: {name!r} is no name of letters, digits and . _ - +")
    kind = name if name in CLASSIFIERS else _kind_in(Path(folder))
    return _Entry(name, kind, Path(folder))


def _chosen(classifier: str | None, model: Path | None) -> _Entry:
    if model is None:
        return _Entry(classifier or KIND, classifier or KIND, None)
    kind = classifier or _kind_in(model)
    return _Entry(kind, kind, model)


def _kind_in(folder: Path) -> str:
    """Return which classifier a model folder is of; ModelError if it is none."""
    if (folder / MANIFEST_NAME).is_file():
        kind = kind_of(folder)
        if kind not in CLASSIFIERS:
            raise ModelError(
                f"{folder / MANIFEST_NAME}: its kind {kind!r} is no classifier; there are: "
                f"{', '.join(CLASSIFIERS)}"
            )
        return kind
    if (folder / DESCRIPTION_NAME).is_file() or folder.name == DESCRIPTION_NAME:
        return ONNX
    raise ModelError(
        f"{folder} is neither a classifier ({', '.join(CLASSIFIERS)}) nor a model folder with a "
        f"{MANIFEST_NAME} or {DESCRIPTION_NAME}; train one: expression-ros train CLASSIFIER "
        f"--output {folder}"
    )


def _check_outputs(arguments: argparse.Namespace) -> None:
    if arguments.json and not arguments.json.absolute().parent.is_dir():
        raise DataError(f"--json {arguments.json}: there is no folder {arguments.json.parent}")
    if arguments.json and arguments.json.is_dir():
        raise DataError(f"--json {arguments.json} is a folder; give a file")
    if arguments.report:
        check_drawing()
        arguments.report.mkdir(parents=True, exist_ok=True)


def _part(data: DataSet, split: str) -> DataSet:
    """Return one split of a data set; of one without splits, all of it."""
    has = data.splits()
    if split == _ALL or (split == AUTO and set(has) <= {""}):
        return data
    wanted = TEST if split == AUTO else split
    if wanted not in has:
        there = ", ".join(name or "pictures without a split" for name in has) or "nothing"
        raise DataError(f"{data.name} has no split {wanted}, but {there}; see --split")
    return data.of_split(wanted)


def _name_of_split(data: DataSet) -> str:
    has = data.splits()
    return next(iter(has)) or _ALL if len(has) == 1 else _ALL


def _name_faults(dropped: Sequence[Dropped]) -> None:
    for line in fault_lines(dropped):
        report_progress(f"left out: {line}")


def _nothing_to_judge(result: Measurement, data: DataSet, entry: _Entry) -> str:
    reasons = {
        "without exactly one face (--faces cropped, if they are crops)": len(result.no_face),
        "unreadable": len(result.unreadable),
        "with a label that the model cannot say": sum(result.cannot_say.values()),
    }
    counted = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count)
    return f"{data.name}: {entry.name} has no face to judge; {counted or 'there are no pictures'}"


def _command(arguments: argparse.Namespace, entries: Sequence[_Entry]) -> str:
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


def _comparison_page(data: DataSet, rows: dict[str, dict[str, Any]], command: str) -> str:
    links = "\n".join(f"* [{name}](<{name}/report.md>)" for name in rows)
    return (
        f"# Classifiers on {data.name}, {_name_of_split(data)}\n\n    {command}\n\n"
        f"{comparison(rows)}\n\nNot counted are faces whose label the model cannot say.\n\n"
        f"{links}\n"
    )
