"""Images in folders: one folder per emotion, or CK+ as distributed; unpacked or zipped.

A folder per emotion, ``any/path/<emotion>/any/path/name.jpg``: its name may be any alias of the
vocabulary. The nearest folder above an image that names an emotion is its label; a folder named
``train`` or ``test`` above it, its split. The London Set (DeBruine and Jones, 2017), CK+48, JAFFE
sorted into folders and FER2013 as images come like this.

CK+ (Lucey et al., 2010) has sequences from neutral to the height of an emotion. The images lie in
``cohn-kanade-images/SXXX/NNN/*.png``, the label of a sequence in
``Emotion/SXXX/NNN/*_emotion.txt``; older copies name the folders ``source_images`` and
``source_emotion``. The label is that of the last image; the first one is neutral.
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

from expression_ros.images.files import PhotoError
from expression_ros.progress import with_progress
from expression_ros.training.data.faces import DataError
from expression_ros.training.data.labelled_images import (
    CROPPED,
    DETECT,
    PRIVATE_TEST,
    TEST,
    TRAIN,
    VALIDATION,
    Collected,
    DataSet,
    Dropped,
    LabelledImage,
    decoded,
    is_image,
    read_file,
)
from expression_ros.vocabulary import (
    NEUTRAL,
    UNKNOWN,
    UnknownLabelError,
    canonical_label,
    label_from_ck_plus,
)

_SPLIT_OF_FOLDER = {
    "train": TRAIN, "training": TRAIN,
    "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION,
    "test": TEST, "testing": TEST, "publictest": TEST, "privatetest": PRIVATE_TEST,
}  # fmt: skip

# Images that OpenCV does not read everywhere: damage, and not something else that lies about.
_OTHER_IMAGES = (".avif", ".gif", ".heic", ".heif", ".jp2")

# Squares this small are crops of faces (FER2013 and CK+48 have 48 px): on a whole image of this
# size the cascades would find nothing.
_LARGEST_SURE_CROP = 64  # px
_SAMPLE = 16  # images that are looked at to tell crops from whole images

# How data sets write who is on an image into its name.
_SUBJECT_PATTERNS = (
    re.compile(r"^(S\d{3})_\d{3}_\d{8}"),  # CK+
    re.compile(r"^([A-Z]{2})\.(?:AN|DI|FE|HA|NE|SA|SU)\d\.\d+"),  # JAFFE
    re.compile(r"^([A-Z][^\d]*)_\d{4}$"),  # Labeled Faces in the Wild: Name_Name_0001
    re.compile(r"^(\d{3})_(?:03|08)$"),  # London Set, the frontal images
)

# Of CK+.
IMAGE_FOLDERS = ("cohn-kanade-images", "source_images")
LABEL_FOLDERS = ("emotion", "source_emotion")
_FRAME_NAME = re.compile(r"^S\d{3}_\d{3}_\d{8}$")
_DEPTH = 2  # the zip files unpack to extended-cohn-kanade-images/ and Emotion_labels/ around them


def read_emotion_folders(path: Path, subject_pattern: str = "") -> DataSet:
    """Return the images below a folder, or in a zip file; nothing is unpacked to disk.

    Small squares, as FER2013 and CK+48 have them, are taken to be crops of faces; on all other
    images faces must be found.

    Args:
        path: of the folder or the zip file.
        subject_pattern: regular expression whose first group, searched in a file's path, is the
            subject; empty for the names of CK+, JAFFE, Labeled Faces in the Wild and the
            London Set.

    Raises:
        DataError: it is missing, broken, holds no image, or the pattern is none or fits none.
    """
    patterns = _patterns(subject_pattern)
    if path.is_dir():
        closed: list[Dropped] = []
        found = with_progress(_files_below(path, closed), f"looking through {path.name}")
        collected = _collect(sorted(found), lambda name: partial(read_file, path / name), patterns)
        collected.dropped.extend(closed)
    else:
        archive = _opened(path)  # stays open: images are read out of it one by one
        names = sorted(name for name in archive.namelist() if not name.endswith("/"))
        collected = _collect(names, lambda name: partial(_read, archive, name), patterns)
    strangers = [drop for drop in collected.dropped if drop.reason == "unknown label"]
    if not collected.images and strangers and not any("/" in drop.source for drop in strangers):
        raise DataError(
            f"{path} holds {len(strangers):,} images and no folders that say what they show; put "
            "each into a folder named after its emotion: happiness/a.png, sad/b.png, neutral/c.png"
        )
    if not collected.images and not collected.dropped:
        raise DataError(f"{path} holds no images")
    if subject_pattern and not any(image.subject for image in collected.images):
        raise DataError(f"{subject_pattern!r} finds no subject in any path below {path}")
    faces = CROPPED if _are_small_squares(collected.images) else DETECT
    return DataSet(path.name, collected.images, collected.dropped, faces)


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


def _are_small_squares(images: Sequence[LabelledImage]) -> bool:
    shapes = set()
    for image in images[:: max(1, len(images) // _SAMPLE)]:
        try:
            shapes.add(image.read().shape)
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
        if name.lower().endswith(_OTHER_IMAGES):
            collected.fault(name, "unreadable image", "save it as PNG or JPEG")
            continue
        if not is_image(name):
            collected.dropped.append(Dropped(name, "not an image"))
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
        collected.images.append(
            LabelledImage(name, label, reader(name), _subject(place, patterns), _split(place))
        )
    return collected


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file or folder") from None
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path} is not a readable zip file ({error})") from error


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
        raise DataError(f"{given!r} is not a regular expression ({error})") from error
    if not pattern.groups:
        raise DataError(f"{given!r} has no group: put the subject in brackets, as in (\\d+)_")
    return (pattern,)


def _subject(place: PurePosixPath, patterns: tuple[re.Pattern[str], ...]) -> str:
    """Return who is on an image, or "": a given pattern sees the path, our own ones the name."""
    if patterns:
        found = patterns[0].search(place.as_posix())
        return (found[1] or "") if found else ""
    matches = (pattern.match(place.stem) for pattern in _SUBJECT_PATTERNS)
    return next((match[1] for match in matches if match), "")


def find_ck_plus(root: Path) -> tuple[Path, Path] | None:
    """Return the folders of the images and of the labels, or None if this is not CK+."""
    images, labels = _named(root, IMAGE_FOLDERS), _named(root, LABEL_FOLDERS)
    return (images[0], labels[0]) if images and labels else None


def is_ck_plus(root: Path) -> bool:
    """Return whether this is CK+ or a part of it, such as the images without the labels."""
    return bool(_named(root, IMAGE_FOLDERS)) or root.name.lower() in IMAGE_FOLDERS


def read_ck_plus(root: Path) -> DataSet:
    """Return first and last image of every labelled sequence, with the subjects.

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
    return DataSet(root.name, collected.images, collected.dropped, DETECT)


