"""From a data set as it was found to a prepared set: faces found, cut out, divided, evened out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from expression_ros.images.files import PhotoError
from expression_ros.progress import with_progress
from expression_ros.recognition.detector_choice import DetectorChoice
from expression_ros.recognition.face_preparation import (
    FaceError,
    FacePreparation,
    prepare_crop,
    prepare_face,
)
from expression_ros.recognition.face_views import levelled
from expression_ros.training.data.faces import DataError
from expression_ros.training.data.labelled_images import (
    CROPPED,
    DETECT,
    FACES_CHOICES,
    TRAIN,
    Collected,
    DataSet,
    Dropped,
    LabelledImage,
    count_by_reason,
)
from expression_ros.training.data.people_votes import VOTE_NAMES
from expression_ros.training.data.prepared_set import PreparedSet
from expression_ros.training.data.splits import divide, surplus

AUTO_FACES = "auto"


@dataclass(frozen=True)
class PrepareSettings:
    """How a data set is prepared.

    Attributes:
        faces: "detect" finds the one face of each image, "cropped" takes
            the images as they are, "auto" does what the data set says of itself.
        face: how faces are cut out. Margin and levelling do nothing to images that are crops.
        min_face: width of the smallest face that is searched, as a fraction of an image's height.
        test_share: share of the images without a split of their own that go to test.
        validation_share: share of the training images that go to validation.
        balance: most faces per label in each split; 0 for no limit.
        seed: of the random choices.
        detector: which one finds the faces, where they are found.

    Raises:
        DataError: a setting is out of its range.
    """

    faces: str = AUTO_FACES
    face: FacePreparation = field(default_factory=lambda: FacePreparation(level_by_eyes=True))
    min_face: float = 0.12
    test_share: float = 0.2
    validation_share: float = 0.0
    balance: int = 0
    seed: int = 1
    detector: DetectorChoice = field(default_factory=DetectorChoice)

    def __post_init__(self) -> None:
        if self.faces not in (AUTO_FACES, *FACES_CHOICES):
            raise DataError(f"faces must be auto, cropped or detect, not {self.faces!r}")
        for name in ("test_share", "validation_share"):
            if not 0.0 <= getattr(self, name) < 1.0:
                option = name.replace("_", "-")
                raise DataError(f"{option} must be from 0 to below 1, not {getattr(self, name)}")
        if not 0.01 <= self.min_face <= 1.0:
            raise DataError(f"min-face must be from 0.01 to 1, not {self.min_face}")
        if self.balance < 0 or self.seed < 0:
            raise DataError("balance and seed must not be negative")


@dataclass(frozen=True)
class Prepared:
    """A prepared set, and everything of the data set that is not in it."""

    faces: PreparedSet
    dropped: tuple[Dropped, ...]


class NothingLeftError(DataError):
    """Every image of a data set was dropped.

    Attributes:
        dropped: all that was dropped.
    """

    def __init__(self, name: str, dropped: Sequence[Dropped]) -> None:
        counts = count_by_reason(dropped)
        reasons = ", ".join(f"{reason} ({number:,})" for reason, number in counts.items())
        super().__init__(f"{name}: no face is left; dropped: {reasons or 'nothing'}")
        self.dropped = tuple(dropped)


def prepare(data: DataSet, settings: PrepareSettings) -> Prepared:
    """Return the faces of a data set, cut out and divided. The same input gives the same output.

    Dropped, besides what the data set's reader dropped: images that cannot be read, on which no
    face is found or no cascade sees exactly one, of a subject that is also in a stricter split,
    that are pixel copies of training faces (where subjects are unknown), and what is over the
    balance.

    Raises:
        NothingLeftError: every image was dropped.
        DataError: the set was prepared with another treatment of light.
    """
    how = data.faces if settings.faces == AUTO_FACES else settings.faces
    face, recorded, recorded_how = _preparations(data, settings.face, how)
    collected = Collected(dropped=list(data.dropped))
    cut = _finder(face, settings.min_face, settings.detector) if how == DETECT else _taker(face)
    images = []
    for image in with_progress(data.images, f"cutting faces out of {data.name}"):
        try:
            images.append(cut(image.read()))
            collected.images.append(image)
        except PhotoError as error:
            collected.fault(image.source, "unreadable image", _without_path(error, image))
        except _NotOneFaceError as error:
            collected.dropped.append(Dropped(image.source, error.reason, error.detail))
    splits = _divided(collected, images, settings)
    kept = [index for index, split in enumerate(splits) if split]
    if not kept:
        raise NothingLeftError(data.name, collected.dropped)
    labelled = [collected.images[index] for index in kept]
    faces = PreparedSet(
        images=np.stack([images[index] for index in kept]),
        labels=np.array([image.label for image in labelled]),
        subjects=np.array([image.subject for image in labelled]),
        split=np.array([splits[index] for index in kept]),
        sources=np.array([image.source for image in labelled]),
        faces=recorded_how,
        face=recorded,
        votes=_votes_of(labelled),
    )
    return Prepared(faces, tuple(collected.dropped))


def _votes_of(images: Sequence[LabelledImage]) -> np.ndarray | None:
    if all(image.votes is None for image in images):
        return None
    unknown = np.full(len(VOTE_NAMES), -1, np.int16)
    return np.stack([unknown if p.votes is None else p.votes for p in images])


def _preparations(
    data: DataSet, wanted: FacePreparation, how: str
) -> tuple[FacePreparation, FacePreparation, str]:
    """Return what to do now, and what has then been done altogether and how faces were had."""
    if how == DETECT:
        return wanted, wanted, DETECT
    if data.crops is None:
        # Nothing lies around a crop: it gets no margin and cannot be turned.
        face = replace(wanted, margin=0.0, level_by_eyes=False)
        return face, face, CROPPED
    before = data.crops  # these crops were cut out by us: their margin and levelling are known
    if before.light not in ("none", wanted.light) and wanted.light != "none":
        raise DataError(
            f"{data.name} was prepared with light {before.light}, which cannot become "
            f"{wanted.light}; prepare the original data again"
        )
    light = "none" if before.light == wanted.light else wanted.light
    now = replace(before, size=wanted.size, light=light)
    total = light if before.light == "none" else before.light
    return now, replace(now, light=total), DETECT


class _NotOneFaceError(Exception):
    """An image on which not exactly one face was found."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def _taker(face: FacePreparation) -> Callable[[np.ndarray], np.ndarray]:
    def take(image: np.ndarray) -> np.ndarray:
        try:
            return prepare_crop(image, face)
        except FaceError as error:
            raise PhotoError(str(error)) from error

    return take


