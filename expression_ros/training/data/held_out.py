"""Faces that a network was not trained on, so that others can be calibrated on them.

Whatever is trained on a network's descriptors and calibrated on faces the network knows by heart
believes itself too much. The list beside a network names the training faces that it never saw, by
the first 16 hex digits of the SHA-256 of their pixels, so that they are found again in any copy of
the data set. No face can be had back from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from expression_ros.training.data.faces import DataError

LIST_NAME = "held_out.txt"
_DIGITS = 16
_HEADING = "# Faces this network was not trained on: SHA-256 of their pixels, first 16 digits.\n"


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
        raise DataError(f"{path} is no list of held-out faces ({error})") from error
    digests = {line for line in lines if not line.startswith("#")}
    return np.array([digest_of(image) in digests for image in images], bool)
