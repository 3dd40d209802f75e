"""Faces with labels and votes, for training the network behind the descriptor ``embedding``.

The two label sets, FER2013 (Goodfellow et al., 2013) and FER+ (Barsoum et al., 2016), disagree in a
systematic way: of FER2013's ``sad`` faces FER+ calls as many neutral as sad.
"""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from expression_ros.progress import with_progress
from expression_ros.recognition.embedding import FACE_SIZE
from expression_ros.training.data.faces import held_out_mask
from expression_ros.training.data.people_votes import NO_FACE, VOTE_NAMES, read_votes
from expression_ros.vocabulary import EMOTIONS, FER2013_ORDER, UNKNOWN, canonical_label

VOTE_ORDER = EMOTIONS  # classes of the FER+ head, contempt included
VALIDATION_SHARE = 0.05  # of FER2013's training images, never trained on
NEAR_COPY = 0.95  # correlation of two 16x16 thumbnails from which images count as the same
MUXSPACE_CAP = 3000  # images per class taken from muxspace (its happy and neutral ones abound)
MUXSPACE_CROP = 0.88  # central share of its square portraits, which are looser than FER2013's


@dataclasses.dataclass
class Faces:
    """Labelled faces.

    Attributes:
        images: (N, 48, 48) uint8.
        labels: (N,) int64, numbers of FER2013_ORDER.
        votes: (N, 8) float32 over VOTE_ORDER, rows sum to 1, or to 0 where nobody voted.
    """

    images: np.ndarray
    labels: np.ndarray
    votes: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def take(self, which: np.ndarray) -> Faces:
        """Return the faces of a mask or of an index array."""
        return Faces(self.images[which], self.labels[which], self.votes[which])

    def plus(self, other: Faces) -> Faces:
        """Return these faces and then the other ones."""
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Faces(*(np.concatenate(pair) for pair in pairs))


