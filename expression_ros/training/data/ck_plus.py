"""CK+ as distributed (Lucey et al., 2010): sequences from neutral to the height of an emotion.

The pictures lie in ``cohn-kanade-images/SXXX/NNN/*.png``, the label of a sequence in
``Emotion/SXXX/NNN/*_emotion.txt``; older copies name the folders ``source_images`` and
``source_emotion``. The label is that of the last picture; the first one is neutral.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from expression_ros.progress import with_progress
from expression_ros.training.data.faces import DataError
from expression_ros.training.data.labelled_pictures import (
    DETECT,
    Collected,
    DataSet,
    Dropped,
    LabelledPicture,
    is_picture,
    read_file,
)
from expression_ros.vocabulary import NEUTRAL, label_from_ck_plus

IMAGE_FOLDERS = ("cohn-kanade-images", "source_images")
LABEL_FOLDERS = ("emotion", "source_emotion")
_FRAME_NAME = re.compile(r"^S\d{3}_\d{3}_\d{8}$")
_DEPTH = 2  # the zip files unpack to extended-cohn-kanade-images/ and Emotion_labels/ around them


def find_ck_plus(root: Path) -> tuple[Path, Path] | None:
    """Return the folders of the pictures and of the labels, or None if this is not CK+."""
    images, labels = _named(root, IMAGE_FOLDERS), _named(root, LABEL_FOLDERS)
    return (images[0], labels[0]) if images and labels else None


def is_ck_plus(root: Path) -> bool:
    """Return whether this is CK+ or a part of it, such as the pictures without the labels."""
    return bool(_named(root, IMAGE_FOLDERS)) or root.name.lower() in IMAGE_FOLDERS


def read_ck_plus(root: Path) -> DataSet:
    """Return first and last picture of every labelled sequence, with the subjects.

    Raises:
        DataError: the two folders are not there.
    """
    found = find_ck_plus(root)
    if found is None:
        raise DataError(
            f"{root} is not the whole of CK+: give the folder that holds both "
            "cohn-kanade-images/SXXX/NNN/*.png and Emotion/SXXX/NNN/*_emotion.txt "
            "(or source_images and source_emotion)"
        )
    images, labels = found
    collected = Collected()
    sequences = sorted({*_sequences(images), *_sequences(labels)})
    for sequence in with_progress(sequences, "looking through CK+"):
        _read_sequence(images / sequence, labels / sequence, root, collected)
    return DataSet(root.name, collected.pictures, collected.dropped, DETECT)


def _read_sequence(images: Path, labels: Path, root: Path, collected: Collected) -> None:
    source = images.relative_to(root).as_posix()
    frames = sorted(path for path in _inside(images) if is_picture(path.name))
    files = sorted(p for p in _inside(labels) if p.suffix == ".txt" and p.name[:2] != "._")
    if not files:
        # Only 327 of CK+'s 593 sequences fit an emotion; the others come without a label.
        collected.dropped.append(Dropped(source, "sequence without a label"))
        return
    label = _label_in(files, root, collected)
    if label is None:
        return
    if not frames:
        collected.fault(files[0].relative_to(root).as_posix(), "label without pictures")
        return
    # The label's file is named after the last picture. If just that one is missing, the one before
    # it would be given its label.
    height = files[0].name.removesuffix("_emotion.txt")
    if _FRAME_NAME.match(height) and height not in {frame.stem for frame in frames}:
        collected.fault(
            files[0].relative_to(root).as_posix(),
            "label without its picture",
            f"{height} is missing",
        )
        return
    named = {frames[0]: NEUTRAL, frames[-1]: label}  # one picture alone is the last one
    for frame, emotion in named.items():
        place = frame.relative_to(root).as_posix()
        read = partial(read_file, frame)
        collected.pictures.append(LabelledPicture(place, emotion, read, subject=images.parent.name))


def _label_in(files: list[Path], root: Path, collected: Collected) -> str | None:
    place = files[0].relative_to(root).as_posix()
    if len(files) > 1:
        collected.fault(place, "more than one label", f"beside it: {files[1].name}")
        return None
    try:
        text = files[0].read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        collected.fault(place, "unreadable label", error.strerror or "")
        return None
    try:
        return label_from_ck_plus(float(text))
    except (ValueError, OverflowError):  # of which OverflowError is for inf
        collected.fault(f"{place}:1", "unknown label", f"{text[:20]!r}, not a number of 0..7")
        return None


def _sequences(folder: Path) -> Iterator[Path]:
    """Yield SXXX/NNN for every sequence in a folder of CK+."""
    for subject in _inside(folder):
        yield from (s.relative_to(folder) for s in _inside(subject) if s.is_dir())


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _named(root: Path, names: tuple[str, ...]) -> list[Path]:
    return [folder for folder in _folders(root, _DEPTH) if folder.name.lower() in names]


def _folders(root: Path, depth: int) -> Iterator[Path]:
    """Yield the folders up to so many levels below, the upper ones first."""
    level = [root]
    for _ in range(depth):
        level = [inner for folder in level for inner in _inside(folder) if inner.is_dir()]
        yield from level
