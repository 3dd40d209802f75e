"""A set of labelled faces, the form in which every data set reaches training and evaluation.

Sets are kept in npz files without pickles. A list of held-out faces stands beside a network: faces
that it was not trained on, so that others can be calibrated on them. Whatever is trained on a
network's descriptors and calibrated on faces the network knows by heart believes itself too much.
The list names the training faces that the network never saw, by the first 16 hex digits of the
SHA-256 of their pixels, so that they are found again in any copy of the data set. No face can be
had back from it.
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from expression_ros.progress import Progress, with_progress
from expression_ros.recognition.descriptors import Descriptor
from expression_ros.recognition.face_preparation import FacePreparation, prepare_crop
from expression_ros.vocabulary import EMOTIONS, FER2013_ORDER

# FER2013's numbering first, so that models trained on it all number their classes alike.
_CLASS_ORDER = (*FER2013_ORDER, *(label for label in EMOTIONS if label not in FER2013_ORDER))
_TOGETHER = 512  # faces described between two looks at the clock
_VOTE_COLUMNS = 10  # people_votes.VOTE_NAMES

# Of npz files.
_PIECE = 1 << 20  # bytes that are compressed between two looks at the clock
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # zip's first day: the time of writing must not show in the file

_UNREADABLE = (
    ValueError, OSError, EOFError, TypeError, AttributeError, NotImplementedError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip

# Of lists of held-out faces.
LIST_NAME = "held_out.txt"
_DIGITS = 16
_HEADING = "# Faces this network was not trained on: SHA-256 of their pixels, first 16 digits.\n"


class DataError(ValueError):
    """A data set is missing or not what it should be; the message says what to do."""


@dataclass(frozen=True)
class FaceSet:
    """Faces with labels.

    Attributes:
        images: (N, S, S) uint8, cropped faces.
        labels: (N,) str, labels of the vocabulary.
        votes: (N, 10) int, what people see, see people_votes.VOTE_NAMES, -1 where nobody was asked;
            None if nobody was asked at all.
    """

    images: np.ndarray
    labels: np.ndarray
    votes: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.images.ndim != 3 or self.images.dtype != np.uint8:
            raise DataError(f"images must be (N, S, S) uint8, not {self.images.dtype} "
                            f"of {self.images.shape}")  # fmt: skip
        if self.labels.shape != (len(self.images),):
            raise DataError(f"{len(self.images)} images but labels of shape {self.labels.shape}")
        if self.votes is not None and len(self.votes) != len(self.images):
            raise DataError(f"{len(self.images)} images but votes on {len(self.votes)}")

    def __len__(self) -> int:
        return len(self.images)

    def mirrored(self) -> FaceSet:
        """Return the faces mirrored left to right: an expression stays the same."""
        return FaceSet(np.ascontiguousarray(self.images[:, :, ::-1]), self.labels, self.votes)

    def take(self, which: np.ndarray) -> FaceSet:
        """Return the faces of a mask or of an index array."""
        votes = None if self.votes is None else self.votes[which]
        return FaceSet(self.images[which], self.labels[which], votes)

    def at_most(self, count: int, seed: int) -> FaceSet:
        """Return ``count`` faces chosen at random, or all if there are fewer."""
        return self.take(np.sort(np.random.default_rng(seed).permutation(len(self))[:count]))

    def plus(self, other: FaceSet) -> FaceSet:
        """Return these faces and then the other ones, of the same size."""
        votes = None
        if self.votes is not None or other.votes is not None:
            votes = np.concatenate([_votes_or_unknown(self), _votes_or_unknown(other)])
        return FaceSet(
            np.concatenate([self.images, other.images]),
            np.concatenate([self.labels, other.labels]),
            votes,
        )

    def only(self, labels: set[str]) -> FaceSet:
        """Return the faces with one of these labels."""
        return self.take(np.isin(self.labels, sorted(labels)))


def _votes_or_unknown(faces: FaceSet) -> np.ndarray:
    if faces.votes is not None:
        return faces.votes
    return np.full((len(faces), _VOTE_COLUMNS), -1, np.int16)


def class_numbers(labels: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the labels that occur, in the order of their class numbers, and (N,) int numbers.

    Raises:
        DataError: fewer than two labels occur.
    """
    occurring = set(labels.tolist())
    present = [label for label in _CLASS_ORDER if label in occurring]
    if len(present) < 2:
        raise DataError(f"training needs faces with two labels or more, not {sorted(occurring)}")
    return present, np.array([present.index(label) for label in labels])