def _read_sequence(images: Path, labels: Path, root: Path, collected: Collected) -> None:
    source = images.relative_to(root).as_posix()
    frames = sorted(path for path in _inside(images) if is_image(path.name))
    files = sorted(p for p in _inside(labels) if p.suffix == ".txt" and p.name[:2] != "._")
    if not files:
        # Only 327 of CK+'s 593 sequences fit an emotion; the others come without a label.
        collected.dropped.append(Dropped(source, "sequence without a label"))
        return
    label = _label_in(files, root, collected)
    if label is None:
        return
    if not frames:
        collected.fault(files[0].relative_to(root).as_posix(), "label without images")
        return
    # The label's file is named after the last image. If just that one is missing, the one before
    # it would be given its label.
    height = files[0].name.removesuffix("_emotion.txt")
    if _FRAME_NAME.match(height) and height not in {frame.stem for frame in frames}:
        collected.fault(
            files[0].relative_to(root).as_posix(),
            "label without its image",
            f"{height} is missing",
        )
        return
    named = {frames[0]: NEUTRAL, frames[-1]: label}  # one image alone is the last one
    for frame, emotion in named.items():
        place = frame.relative_to(root).as_posix()
        read = partial(read_file, frame)
        collected.images.append(LabelledImage(place, emotion, read, subject=images.parent.name))


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
