"""Pictures in a folder per emotion, ``any/path/<emotion>/any/path/name.jpg``, unpacked or zipped.

A folder's name may be any alias of the vocabulary. The nearest folder above a picture that names an
emotion is its label; a folder named ``train`` or ``test`` above it, its split. The London Set
(DeBruine and Jones, 2017), CK+48, JAFFE sorted into folders and FER2013 as pictures come like this.
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from expression_ros.progress import with_progress
from expression_ros.recognition.photos import PhotoError
from expression_ros.training.data.faces import DataError
from expression_ros.training.data.labelled_pictures import (
    CROPPED,
    DETECT,
    PRIVATE_TEST,
    TEST,
    TRAIN,
    VALIDATION,
    Collected,
    DataSet,
    Dropped,
    LabelledPicture,
    decoded,
    is_picture,
    read_file,
)
from expression_ros.vocabulary import UNKNOWN, UnknownLabelError, canonical_label

_SPLIT_OF_FOLDER = {
    "train": TRAIN, "training": TRAIN,
    "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION,
    "test": TEST, "testing": TEST, "publictest": TEST, "privatetest": PRIVATE_TEST,
}  # fmt: skip

# Pictures that OpenCV does not read everywhere: damage, and not something else that lies about.
_OTHER_PICTURES = (".avif", ".gif", ".heic", ".heif", ".jp2")

# Squares this small are crops of faces (FER2013 and CK+48 have 48 px): on a whole picture of this
# size the cascades would find nothing.
_LARGEST_SURE_CROP = 64  # px
_SAMPLE = 16  # pictures that are looked at to tell crops from whole pictures

# How data sets write who is on a picture into its name.
_SUBJECT_PATTERNS = (
    re.compile(r"^(S\d{3})_\d{3}_\d{8}"),  # CK+
    re.compile(r"^([A-Z]{2})\.(?:AN|DI|FE|HA|NE|SA|SU)\d\.\d+"),  # JAFFE
    re.compile(r"^([A-Z][^\d]*)_\d{4}$"),  # Labeled Faces in the Wild: Name_Name_0001
    re.compile(r"^(\d{3})_(?:03|08)$"),  # London Set, the frontal pictures
)


def read_emotion_folders(path: Path, subject_pattern: str = "") -> DataSet:
    """Return the pictures below a folder, or in a zip file; nothing is unpacked to disk.

    Small squares, as FER2013 and CK+48 have them, are taken to be crops of faces; on all other
    pictures faces must be found.

    Args:
        path: of the folder or the zip file.
        subject_pattern: regular expression whose first group, searched in a file's path, is the
            subject; empty for the names of CK+, JAFFE, Labeled Faces in the Wild and the
            London Set.

    Raises:
        DataError: it is missing, broken, holds no picture, or the pattern is none or fits none.
    """
    patterns = _patterns(subject_pattern)
    if path.is_dir():
        closed: list[Dropped] = []
        found = with_progress(_files_below(path, closed), f"looking through {path.name}")
        collected = _collect(sorted(found), lambda name: partial(read_file, path / name), patterns)
        collected.dropped.extend(closed)
    else:
        archive = _opened(path)  # stays open: pictures are read out of it one by one
        names = sorted(name for name in archive.namelist() if not name.endswith("/"))
        collected = _collect(names, lambda name: partial(_read, archive, name), patterns)
    strangers = [drop for drop in collected.dropped if drop.reason == "unknown label"]
    if not collected.pictures and strangers and not any("/" in drop.source for drop in strangers):
        raise DataError(
            f"{path} holds {len(strangers):,} pictures and no folders that say what they show; put "
            "each into a folder named after its emotion: happiness/a.png, sad/b.png, neutral/c.png"
        )
    if not collected.pictures and not collected.dropped:
        raise DataError(f"{path} holds no pictures")
    if subject_pattern and not any(picture.subject for picture in collected.pictures):
        raise DataError(f"{subject_pattern!r} finds no subject in any path below {path}")
    faces = CROPPED if _are_small_squares(collected.pictures) else DETECT
    return DataSet(path.name, collected.pictures, collected.dropped, faces)


def _files_below(root: Path, closed: list[Dropped]) -> Iterator[str]:
    """Yield the paths of all files, relative to root; note the folders that cannot be opened.

    Links to folders are followed, each folder once.
    """

    def note(error: OSError) -> None:
        place = os.path.relpath(error.filename, root)
        closed.append(Dropped(place, "unreadable folder", error.strerror or "", is_fault=True))

    seen = set()
    for folder, inner, files in os.walk(root, onerror=note, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            inner.clear()
            continue
        seen.add(real)
        yield from (Path(folder, name).relative_to(root).as_posix() for name in files)


def _are_small_squares(pictures: Sequence[LabelledPicture]) -> bool:
    shapes = set()
    for picture in pictures[:: max(1, len(pictures) // _SAMPLE)]:
        try:
            shapes.add(picture.read().shape)
        except PhotoError:
            continue  # named when it is used
    return bool(shapes) and all(h == w <= _LARGEST_SURE_CROP for h, w in shapes)


def _collect(
    names: Iterable[str],
    reader: Callable[[str], Callable[[], np.ndarray]],
    patterns: tuple[re.Pattern[str], ...],
) -> Collected:
    collected = Collected()
    for name in names:
        if name.lower().endswith(_OTHER_PICTURES):
            collected.fault(name, "unreadable picture", "save it as PNG or JPEG")
            continue
        if not is_picture(name):
            collected.dropped.append(Dropped(name, "not a picture"))
            continue
        place = PurePosixPath(name)
        try:
            label = _label(place)
        except UnknownLabelError as error:
            collected.fault(name, "unknown label", str(error))
            continue
        if label == UNKNOWN:
            collected.dropped.append(Dropped(name, "labelled unknown"))
            continue
        collected.pictures.append(
            LabelledPicture(name, label, reader(name), _subject(place, patterns), _split(place))
        )
    return collected


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file or folder") from None
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path} is no readable zip file ({error})") from error


def _read(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    try:
        return decoded(archive.read(name), name)
    # RuntimeError: a password is asked for
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise PhotoError(f"{name}: cannot be read out of the zip file ({error})") from error


def _label(place: PurePosixPath) -> str:
    """Return the label that the nearest folder names; UnknownLabelError if none does."""
    for folder in place.parents:
        try:
            return canonical_label(folder.name)
        except UnknownLabelError:
            continue
    if re.fullmatch(r"\d+", place.parent.name):
        raise UnknownLabelError(
            f"folder {place.parent.name!r} is a number, which FER2013, CK+ and others give "
            "different meanings; rename it to its emotion"
        )
    return canonical_label(place.parent.name)


def _split(place: PurePosixPath) -> str:
    for folder in place.parents:
        key = folder.name.lower().replace("_", "").replace("-", "")
        if key in _SPLIT_OF_FOLDER:
            return _SPLIT_OF_FOLDER[key]
    return ""


def _patterns(given: str) -> tuple[re.Pattern[str], ...]:
    if not given:
        return ()
    try:
        pattern = re.compile(given)
    except re.error as error:
        raise DataError(f"{given!r} is no regular expression ({error})") from error
    if not pattern.groups:
        raise DataError(f"{given!r} has no group: put the subject in brackets, as in (\\d+)_")
    return (pattern,)


def _subject(place: PurePosixPath, patterns: tuple[re.Pattern[str], ...]) -> str:
    """Return who is on a picture, or "": a given pattern sees the path, our own ones the name."""
    if patterns:
        found = patterns[0].search(place.as_posix())
        return (found[1] or "") if found else ""
    matches = (pattern.match(place.stem) for pattern in _SUBJECT_PATTERNS)
    return next((match[1] for match in matches if match), "")