def _finder(
    face: FacePreparation, min_face: float, choice: DetectorChoice
) -> Callable[[np.ndarray], np.ndarray]:
    single, everybody = choice.make("single", min_face), choice.make("all", min_face)

    def find(image: np.ndarray) -> np.ndarray:
        found = single.search_frame(image)
        if not found:
            several = everybody.search_frame(image)
            if several:
                raise _NotOneFaceError("more than one face", f"{len(several)} faces")
            raise _NotOneFaceError("no face found")
        return prepare_face(*levelled(image, found[0].box, found[0].tilt), face)

    return find


def _divided(
    collected: Collected, images: list[np.ndarray], settings: PrepareSettings
) -> list[str]:
    """Return the split of each image, "" for those that are dropped, and note these."""
    labelled = collected.images
    labels = [image.label for image in labelled]
    subjects = [image.subject for image in labelled]
    splits, divided_subjects = divide(
        labels, subjects, [image.split for image in labelled],
        settings.test_share, settings.validation_share, settings.seed,
    )  # fmt: skip

    def drop(index: int, reason: str, detail: str = "") -> None:
        collected.dropped.append(Dropped(labelled[index].source, reason, detail))
        splits[index] = ""

    for index in divided_subjects:
        drop(index, "subject is in a test split too", f"subject {subjects[index]}")
    # Only where nobody says who is on an image: elsewhere subjects keep copies together.
    seen = {images[i].tobytes() for i, split in enumerate(splits) if split == TRAIN}
    for index, split in enumerate(splits):
        elsewhere = split not in (TRAIN, "") and not subjects[index]
        if elsewhere and images[index].tobytes() in seen:
            drop(index, "copy of a training image")
    if settings.balance:
        left = [index for index, split in enumerate(splits) if split]
        over = surplus(
            [labels[i] for i in left], [splits[i] for i in left], settings.balance, settings.seed
        )
        for k in over:
            index = left[k]
            drop(index, "more than --balance", f"{labels[index]} in {splits[index]}")
    return splits


def _without_path(error: PhotoError, image: LabelledImage) -> str:
    """Return the error without the file's name, which the drop says already."""
    text = str(error)
    for name in (image.source, image.source.rsplit("/", 1)[-1]):
        text = text.removeprefix(f"{name}: ")
    return text
