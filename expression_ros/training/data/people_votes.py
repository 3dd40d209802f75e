"""What several people see on a face: votes of FER+ (Barsoum et al., 2016).

FER2013's single labels come from a web search; people agree with them in about two cases of three.
FER+ asked ten people about each of its faces. Two forms are read: arrays ``ferplus_votes`` (N, V)
and ``ferplus_names`` (V,) of an npz file, and Microsoft's ``fer2013new.csv``, which has a line for
each row of Kaggle's ``fer2013.csv``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from expression_ros.training.data.faces import DataError, read_arrays
from expression_ros.vocabulary import EMOTIONS, UNKNOWN, UnknownLabelError, canonical_label

NO_FACE = "NF"
VOTE_NAMES = (*EMOTIONS, UNKNOWN, NO_FACE)  # columns of votes, in all that follows
VOTES_ARRAY, NAMES_ARRAY, ROWS_ARRAY = "ferplus_votes", "ferplus_names", "csv_row"
_CSV_HEAD = ("usage", "image name")


@dataclass(frozen=True)
class VoteTable:
    """Votes as a file has them.

    Attributes:
        name: of the file, for messages.
        votes: (N, 10) int, votes for each of VOTE_NAMES; -1 in rows of which nothing is known.
        csv_rows: (N,) int, the row of Kaggle's CSV that each is about, -1 where unknown; None if
            the file does not say.
    """

    name: str
    votes: np.ndarray
    csv_rows: np.ndarray | None = None

    def of_rows(self, count: int) -> np.ndarray:
        """Return the (N, 10) votes of ``count`` faces in the order of the file.

        Raises:
            DataError: the file is about another number of faces.
        """
        if len(self.votes) != count:
            raise DataError(f"{self.name} has votes on {len(self.votes):,} faces, the data has "
                            f"{count:,}; give the file that belongs to them")  # fmt: skip
        return self.votes

    def of_csv_row(self, row: int) -> np.ndarray | None:
        """Return the (10,) votes on a row of Kaggle's CSV, counted from 0; None if unknown."""
        if self.csv_rows is None:
            raise DataError(
                f"{self.name} does not say which rows of Kaggle's CSV it is about; give "
                "Microsoft's fer2013new.csv"
            )
        place = self._place_of_row().get(row)
        return None if place is None else known_or_none(self.votes[place])

    def _place_of_row(self) -> Mapping[int, int]:
        known = self.__dict__.get("_places")
        if known is None:
            assert self.csv_rows is not None
            known = {int(row): place for place, row in enumerate(self.csv_rows) if row >= 0}
            self.__dict__["_places"] = known
        return known


def read_votes(path: Path) -> VoteTable:
    """Read a file of votes: an npz, or Microsoft's fer2013new.csv.

    Raises:
        DataError: it is missing, or is neither.
    """
    if path.suffix.lower() == ".csv":
        return _read_csv(path)
    arrays = read_arrays(path, only=(VOTES_ARRAY, NAMES_ARRAY, ROWS_ARRAY))
    votes = votes_of_arrays(arrays, path)
    if votes is None:
        raise DataError(f"{path}: no array {VOTES_ARRAY}; see docs/data.md")
    rows = arrays.get(ROWS_ARRAY)
    if rows is not None and rows.shape != (len(votes),):
        raise DataError(f"{path}: {len(votes)} rows of votes, but {ROWS_ARRAY} of {rows.shape}")
    return VoteTable(path.name, votes, rows)


def votes_of_arrays(arrays: Mapping[str, np.ndarray], path: Path) -> np.ndarray | None:
    """Return (N, 10) int votes in the order of VOTE_NAMES; None if the arrays have none.

    Raises:
        DataError: the votes have another shape, or a column that is not a label.
    """
    if VOTES_ARRAY not in arrays:
        return None
    given = arrays[VOTES_ARRAY]
    names = [str(name) for name in np.ravel(arrays.get(NAMES_ARRAY, np.array([])))]
    if given.ndim != 2 or given.dtype.kind not in "iu" or given.shape[1] != len(names):
        raise DataError(f"{path}: {VOTES_ARRAY} must be whole numbers, a row for each face and a "
                        f"column for each of {NAMES_ARRAY}, not {given.dtype} of {given.shape} "
                        f"with {len(names)} names")  # fmt: skip
    return _in_order(given, names, path)


def _in_order(given: np.ndarray, names: Sequence[str], path: Path) -> np.ndarray:
    votes = np.zeros((len(given), len(VOTE_NAMES)), np.int16)
    for column, name in enumerate(names):
        try:
            label = NO_FACE if name.strip().upper() == NO_FACE else canonical_label(name)
        except UnknownLabelError as error:
            raise DataError(f"{path}: votes for {name!r}, not a label ({error})") from error
        votes[:, VOTE_NAMES.index(label)] += given[:, column].astype(np.int16)
    votes[(given < 0).any(axis=1)] = -1
    return votes


def _read_csv(path: Path) -> VoteTable:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.reader(file)
        head = [name.strip() for name in next(rows, [])]
        if tuple(name.lower() for name in head[:2]) != _CSV_HEAD:
            raise DataError(f"{path}:1: this is no fer2013new.csv, which begins with Usage,Image "
                            "name,neutral")  # fmt: skip
        counts = [_counts(row, len(head), f"{path}:{number}") for number, row in enumerate(rows, 2)]
    votes = _in_order(np.array(counts, int).reshape(-1, len(head) - 2), head[2:], path)
    return VoteTable(path.name, votes, np.arange(len(votes)))


def _counts(row: Sequence[str], columns: int, place: str) -> list[int]:
    try:
        if len(row) != columns:
            raise ValueError(f"{len(row)} columns, not {columns}")
        return [int(cell) for cell in row[2:]]
    except ValueError as error:
        raise DataError(f"{place}: {error}") from error


def known_or_none(votes: np.ndarray) -> np.ndarray | None:
    """Return a row of votes, or None if it is one of which nothing is known."""
    return votes if votes.min() >= 0 and votes.sum() > 0 else None


def majority_of(votes: np.ndarray) -> str:
    """Return the expression that more than half of all voters see; "" if there is none.

    Voters who said that they cannot tell, or that it is not a face, count among all.

    Args:
        votes: (10,) int, in the order of VOTE_NAMES.
    """
    best = int(np.argmax(votes[: len(EMOTIONS)]))
    return EMOTIONS[best] if 2 * votes[best] > votes.sum() else ""
