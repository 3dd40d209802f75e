"""What is kept of a person: described faces with the emotion that was asked for. No images.

One npz file per person, under ``$XDG_DATA_HOME/expression_ros/persons`` (``~/.local/share/...``).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from expression_ros.vocabulary import canonical_label
from expression_ros.whole_files import read_plain_arrays

FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MOST_BYTES = 64_000_000  # a file of ten thousand faces has 10 MB
_ARRAYS = ("format", "vectors", "labels", "sessions", "descriptor", "strength")


class PersonError(ValueError):
    """A person cannot be saved, found or used; the message says what to do."""


@dataclass(frozen=True)
class Person:
    """Described faces of one person.

    Attributes:
        name: letters, digits, ``_`` and ``-``.
        vectors: (N, D) float32, the descriptors.
        labels: N emotions, those the person was asked to show.
        sessions: (N,) int, the number of the calibration that each face comes from.
        descriptor: SHA-256 of what made the vectors; another model cannot use them.
        strength: how many faces the general models weigh against those of the person.
    """

    name: str
    vectors: np.ndarray
    labels: tuple[str, ...]
    sessions: np.ndarray
    descriptor: str
    strength: float

    def __post_init__(self) -> None:
        checked_name(self.name)
        count = len(self.labels)
        if self.vectors.ndim != 2 or len(self.vectors) != count or len(self.sessions) != count:
            raise PersonError(
                f"{count} labels, vectors of shape {self.vectors.shape} and "
                f"{len(self.sessions)} sessions do not belong together"
            )
        if not count:
            raise PersonError("there are no faces")
        if not np.isfinite(self.vectors).all():
            raise PersonError("the described faces hold numbers that are not finite")
        if not (np.isfinite(self.strength) and self.strength > 0):
            raise PersonError(f"the strength must be a number above 0, not {self.strength}")

    def counts(self) -> dict[str, int]:
        """Return how many faces there are of each emotion."""
        return {label: self.labels.count(label) for label in sorted(set(self.labels))}


def checked_name(name: str) -> str:
    """Return the name of a person; PersonError if a file cannot be named so."""
    if not _NAME.fullmatch(name):
        raise PersonError(
            f"{name!r} is not a name for a person: up to 64 letters, digits, - and _ are"
        )
    return name


def persons_folder() -> Path:
    """Return where the persons of this user are kept; the folder need not exist.

    Raises:
        PersonError: this user has no home.
    """
    home = os.environ.get("XDG_DATA_HOME") or os.path.join("~", ".local", "share")
    try:
        return Path(home).expanduser() / "expression_ros" / "persons"
    except RuntimeError:
        raise PersonError(
            "this user has no home folder to keep persons in; set HOME or XDG_DATA_HOME"
        ) from None


def person_path(name: str, folder: Path | None = None) -> Path:
    """Return the file of a person, which need not exist."""
    return (folder or persons_folder()) / f"{checked_name(name)}.npz"


def person_names(folder: Path | None = None) -> list[str]:
    """Return the names of all persons that are kept; none where the folder cannot be read."""
    try:
        return sorted(path.stem for path in (folder or persons_folder()).glob("*.npz"))
    except OSError:  # a home that is a file
        return []


def load_person(name: str, folder: Path | None = None) -> Person:
    """Read a person's file.

    Raises:
        PersonError: there is none of this name, or it is damaged.
    """
    path = person_path(name, folder)
    if not path.is_file():
        known = ", ".join(person_names(folder)) or "nobody yet"
        raise PersonError(
            f"nobody is called {name} (known: {known}); expression-ros calibrate {name}"
        )
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is too large")
        arrays = read_plain_arrays(path, _MOST_BYTES)
        if set(arrays) != set(_ARRAYS) or int(arrays["format"]) != FORMAT:
            raise ValueError("it is of another version")
        labels = tuple(canonical_label(str(label)) for label in arrays["labels"])
        return Person(
            name,
            arrays["vectors"].astype(np.float32),
            labels,
            arrays["sessions"].astype(np.int64),
            str(arrays["descriptor"]),
            float(arrays["strength"]),
        )
    except (OSError, ValueError, TypeError, OverflowError) as error:  # arrays of other shapes
        reason = " ".join(str(error).split())
        raise PersonError(
            f"{path} cannot be used: {reason}; delete it (expression-ros calibrate {name} "
            "--delete) and calibrate again"
        ) from error
