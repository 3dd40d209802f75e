"""From the path of a data set, in any of the forms we know, to its labelled images."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

import numpy as np

from expression_ros.recognition.face_preparation import FacePreparation
from expression_ros.training.data.emotion_folders import (
    IMAGE_FOLDERS,
    is_ck_plus,
    read_ck_plus,
    read_emotion_folders,
)
from expression_ros.training.data.faces import DataError, FaceSet, read_arrays, report_progress
from expression_ros.training.data.fer2013 import data_set_of_arrays, read_fer2013_csv
from expression_ros.training.data.labelled_images import DETECT, TEST, TRAIN, DataSet, fault_lines
from expression_ros.training.data.people_votes import read_votes
from expression_ros.training.data.prepare import PrepareSettings, prepare
from expression_ros.training.data.prepared_set import is_prepared_set, prepared_set_of

AUTO = "auto"
FORMATS = (AUTO, "ckplus", "fer2013", "folder", "npz")


def open_data_set(
    path: Path, form: str = AUTO, subject_pattern: str = "", votes: Path | None = None
) -> DataSet:
    """Return the labelled images of a data set; most are read from disk only when asked for.

    Args:
        path: a file or folder.
        form: one of FORMATS; "auto" looks at what is there.
        subject_pattern: see read_emotion_folders; other forms do not need it.
        votes: file with what people see on its faces, in place of votes that the data bring; for
            FER2013 and other npz files.

    Raises:
        DataError: there is nothing, it is not of this form, it is damaged as a whole, or the
            votes are not about it.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    form = form_of(path) if form == AUTO else form
    table = read_votes(votes) if votes is not None else None
    if table is not None and form in ("ckplus", "folder"):
        raise DataError(f"--votes {table.name} is about the rows of FER2013; {path.name} has none")
    if form == "ckplus":
        return read_ck_plus(path)
    if form == "folder":
        return read_emotion_folders(path, subject_pattern)
    if form == "fer2013":
        path = _csv_in(path) or path
        if path.suffix.lower() == ".csv":
            return read_fer2013_csv(path, table)
    arrays = read_arrays(path)
    if is_prepared_set(arrays):
        if table is not None:
            raise DataError(f"{path.name} was prepared already; give --votes when preparing it")
        return prepared_set_of(arrays, path).as_data_set(path.name)
    return data_set_of_arrays(arrays, path, table)


def load_split_faces(
    path: Path, form: str = AUTO, votes: Path | None = None
) -> tuple[FaceSet, FaceSet]:
    """Return training faces and test faces of any data set whose images are crops of faces.

    That is a prepared set, FER2013, another npz file with images and labels, or a folder of small
    squares per emotion. Square crops stay as they are (those of a folder are brought to the size of
    the first), others are brought to 48 px. The data set's own split is used; without one, a fifth
    of the images of each label, whole subjects only and always the same, is the test. Validation
    and FER2013's private test are in neither. What is damaged is named on stderr.

    Args:
        path: a file or folder.
        form: one of FORMATS; "auto" looks at what is there.
        votes: see open_data_set.

    Raises:
        DataError: see open_data_set; or faces would have to be found first, or there are no
            training faces or no test faces.
    """
    data = open_data_set(path, form, votes=votes)
    if data.faces == DETECT:
        raise DataError(
            f"{path}: its faces must be found and cut out first: expression-ros prepare "
            f"--data {path.name} --output {path.stem}_prepared.npz, and give that "
            "(--faces cropped if these are crops already)"
        )
    for line in fault_lines(data.dropped):
        report_progress(f"left out: {line}")
    if not data.images:
        raise DataError(f"{path} holds no face that can be used")
    height, width = data.images[0].read().shape
    face = FacePreparation(size=height) if height == width >= 8 else FacePreparation()
    already = len(data.dropped)
    prepared = prepare(data, PrepareSettings(face=face))
    for line in fault_lines(prepared.dropped[already:]):
        report_progress(f"left out: {line}")
    sets = []
    for split in (TRAIN, TEST):
        chosen = np.flatnonzero(prepared.faces.split == split)
        if not len(chosen):
            raise DataError(f"{path} has no faces in the split {split}; divide it anew: "
                            "expression-ros prepare")  # fmt: skip
        sets.append(prepared.faces.as_face_set(chosen))
    return sets[0], sets[1]


def form_of(path: Path) -> str:
    """Return the form of a data set, one of FORMATS but "auto".

    Raises:
        DataError: a file has none of the endings .npz, .csv and .zip, or is CK+ still zipped.
    """
    if path.is_dir():
        if is_ck_plus(path):
            return "ckplus"
        return "fer2013" if _csv_in(path) else "folder"
    forms = {".npz": "npz", ".csv": "fer2013", ".zip": "folder"}
    if path.suffix.lower() == ".zip" and _holds_ck_plus(path):
        raise DataError(
            f"{path} is CK+'s images: unpack it and the labels (Emotion_labels.zip) into one "
            "folder and give that"
        )
    try:
        return forms[path.suffix.lower()]
    except KeyError:
        raise DataError(
            f"{path}: what is it? Known are .npz, FER2013's .csv, and folders or a .zip of folders "
            f"named by emotion; or say --format {'|'.join(FORMATS[1:])}"
        ) from None


def _holds_ck_plus(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False  # its reader says what is wrong
    return any(set(map(str.lower, PurePosixPath(name).parts)) & set(IMAGE_FOLDERS)
               for name in names)  # fmt: skip


def _csv_in(path: Path) -> Path | None:
    for name in ("fer2013.csv", "icml_face_data.csv"):
        if (path / name).is_file():
            return path / name
    return None