def need_scikit_learn(what: str) -> None:
    """Raise DataError if scikit-learn is missing, for "training" or "evaluation"."""
    try:
        import scipy  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise DataError(f"{what} needs scikit-learn: pip install scikit-learn ({error})") from None


def prepare_faces(images: np.ndarray, preparation: FacePreparation) -> np.ndarray:
    """Return (N, S, S) uint8 prepared faces of (N, H, W) uint8 images that are crops already."""
    faces = np.empty((len(images), preparation.size, preparation.size), np.uint8)
    for face, image in zip(faces, images, strict=True):
        face[:] = prepare_crop(image, preparation)
    return faces


def describe_faces(faces: np.ndarray, descriptor: Descriptor) -> np.ndarray:
    """Return the (N, D) float32 descriptors of (N, S, S) uint8 prepared faces."""
    batch = getattr(descriptor, "describe_batch", None)
    vectors = np.empty((len(faces), descriptor.size), np.float32)
    with Progress("describing faces", len(faces)) as progress:
        for begin in range(0, len(faces), _TOGETHER):
            part = faces[begin : begin + _TOGETHER]
            if batch is not None:
                vectors[begin : begin + len(part)] = batch(part)
            else:
                for vector, face in zip(vectors[begin:], part, strict=False):
                    vector[:] = descriptor.describe(face)[0]
            progress.advance(len(part))
    return vectors


def report_progress(text: str) -> None:
    """Write a line about the progress to stderr; results go to stdout."""
    print(text, file=sys.stderr, flush=True)


def read_arrays(path: Path, only: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file by name.

    Args:
        path: of the file.
        only: names of those to read, where they are there; all when left out.

    Raises:
        DataError: the file is missing, broken, or holds Python objects, which would be unpickled.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with np.load(path, allow_pickle=False) as data:
            wanted = [name for name in data.files if only is None or name in only]
            return {name: data[name] for name in with_progress(wanted, f"reading {path.name}")}
    except _UNREADABLE as error:
        raise DataError(f"{path} is not a readable npz file ({error})") from error


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as a compressed npz file; the same arrays give the same bytes.

    The file appears when it is complete: an interrupted writing leaves what was there before.

    Raises:
        OSError: the file cannot be written.
        ValueError: an array holds Python objects.
    """
    part = path.with_name(path.name + ".part")
    total = sum(array.nbytes // _PIECE + 1 for array in arrays.values())
    try:
        with (
            zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive,
            Progress(f"writing {path.name} (MiB)", total) as progress,
        ):
            for name, array in arrays.items():
                _write_array(archive, name, array, progress)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_array(
    archive: zipfile.ZipFile, name: str, array: np.ndarray, progress: Progress
) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    content = buffer.getbuffer()
    entry = zipfile.ZipInfo(f"{name}.npy", _LONG_AGO)
    entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as file:
        for begin in range(0, len(content), _PIECE):
            file.write(content[begin : begin + _PIECE])
            progress.advance()


def digest_of(image: np.ndarray) -> str:
    """Return the digits that stand for an image of uint8."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:_DIGITS]


def write_held_out(path: Path, images: Iterable[np.ndarray]) -> None:
    """Write the list of these images."""
    digests = sorted({digest_of(image) for image in images})
    path.write_text(_HEADING + "".join(f"{digest}\n" for digest in digests), encoding="ascii")


def held_out_mask(path: Path, images: np.ndarray) -> np.ndarray:
    """Return (N,) bool: which of (N, S, S) uint8 images are in a list; none if there is no list.

    Raises:
        DataError: the list cannot be read.
    """
    if not path.is_file():
        return np.zeros(len(images), bool)
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a list of held-out faces ({error})") from error
    digests = {line for line in lines if not line.startswith("#")}
    return np.array([digest_of(image) in digests for image in images], bool)
