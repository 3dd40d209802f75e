"""FER2013 (Goodfellow et al., 2013): 48x48 grey faces from a web search, seven expressions.

Two forms are read: Kaggle's ``fer2013.csv`` with the columns emotion, pixels, Usage, and an npz
file with ``images``, ``labels`` and, where there are any, ``label_names``, ``split`` (0 training,
1 public test, 2 private test; or their names), ``subjects``, ``duplicate_of_train`` and what people
see, ``ferplus_votes`` with ``ferplus_names``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from expression_ros.progress import Progress
from expression_ros.training.data.faces import DataError, FaceSet, read_arrays, report_progress
from expression_ros.training.data.labelled_images import (
    CROPPED,
    PRIVATE_TEST,
    TEST,
    TRAIN,
    VALIDATION,
    Collected,
    DataSet,
    Dropped,
    LabelledImage,
    fault_lines,
    held,
)
from expression_ros.training.data.people_votes import VoteTable, known_or_none, votes_of_arrays
from expression_ros.vocabulary import (
    FER2013_ORDER,
    UNKNOWN,
    canonical_label,
    label_from_fer2013,
)

SIDE = 48  # px

_USAGE = {"training": TRAIN, "publictest": TEST, "privatetest": PRIVATE_TEST}
_SPLIT_OF_NUMBER = (TRAIN, TEST, PRIVATE_TEST)  # in the npz file
_SPLIT_OF_NAME = {**_USAGE, "train": TRAIN, "test": TEST, "validation": VALIDATION, "": ""}
_COLUMNS = ("emotion", "pixels", "usage")


def load_fer2013(path: str | Path) -> tuple[FaceSet, FaceSet]:
    """Return the training faces and the test faces (public test).

    Test images that are pixel copies of a training image are left out: they flatter the score.

    Raises:
        DataError: the file is missing or is not FER2013.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no FER2013 file at {path}; give fer2013.npz or Kaggle's fer2013.csv")
    if path.suffix.lower() == ".csv":
        data = read_fer2013_csv(path)
    else:
        data = data_set_of_arrays(read_arrays(path), path)
    for line in fault_lines(data.dropped):
        report_progress(f"left out: {line}")
    train, test = (_faces_of(data.of_split(split), path) for split in (TRAIN, TEST))
    return train, test


