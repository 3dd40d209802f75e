"""The subcommand ``prepare`` of the command ``expression-ros``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from expression_ros import EMOTIONS
from expression_ros.commands.options import (
    add_detector_options,
    chosen_detector,
    with_one_line_errors,
)
from expression_ros.recognition.face_preparation import (
    LIGHT_CHOICES,
    FacePreparation,
)
from expression_ros.training.data.data_sets import AUTO, FORMATS, open_data_set
from expression_ros.training.data.faces import DataError
from expression_ros.training.data.labelled_images import (
    FACES_CHOICES,
    SPLITS,
    TEST,
    TRAIN,
    Dropped,
    count_by_reason,
    fault_lines,
)
from expression_ros.training.data.prepare import (
    AUTO_FACES,
    NothingLeftError,
    PrepareSettings,
    prepare,
)
from expression_ros.training.data.prepared_set import PreparedSet, save_prepared_set

_SUFFIX = ".npz"
_STDOUT = Path("-")


def add_prepare_parser(subparsers: Any) -> None:
    """Add ``prepare`` to the subparsers of argparse; ``func`` returns an exit code."""
    parser = subparsers.add_parser(
        "prepare", help="turn a data set into grey crops of faces with labels and splits"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="PATH",
                        help="CK+'s folder, FER2013's .csv, a folder or .zip with a folder per "
                        "emotion, or an .npz")  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.npz",
                        help="prepared set to write")  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, default=AUTO,
                        help="form of the data (default: %(default)s: look)")  # fmt: skip
    parser.add_argument("--votes", type=Path, metavar="FILE",
                        help="what people see on the faces of FER2013: Microsoft's fer2013new.csv, "
                        "or an npz with ferplus_votes")  # fmt: skip
    parser.add_argument("--faces", choices=(AUTO_FACES, *FACES_CHOICES), default=AUTO_FACES,
                        help="detect: find the face of each image; "
                        "cropped: the images are crops; auto: crops are FER2013, npz files and "
                        "folders of small squares (default: %(default)s)")  # fmt: skip
    add_detector_options(parser)
    parser.add_argument("--size", type=int, default=FacePreparation.size, metavar="PX",
                        help="side of the prepared faces (default: %(default)s)")  # fmt: skip
    parser.add_argument("--margin", type=float, default=FacePreparation.margin,
                        help="margin around a detected face, as a share of its width "
                        "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--light", choices=LIGHT_CHOICES, default=FacePreparation.light,
                        help="what is done about light (default: %(default)s)")  # fmt: skip
    parser.add_argument("--level-by-eyes", action=argparse.BooleanOptionalAction, default=True,
                        help="turn detected faces until the eyes are level (default)")  # fmt: skip
    parser.add_argument("--min-face", type=float, default=PrepareSettings.min_face,
                        metavar="SHARE", help="width of the smallest face that is searched, as a "
                        "share of the image's height (default: %(default)s)")  # fmt: skip
    parser.add_argument("--balance", type=int, default=0, metavar="N",
                        help="at most N faces per emotion in each split, chosen at random (436 "
                        "makes FER2013's training classes equal)")  # fmt: skip
    parser.add_argument("--test-share", type=float, default=PrepareSettings.test_share,
                        metavar="SHARE", help="of the images to which the data give no split; "
                        "subjects stay together (default: %(default)s)")  # fmt: skip
    parser.add_argument("--validation-share", type=float, metavar="SHARE",
                        default=PrepareSettings.validation_share,
                        help="of the training images (default: %(default)s)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=PrepareSettings.seed,
                        help="same seed, same set (default: %(default)s)")  # fmt: skip
    parser.add_argument("--subject-pattern", default="", metavar="REGEX",
                        help="its first group, searched in a path, is the subject")  # fmt: skip
    parser.add_argument("--list-dropped", nargs="?", type=Path, const=_STDOUT, metavar="FILE",
                        help="name all that was dropped, in FILE or on stdout")  # fmt: skip
    parser.set_defaults(func=with_one_line_errors(_prepare))


def _prepare(arguments: argparse.Namespace) -> int:
    settings = PrepareSettings(
        faces=arguments.faces,
        face=FacePreparation(
            size=arguments.size,
            margin=arguments.margin,
            light=arguments.light,
            level_by_eyes=arguments.level_by_eyes,
        ),
        min_face=arguments.min_face,
        test_share=arguments.test_share,
        validation_share=arguments.validation_share,
        balance=arguments.balance,
        seed=arguments.seed,
        detector=chosen_detector(arguments),
    )
    _check_output(arguments.output)  # before an hour of work, not after it
    data = open_data_set(
        arguments.data, arguments.format, arguments.subject_pattern, arguments.votes
    )
    try:
        prepared = prepare(data, settings)
    except NothingLeftError as error:
        _name_dropped(error.dropped, arguments.list_dropped)
        raise
    save_prepared_set(arguments.output, prepared.faces)
    _name_dropped(prepared.dropped, arguments.list_dropped)
    print(summary(prepared.faces, prepared.dropped))
    print(f"{arguments.output}: {len(prepared.faces):,} faces, {prepared.faces.faces}")
    for split in (TRAIN, TEST):
        if not _has(prepared.faces, split):
            print(f"expression-ros: no face is in the split {split}; see --test-share and "
                  "--subject-pattern", file=sys.stderr)  # fmt: skip
    return 0


def summary(faces: PreparedSet, dropped: Sequence[Dropped]) -> str:
    """Return a table of the faces by label and split, and the drops by reason."""
    splits = [split for split in SPLITS if _has(faces, split)]
    labels = [label for label in EMOTIONS if label in set(faces.labels.tolist())]
    count = Counter(zip(faces.labels.tolist(), faces.split.tolist(), strict=True))
    rows = [["", *splits]]
    for label in labels:
        rows.append([label, *(f"{count[label, split]:,}" for split in splits)])
    rows.append(["all", *(f"{int((faces.split == split).sum()):,}" for split in splits)])
    subjects = faces.subjects
    rows.append(
        ["subjects", *(f"{len(set(subjects[faces.split == split]) - {''}):,}" for split in splits)]
    )
    lines = [f"{row[0]:10}" + "".join(f"{cell:>14}" for cell in row[1:]) for row in rows]
    counts = count_by_reason(dropped)
    lines.append(f"dropped {len(dropped):,}" + (":" if counts else ""))
    lines.extend(f"  {reason:32}{number:>8,}" for reason, number in counts.items())
    return "\n".join(lines)


def _has(faces: PreparedSet, split: str) -> bool:
    return bool((faces.split == split).any())


def _check_output(path: Path) -> None:
    if path.suffix != _SUFFIX:
        raise DataError(f"--output {path} must end in {_SUFFIX}")
    if not path.parent.is_dir():
        raise DataError(f"--output {path}: there is no folder {path.parent}")


def _name_dropped(dropped: Sequence[Dropped], listed: Path | None) -> None:
    """Name all that was dropped where the user wants it; what is damaged in any case."""
    text = "".join(f"{drop}\n" for drop in dropped)
    if listed == _STDOUT:
        sys.stdout.write(text)
        return
    for line in fault_lines(dropped):
        print(f"left out: {line}", file=sys.stderr)
    if listed is not None:
        listed.write_text(text, encoding="utf-8")
