"""Whether a classifier does as well by one group of people as by another.

A table says who is what: a CSV whose first column names a person as the files of their images
do (``001`` for ``001_03.jpg``), and whose other columns are sex, age, origin, or whatever is asked.
The Face Research Lab London Set brings one, ``london_faces_info.csv`` (DeBruine and Jones, 2017).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from statistics import median
from typing import Any

from expression_ros.training.data.faces import DataError

ENOUGH = 20  # faces of a label that a group needs to be compared by it
_MOST_VALUES = 12  # of a column that is not a number


@dataclass(frozen=True)
class GroupTable:
    """Who is what.

    Attributes:
        name: of the file, for messages.
        groups: by column, by person, the group the person is of.
    """

    name: str
    groups: Mapping[str, Mapping[str, str]]

    def of_image(self, column: str, source: str) -> str:
        """Return the group of the person on an image, by its file's name; empty if unknown."""
        stem = PurePath(source).stem
        people = self.groups[column]
        return people.get(stem) or people.get(re.split(r"[^0-9A-Za-z]", stem)[0], "")


def read_groups(path: Path) -> GroupTable:
    """Read a table of people. Numbers, such as ages, are parted at their median.

    Raises:
        DataError: it cannot be read, names nobody, or names somebody twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} is not a table of people ({reason})") from error
    if len(rows) < 2 or len(rows[0]) < 2:
        raise DataError(f"{path} is not a table of people: a line of headings is expected, then a "
                        "line for each person, who is named in the first column")  # fmt: skip
    head, people = rows[0], rows[1:]
    for row in people:
        if len(row) != len(head):
            raise DataError(f"{path}: {row[0]} has {len(row)} cells, the headings are {len(head)}")
    names = [row[0] for row in people]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"{path} has {twice} twice")
    columns = {}
    for place, column in enumerate(head[1:], 1):
        told = {row[0]: row[place] for row in people if row[place]}
        groups = _parted(told)
        if 2 <= len(set(groups.values())) <= _MOST_VALUES:
            columns[column] = groups
    if not columns:
        raise DataError(
            f"{path} has no column by which people fall into 2 to {_MOST_VALUES} groups"
        )
    return GroupTable(path.name, columns)


def _parted(told: Mapping[str, str]) -> Mapping[str, str]:
    try:
        numbers = {name: float(value) for name, value in told.items()}
    except ValueError:
        return told
    if len(set(numbers.values())) <= 2:
        return told
    middle = median(numbers.values())
    return {
        name: f"up to {middle:g}" if value <= middle else f"over {middle:g}"
        for name, value in numbers.items()
    }


def group_figures(
    table: GroupTable, sources: Sequence[str], truth: Sequence[str], right: Sequence[bool]
) -> dict[str, Any]:
    """Return, for each column, how many faces of each label were right in each group.

    Args:
        table: who is what.
        sources: (N) files of the images.
        truth: (N) true labels.
        right: (N) whether the answers are right.

    Returns:
        By column: ``groups``, by group and label ``faces`` and ``right`` (a share, 0..1);
        ``differences``, by label the best group's share less the worst's, of groups with ENOUGH
        faces of it, where there are two; ``n_unknown``, the faces of nobody in the table.

    Raises:
        DataError: nobody of the images is in the table.
    """
    figures: dict[str, Any] = {}
    for column in table.groups:
        counts: dict[str, dict[str, list[bool]]] = {}
        unknown = 0
        for source, label, hit in zip(sources, truth, right, strict=True):
            group = table.of_image(column, source)
            if not group:
                unknown += 1
                continue
            counts.setdefault(group, {}).setdefault(label, []).append(bool(hit))
        if unknown == len(sources):
            raise DataError(f"{table.name} names nobody on these images: its first column must "
                            "be what their file names begin with")  # fmt: skip
        groups = {
            group: {
                label: {"faces": len(hits), "right": sum(hits) / len(hits)}
                for label, hits in sorted(by_label.items())
            }
            for group, by_label in sorted(counts.items())
        }
        figures[column] = {
            "groups": groups,
            "differences": _differences(groups),
            "n_unknown": unknown,
        }
    return figures


def _differences(groups: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    differences = {}
    for label in sorted({label for by_label in groups.values() for label in by_label}):
        shares = [
            by_label[label]["right"]
            for by_label in groups.values()
            if label in by_label and by_label[label]["faces"] >= ENOUGH
        ]
        if len(shares) > 1:
            differences[label] = max(shares) - min(shares)
    return differences


def group_rows(column: str, figures: Mapping[str, Any]) -> list[list[str]]:
    """Return a table of one column's figures: a row for each group, a column for each label."""
    groups = figures["groups"]
    labels = sorted({label for by_label in groups.values() for label in by_label})
    rows = [[column, *labels]]
    for group, by_label in groups.items():
        cells = (by_label.get(label) for label in labels)
        rows.append([group, *(f"{c['right']:.2f} of {c['faces']:,}" if c else "-" for c in cells)])
    if figures["differences"]:
        cells = (figures["differences"].get(label) for label in labels)
        rows.append(["difference", *("-" if c is None else f"{c:.2f}" for c in cells)])
    return rows
