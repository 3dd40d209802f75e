"""What was given to a node as parameters and reaches none of them: misspelt names and sections.

ROS passes over both in silence. Imports no ROS.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

_VALUES = "ros__parameters"
_NEAR = 0.75  # similarity, 0..1: from here on a name is taken for a misspelling of another
_ALIKE = 0.5  # similarity from which on a name is offered as what may be meant


def nearest(name: str, known: Iterable[str], similarity: float = _ALIKE) -> str:
    """Return the known name that is most like another, or an empty text if none is."""
    return next(iter(get_close_matches(name, list(known), 1, similarity)), "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean NAME?`` with the nearest known name, or an empty text."""
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else ""


def params_files(arguments: Sequence[str]) -> list[Path]:
    """Return the parameter files that are given on a ROS command line."""
    return [Path(value) for option, value in pairwise(arguments) if option == "--params-file"]


def named_nodes(arguments: Sequence[str]) -> list[str]:
    """Return the nodes for which single values are meant on a ROS command line.

    They stand before a colon, as in ``-p mirror:min_hold:=1.0`` or ``-r mirror:a:=b``.
    """
    options = ("-p", "--param", "-r", "--remap")
    values = [value for option, value in pairwise(arguments) if option in options]
    found = (re.match(r"(\w+):(?!=|//)", value) for value in values)
    return [match[1] for match in found if match]


def misspelt_nodes(names: Iterable[str], node: str, names_of_nodes: Collection[str]) -> list[str]:
    """Return a line for each name that is not a node of this package, but much like this one's."""
    strange = [name for name in names if name != node and name not in names_of_nodes]
    return [
        f"no node is called {name}; did you mean {node}?"
        for name in strange
        if nearest(name, [node], _NEAR)
    ]


def sections(content: Any, prefix: str = "") -> dict[str, list[str]]:
    """Return the names of the parameters of each section of a parameter file.

    Args:
        content: the parsed YAML.
        prefix: of the sections' names.

    Returns:
        By the section's whole name, such as ``/**/recognizer`` or ``/robot/mirror``.
    """
    found: dict[str, list[str]] = {}
    for key, value in content.items() if isinstance(content, Mapping) else ():
        if key == _VALUES:
            found[prefix or "/"] = list(_flat(value))
        else:
            found |= sections(value, f"{prefix}/{str(key).strip('/')}")
    return found


def _flat(content: Any, prefix: str = "") -> Iterable[str]:
    for key, value in content.items() if isinstance(content, Mapping) else ():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def applies(section: str, node: str) -> bool:
    """Return whether a section is for a node, both as whole names; ``*`` and ``**`` as in ROS."""
    steps = {"**": "(/[^/]+)*", "*": "/[^/]+"}
    pattern = "".join(
        steps.get(step, "/" + re.escape(step)) for step in section.strip("/").split("/")
    )
    return re.fullmatch(pattern, node) is not None


def section_problems(file: Path, node: str, names_of_nodes: Collection[str]) -> list[str]:
    """Return what is wrong with the sections of a parameter file, as seen by one node.

    Args:
        file: the file; one that cannot be read has been refused by ROS already.
        node: the node's whole name.
        names_of_nodes: of this package, without namespace: sections for them are none of ours.
    """
    found = _read(file)
    name = node.rsplit("/", 1)[-1]
    problems = []
    for section in found:
        last = section.rsplit("/", 1)[-1]
        if applies(section, node) or (last != name and last in names_of_nodes):
            continue
        if last == name and not any(applies(other, node) for other in found):
            problems.append(f"{file}: {section} is not for {node}; write /**/{name}")
        else:
            problems += [f"{file}: {line}" for line in misspelt_nodes([last], name, names_of_nodes)]
    return problems


def for_all_only(files: Iterable[Path], node: str) -> set[str]:
    """Return the parameters that files give to this node only because they give them to all."""
    everybody: set[str] = set()
    own: set[str] = set()
    for file in files:
        for section, names in _read(file).items():
            if section == "/**":
                everybody |= set(names)
            elif applies(section, node):
                own |= set(names)
    return everybody - own


def unknown_parameters(
    given: Iterable[str], known: Collection[str], for_all: Collection[str], others: Collection[str]
) -> list[str]:
    """Return a line for each parameter that was given at start and does not exist.

    Args:
        given: the names that were given.
        known: those the node has.
        for_all: those that were given to all nodes at once: such a name may be another node's, and
            is told only if it is like one of ours.
        others: the parameters of the other nodes of this package.
    """
    lines = []
    for name in sorted(set(given) - set(known)):
        if name.startswith("qos_overrides."):
            continue
        if name in for_all and (name in others or not nearest(name, known, _NEAR)):
            continue
        lines.append(f"there is no parameter {name}: it is ignored{did_you_mean(name, known)}")
    return lines


def _read(file: Path) -> dict[str, list[str]]:
    try:
        return sections(yaml.safe_load(file.read_text(encoding="utf-8")))
    except Exception:  # ROS has its own words on files that it cannot read
        return {}