def read_fer2013_csv(path: Path, table: VoteTable | None = None) -> DataSet:
    """Return the rows of Kaggle's CSV. Bad rows are dropped, each named with its line.

    Args:
        path: of the file.
        table: what people see on its rows, if they were asked.

    Raises:
        DataError: the file is missing or empty, or lacks one of the columns.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    collected = Collected()
    with path.open("rb") as content:
        lines = sum(piece.count(b"\n") for piece in iter(partial(content.read, 1 << 20), b""))
    with (
        path.open(encoding="utf-8-sig", errors="replace") as file,
        Progress(f"reading {path.name}", max(1, lines - 1)) as progress,
    ):
        places = _places_of_columns(file.readline(), path)
        row_numbers = count()
        for number, line in enumerate(file, 2):
            progress.advance()
            if line.strip():
                votes = table.of_csv_row(next(row_numbers)) if table else None
                _read_row(line, f"{path.name}:{number}", places, collected, votes)
    return DataSet(path.name, *_without_copies(collected), CROPPED)


def data_set_of_arrays(
    arrays: Mapping[str, np.ndarray], path: Path, table: VoteTable | None = None
) -> DataSet:
    """Return the images of an npz file laid out like the one above.

    Labels are numbers into ``label_names`` (FER2013's order where there are none), or names.

    Args:
        arrays: of the file.
        path: of the file.
        table: what people see on its images, in place of votes of the file itself.

    Raises:
        DataError: an array is missing, or has another shape or type.
    """
    for name in ("images", "labels"):
        if name not in arrays:
            raise DataError(f"{path}: no array {name}; see docs/data.md")
    images = arrays["images"]
    if images.ndim != 3 or images.dtype != np.uint8 or 0 in images.shape:
        raise DataError(f"{path}: images must be (N, H, W) uint8, not {images.dtype} "
                        f"of {images.shape}")  # fmt: skip
    count = len(images)
    for name in ("labels", "split", "subjects", "duplicate_of_train"):
        if name in arrays and arrays[name].shape != (count,):
            raise DataError(f"{path}: {count} images, but {name} of {arrays[name].shape}")
    votes = table.of_rows(count) if table else votes_of_arrays(arrays, path)
    if votes is not None and len(votes) != count:
        raise DataError(f"{path}: {count} images, but votes on {len(votes)}")
    names = _names_of_labels(arrays)
    labels = arrays["labels"].tolist()
    splits = arrays["split"].tolist() if "split" in arrays else [""] * count
    subjects = arrays["subjects"].tolist() if "subjects" in arrays else [""] * count
    collected = Collected()
    for index, image in enumerate(images):
        source = f"{path.name}[{index}]"
        try:
            label, split = _label(labels[index], names), _split_of(splits[index])
        except ValueError as error:
            collected.fault(source, "unknown label or split", str(error))
            continue
        subject = str(subjects[index])
        seen = None if votes is None else known_or_none(votes[index])
        labelled = LabelledImage(source, label, held(image), subject, split, seen)
        collected.images.append(labelled)
    if "duplicate_of_train" not in arrays:
        return DataSet(path.name, *_without_copies(collected), CROPPED)
    copies = {f"{path.name}[{i}]" for i in np.flatnonzero(arrays["duplicate_of_train"])}
    return DataSet(path.name, *_without_copies(collected, copies), CROPPED)


def _places_of_columns(header: str, path: Path) -> dict[str, int]:
    # icml_face_data.csv, the other form Kaggle has, writes blanks before its column names.
    names = [name.strip().lower() for name in next(csv.reader([header]), [])]
    if missing := [name for name in _COLUMNS if name not in names]:
        raise DataError(
            f"{path}:1: no column {', '.join(missing)}; FER2013's CSV begins with the line "
            "emotion,pixels,Usage"
        )
    return {name: names.index(name) for name in _COLUMNS}


def _read_row(
    line: str,
    source: str,
    places: Mapping[str, int],
    collected: Collected,
    votes: np.ndarray | None,
) -> None:
    # Line by line: a quote that is never closed spoils its own row, not all that follow.
    row = next(csv.reader([line.replace("\0", "?")]))
    if len(row) <= max(places.values()):
        collected.fault(source, "bad row", f"{len(row)} columns")
        return
    emotion, pixels, usage = (row[places[name]].strip() for name in _COLUMNS)
    try:
        label = label_from_fer2013(int(emotion))
    except ValueError:
        collected.fault(source, "unknown label", f"emotion {emotion[:20]!r}, not 0..6")
        return
    if usage.lower() not in _USAGE:
        collected.fault(source, "unknown usage", repr(usage[:20]))
        return
    values = pixels.split()
    if len(values) != SIDE * SIDE:
        collected.fault(source, "wrong pixel count", f"{len(values)}, not {SIDE * SIDE}")
        return
    try:
        # bytes() refuses what does not fit into one; np.uint8 of older NumPy wraps around
        image = np.frombuffer(bytes(map(int, values)), np.uint8).reshape(SIDE, SIDE)
    except ValueError as error:
        collected.fault(source, "bad pixel", f"not a whole number of 0..255 ({error})")
        return
    split = _USAGE[usage.lower()]
    labelled = LabelledImage(source, label, held(image), split=split, votes=votes)
    collected.images.append(labelled)


def _names_of_labels(arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    if "label_names" not in arrays:
        return FER2013_ORDER
    return tuple(str(name) for name in arrays["label_names"].ravel())


def _label(given: object, names: tuple[str, ...]) -> str:
    if isinstance(given, str):
        label = canonical_label(given)
    elif isinstance(given, int) and 0 <= given < len(names):
        label = canonical_label(names[given])
    else:
        raise ValueError(f"label {given!r}, not 0..{len(names) - 1}")
    if label == UNKNOWN:
        raise ValueError("labelled unknown")
    return label


def _split_of(given: object) -> str:
    if isinstance(given, str):
        key = given.lower().replace("_", "").replace(" ", "")
        if key in _SPLIT_OF_NAME:
            return _SPLIT_OF_NAME[key]
    elif isinstance(given, int) and 0 <= given < len(_SPLIT_OF_NUMBER):
        return _SPLIT_OF_NUMBER[given]
    raise ValueError(f"split {given!r}, not 0..{len(_SPLIT_OF_NUMBER) - 1} or a split's name")


def _without_copies(
    collected: Collected, copies: set[str] | None = None
) -> tuple[list[LabelledImage], list[Dropped]]:
    """Return images and drops, test images that are pixel copies of training ones dropped.

    Args:
        collected: what was read.
        copies: sources of the copies, where they are known; else they are searched.
    """
    if copies is None:
        copies = set(_sources_of_copies(collected.images))
    kept = [p for p in collected.images if p.source not in copies]
    dropped = [Dropped(p.source, "copy of a training image") for p in collected.images
               if p.source in copies]  # fmt: skip
    return kept, [*collected.dropped, *dropped]


def _sources_of_copies(images: list[LabelledImage]) -> Iterator[str]:
    seen = {image.read().tobytes() for image in images if image.split == TRAIN}
    for image in images:
        if image.split in (TEST, PRIVATE_TEST) and image.read().tobytes() in seen:
            yield image.source


def _faces_of(data: DataSet, path: Path) -> FaceSet:
    if not data.images:
        raise DataError(f"{path}: it needs training images and public test images")
    images = np.stack([image.read() for image in data.images])
    if images.shape[1:] != (SIDE, SIDE):
        raise DataError(f"{path}: FER2013 images are (N, 48, 48) uint8, these are {images.shape}")
    return FaceSet(images, np.array([image.label for image in data.images]))