def load_fer2013(path: Path, votes_file: Path | None = None) -> tuple[Faces, Faces]:
    """Read an npz of FER2013 with FER+ votes (images, labels, split, ferplus_votes, names).

    Args:
        path: the npz.
        votes_file: more complete votes on the same faces (see people_votes); its own if None.

    Returns:
        The training faces without those that most FER+ voters called no face at all, and the
        public-test faces without pixel copies of training images.
    """
    with np.load(path, allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
    order = [FER2013_ORDER.index(canonical_label(name)) for name in arrays["label_names"]]
    labels = np.array(order, np.int64)[arrays["labels"]]
    if votes_file is None:
        raw, names = arrays["ferplus_votes"].astype(np.float32), arrays["ferplus_names"]
    else:
        raw = read_votes(votes_file).of_rows(len(labels)).astype(np.float32)
        names = np.array(VOTE_NAMES)
    no_face = np.zeros(len(raw), bool)
    votes = np.zeros((len(raw), len(VOTE_ORDER)), np.float32)
    for column, name in enumerate(names):
        if name == NO_FACE:
            no_face = raw[:, column] > 5
        elif (label := canonical_label(name)) != UNKNOWN:
            votes[:, VOTE_ORDER.index(label)] = np.maximum(raw[:, column], 0)
    total = votes.sum(axis=1, keepdims=True)
    votes = np.divide(votes, total, out=np.zeros_like(votes), where=total > 0)
    faces = Faces(arrays["images"], labels, votes)
    copies = arrays["duplicate_of_train"].astype(bool)
    split = arrays["split"]
    return faces.take((split == 0) & ~no_face), faces.take((split == 1) & ~copies)


def load_muxspace(path: Path) -> Faces:
    """Read the muxspace faces, a zip with a folder per emotion, at most MUXSPACE_CAP per class.

    Square portraits are cut to their central part, tight crops taken whole; all are resized to
    48x48 by area. Contempt is left out: FER2013 has no such class.
    """
    images: list[np.ndarray] = []
    labels: list[int] = []
    with zipfile.ZipFile(path) as archive:
        by_label: dict[str, list[str]] = {}
        for name in sorted(archive.namelist()):
            if name.lower().endswith((".jpg", ".jpeg", ".png")):
                by_label.setdefault(canonical_label(Path(name).parent.name), []).append(name)
        for label, names in sorted(by_label.items()):
            if label not in FER2013_ORDER:
                continue
            order = np.random.default_rng(0).permutation(len(names))[:MUXSPACE_CAP]
            for name in (names[i] for i in order):
                encoded = np.frombuffer(archive.read(name), np.uint8)
                image = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
                if image is None or image.std() < 5:
                    continue
                if image.shape[0] == image.shape[1]:
                    edge = round(image.shape[0] * (1 - MUXSPACE_CROP) / 2)
                    image = image[edge : image.shape[0] - edge, edge : image.shape[1] - edge]
                images.append(
                    cv2.resize(image, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
                )
                labels.append(FER2013_ORDER.index(label))
    votes = np.zeros((len(images), len(VOTE_ORDER)), np.float32)
    return Faces(np.stack(images), np.array(labels, np.int64), votes)


def resembles(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Say which images show the same as one of the others, mirrored or not.

    Args:
        images: (N, 48, 48) uint8.
        others: (M, 48, 48) uint8.

    Returns:
        (N,) bool, correlation of 16x16 thumbnails above NEAR_COPY.
    """

    def thumbnails(faces: np.ndarray) -> np.ndarray:
        small: np.ndarray = faces.reshape(-1, 16, 3, 16, 3).mean(axis=(2, 4)).reshape(-1, 256)
        small = (small - small.mean(axis=1, keepdims=True)).astype(np.float32)
        small /= np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-6)
        return small

    both = thumbnails(np.concatenate([others, others[:, :, ::-1]])).T
    mine = thumbnails(images)
    found = [(mine[i : i + 2048] @ both).max(axis=1) > NEAR_COPY for i in range(0, len(mine), 2048)]
    return np.concatenate(found) if found else np.zeros(0, bool)


def taught(
    faces: Faces, answer: Callable[[np.ndarray], Mapping[str, float]], share: float
) -> Faces:
    """Return the faces with a teacher's answers among their votes (distillation; Hinton, 2015).

    Args:
        faces: of which some have votes and some have not.
        answer: the teacher: a (48, 48) uint8 face -> probabilities of labels. It is asked about
            each face and its mirror image, whose answers are averaged.
        share: the teacher's part where people voted, 0..1; where nobody did, all is the teacher's.
    """
    soft = np.zeros_like(faces.votes)
    for row, image in zip(soft, with_progress(faces.images, "asking the teacher"), strict=True):
        for face in (image, np.ascontiguousarray(image[:, ::-1])):
            for label, probability in answer(face).items():
                row[VOTE_ORDER.index(label)] += probability / 2
    voted = faces.votes.sum(axis=1, keepdims=True) > 0
    votes = np.where(voted, (1 - share) * faces.votes + share * soft, soft)
    return Faces(faces.images, faces.labels, votes.astype(np.float32))


def split_data(
    data: Path, muxspace: Path | None, votes_file: Path | None = None, held_out: Path | None = None
) -> tuple[Faces, Faces, Faces, dict[str, int]]:
    """Return faces to train on, to validate on, to test on, and how many were left out.

    No training face resembles a validation or test face.

    Args:
        data: npz of FER2013.
        muxspace: zip of the muxspace faces.
        votes_file: more complete votes on FER2013's faces.
        held_out: list of the faces that the network to start from was not trained on; they are
            the ones to validate on. Chosen at random if None.
    """
    faces, test = load_fer2013(data, votes_file)
    if held_out is None:
        validate = np.random.default_rng(0).random(len(faces)) < VALIDATION_SHARE
    else:
        validate = held_out_mask(held_out, faces.images)
    validation, training = faces.take(validate), faces.take(~validate)
    counts = {"fer2013": len(training)}
    if muxspace is not None:
        extra = load_muxspace(muxspace)
        counts["muxspace"] = len(extra)
        training = training.plus(extra)
    copies = resembles(training.images, np.concatenate([validation.images, test.images]))
    counts["near copies left out"] = int(copies.sum())
    return training.take(~copies), validation, test, counts
