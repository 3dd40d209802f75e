"""Images with labels: the form in which every data set is read, before faces are cut out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from expression_ros.images.files import PhotoError
from expression_ros.recognition.face_preparation import FacePreparation

TRAIN, VALIDATION, TEST, PRIVATE_TEST = "train", "validation", "test", "private_test"
SPLITS = (TRAIN, VALIDATION, TEST, PRIVATE_TEST)

CROPPED, DETECT = "cropped", "detect"
FACES_CHOICES = (CROPPED, DETECT)

IMAGE_FILE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class LabelledImage:
    """One image of a data set, not read yet.

    Attributes:
        source: the file it is in, relative to the data set; with a line or place where there is
            one (``fer2013.csv:17``).
        label: a label of the vocabulary.
        read: returns the image, (H, W) uint8 grey; raises PhotoError if it cannot be read.
        subject: who is on it; empty if unknown.
        split: one of SPLITS; empty if the data set does not say.
        votes: (10,) int, how many people saw what, see people_votes.VOTE_NAMES; None if nobody was
            asked.
    """

    source: str
    label: str
    read: Callable[[], np.ndarray]
    subject: str = ""
    split: str = ""
    votes: np.ndarray | None = None


@dataclass(frozen=True)
class Dropped:
    """Something of a data set that is not used.

    Attributes:
        source: the file, with its line where there is one.
        reason: a few words, the same for all of a kind, so that they can be counted.
        detail: what exactly is the matter.
        is_fault: whether the data are damaged, so that it is named without being asked for.
    """

    source: str
    reason: str
    detail: str = ""
    is_fault: bool = False

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}" + (f": {self.detail}" if self.detail else "")


@dataclass(frozen=True)
class DataSet:
    """A data set as it was found.

    Attributes:
        name: name of its file or folder.
        images: what can be used.
        dropped: what cannot.
        faces: "cropped" if its images are crops of faces, "detect" if faces must be found.
        crops: how its crops were cut out by ``expression-ros prepare``; None if they were not.
    """

    name: str
    images: Sequence[LabelledImage]
    dropped: Sequence[Dropped]
    faces: str
    crops: FacePreparation | None = None

    def of_split(self, split: str) -> DataSet:
        """Return the data set with the images of one split only."""
        return replace(self, images=[p for p in self.images if p.split == split])

    def splits(self) -> dict[str, int]:
        """Return how many images each split has, for those that have any; "" for no split."""
        counts = Counter(image.split for image in self.images)
        return {split: counts[split] for split in (*SPLITS, "") if counts[split]}


@dataclass
class Collected:
    """Images and drops while a data set is being read."""

    images: list[LabelledImage] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)

    def fault(self, source: str, reason: str, detail: str = "") -> None:
        """Drop damaged data."""
        self.dropped.append(Dropped(source, reason, detail, is_fault=True))


def held(image: np.ndarray) -> Callable[[], np.ndarray]:
    """Return a reader of an image that is in memory already."""
    return lambda: image


def decoded(content: bytes, name: str) -> np.ndarray:
    """Return an encoded image as (H, W) uint8 grey.

    Raises:
        PhotoError: OpenCV cannot read it.
    """
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        image = None  # an empty file, or more pixels than OpenCV takes
    if image is None:
        raise PhotoError(f"{name}: not an image that OpenCV can read")
    return image


def read_file(path: Path) -> np.ndarray:
    """Return an image file as (H, W) uint8 grey, turned upright as its EXIF data say.

    Raises:
        PhotoError: the file cannot be read, or OpenCV cannot read it as an image.
    """
    try:
        return decoded(path.read_bytes(), path.name)
    except OSError as error:
        raise PhotoError(f"{path.name}: {error.strerror}") from error


def is_image(name: str) -> bool:
    """Return whether a file name is that of an image; macOS's ``._name`` companions are none."""
    path = Path(name)
    return path.suffix.lower() in IMAGE_FILE_SUFFIXES and not path.name.startswith("._")


def count_by_reason(dropped: Sequence[Dropped]) -> dict[str, int]:
    """Return how many were dropped for each reason, the most frequent first."""
    return dict(Counter(drop.reason for drop in dropped).most_common())


def fault_lines(dropped: Sequence[Dropped], limit: int = 50) -> list[str]:
    """Return a line for each damaged thing; from ``limit`` on, one line that counts the rest."""
    faults = [drop for drop in dropped if drop.is_fault]
    lines = [str(fault) for fault in faults[:limit]]
    if len(faults) > limit:
        lines.append(f"... and {len(faults) - limit:,} more; expression-ros prepare "
                     "--list-dropped names all")  # fmt: skip
    return lines
