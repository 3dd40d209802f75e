"""Persons kept in files, and deleted from them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import numpy as np

from expression_ros.recognition.person import FORMAT, Person, PersonError, person_names, person_path


def save_person(person: Person, folder: Path | None = None) -> Path:
    """Write a person's file, readable for this user alone, and return its path.

    Raises:
        PersonError: it cannot be written.
    """
    path = person_path(person.name, folder)
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            np.savez_compressed(
                file,
                format=np.int64(FORMAT),
                vectors=person.vectors.astype(np.float32),
                labels=np.array(person.labels),
                sessions=np.asarray(person.sessions, np.int64),
                descriptor=np.array(person.descriptor),
                strength=np.float64(person.strength),
            )
        part.replace(path)  # a half-written file never takes the place of a whole one
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise PersonError(f"{path} cannot be written: {error.strerror}") from error
    return path


def delete_person(name: str, folder: Path | None = None) -> Path:
    """Delete all that is kept of a person and return the path that is gone.

    Raises:
        PersonError: nobody of this name is kept.
    """
    path = person_path(name, folder)
    try:
        path.unlink()
    except OSError as error:
        known = ", ".join(person_names(folder)) or "nobody yet"
        raise PersonError(f"{name} cannot be deleted: {error.strerror} (known: {known})") from error
    return path
