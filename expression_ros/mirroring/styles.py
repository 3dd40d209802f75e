"""Styles: which answer a robot gives to an emotion. To mirror it is only one of them.

Part of ``expression_ros.mirroring``: imports no ROS. A style is one YAML file and holds for every
robot; the shipped ones are in ``config/robots/styles/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from expression_ros.mirroring.robot import ANSWERS
from expression_ros.mirroring.yaml_tables import (
    TableError,
    TableReader,
    find_table,
    read_table,
    table_names,
)
from expression_ros.resources import config_path
from expression_ros.vocabulary import EMOTIONS

_KEYS = ("name", "description", "answers")


class StyleError(TableError):
    """A style that does not exist, or a table that is wrong; one line with the remedy."""


@dataclass(frozen=True)
class Style:
    """What a table says.

    Attributes:
        name: of the style.
        description: one sentence, may be empty.
        answers: for every emotion of the vocabulary, one of ``robot.ANSWERS``.
    """

    name: str
    description: str
    answers: Mapping[str, str]


MIRROR = Style("mirror", "", {emotion: emotion for emotion in EMOTIONS})


def available_styles() -> list[str]:
    """Return the names of the shipped styles, sorted; raises ResourceError without config/."""
    return table_names(config_path("robots", "styles"))


def load_style(name_or_path: str) -> Style:
    """Return a shipped style (``mirror``) or that of a file (``/home/me/calm.yaml``).

    An emotion the table leaves out is mirrored.

    Raises:
        StyleError: there is no such style, or its table is wrong: one line that says which file,
            what is wrong, and what to do.
        ResourceError: the package's config folder is not installed.
    """
    path = find_table(str(name_or_path), config_path("robots", "styles"), "style", StyleError)
    return _read(str(path), read_table(path, "style", StyleError))


def _read(file: str, content: Any) -> Style:
    reader = TableReader(file, StyleError)
    table = reader.mapping(content, "the table", _KEYS)
    answers = reader.mapping(table.get("answers"), "answers")
    for emotion, answer in answers.items():
        reader.emotion(emotion, "answers has")
        reader.emotion(reader.text(answer, f"answers.{emotion}"), f"{emotion} has", ANSWERS)
    return Style(
        name=reader.text(table.get("name"), "name"),
        description=reader.text(table.get("description", ""), "description", empty=True),
        answers={emotion: answers.get(emotion, emotion) for emotion in EMOTIONS},
    )
