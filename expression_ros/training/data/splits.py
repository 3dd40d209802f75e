"""Dividing images into training, validation and test, and evening out the emotions.

All choices are made by a random generator of a given seed: the same data and seed, the same split.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from expression_ros.training.data.labelled_images import SPLITS, TEST, TRAIN, VALIDATION

# A subject in two of a data set's own splits stays in the one that is the most spoilt by having
# been trained on.
_STRENGTH = {split: strength for strength, split in enumerate(("", *SPLITS))}


def divide(
    labels: Sequence[str],
    subjects: Sequence[str],
    given: Sequence[str],
    test_share: float,
    validation_share: float,
    seed: int,
) -> tuple[list[str], list[int]]:
    """Return the split of every image, and the indices of those that must be dropped.

    A split that the data set gives is kept. Images without one go where their subject is already,
    or else to test and training; validation, unless the data set has one, is taken out of
    training. A subject is never divided; where the data set's own split does so, its images
    outside of its test (or validation) are to be dropped. Each emotion is divided as near to the
    shares as that allows.

    Args:
        labels: (N,) labels.
        subjects: (N,) who it is; "" where unknown, which stands for a subject of its own.
        given: (N,) one of SPLITS, or "" where the data set does not say.
        test_share: share of the images without a split that go to test, 0..1.
        validation_share: share of the training images that go to validation, 0..1.
        seed: of the random choices.
    """
    strongest: dict[str, str] = {}
    for subject, split in zip(subjects, given, strict=True):
        if subject:
            strongest[subject] = max(split, strongest.get(subject, ""), key=_STRENGTH.__getitem__)
    dropped = [
        index
        for index, (subject, split) in enumerate(zip(subjects, given, strict=True))
        if subject and split and split != strongest[subject]
    ]
    out = set(dropped)
    divided = [
        split or strongest.get(subject, "") for subject, split in zip(subjects, given, strict=True)
    ]
    free = [index for index, split in enumerate(divided) if not split]
    chosen = _take(free, labels, subjects, test_share, np.random.default_rng((seed, 0)))
    for index in free:
        divided[index] = TEST if index in chosen else TRAIN
    if VALIDATION not in divided:
        training = [i for i, split in enumerate(divided) if split == TRAIN and i not in out]
        rng = np.random.default_rng((seed, 1))
        for index in _take(training, labels, subjects, validation_share, rng):
            divided[index] = VALIDATION
    return divided, dropped


def _take(
    indices: Sequence[int],
    labels: Sequence[str],
    subjects: Sequence[str],
    share: float,
    rng: np.random.Generator,
) -> set[int]:
    """Return a share of the images, whole subjects only, of each label as near as may be.

    scikit-learn's StratifiedGroupKFold gives shares of one over a whole number only, and, as its
    GroupShuffleSplit does, other people than the sets have that were prepared so far.
    """
    if not share or not indices:
        return set()
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index in indices:
        groups[subjects[index] or index].append(index)
    count = Counter(labels[index] for index in indices)
    missing = {label: share * number for label, number in count.items()}
    members = list(groups.values())
    taken: set[int] = set()
    for k in rng.permutation(len(members)):
        group = Counter(labels[index] for index in members[k])
        # By how much the squared distance from the wanted numbers shrinks if the group is taken,
        # in shares of each label, so that the rare ones matter as much.
        gain = sum(
            (missing[label] ** 2 - (missing[label] - number) ** 2) / count[label] ** 2
            for label, number in group.items()
        )
        if gain > 0:
            taken.update(members[k])
            for label, number in group.items():
                missing[label] -= number
    return taken


def surplus(labels: Sequence[str], splits: Sequence[str], most: int, seed: int) -> list[int]:
    """Return which images to leave out, so that no split has more than ``most`` of a label."""
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, place in enumerate(zip(splits, labels, strict=True)):
        places[place].append(index)
    rng = np.random.default_rng((seed, 2))
    left_out: list[int] = []
    for place in sorted(places):
        left_out.extend(int(index) for index in rng.permutation(places[place])[most:])
    return sorted(left_out)
