"""Reading a YAML table of a person's own so that every mistake is told in one line.

Part of ``expression_ros.mirroring``: imports no ROS. The tables of robots and of styles are read
with this.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from expression_ros.vocabulary import EMOTIONS, UnknownLabelError, canonical_label


class TableError(ValueError):
    """A table that does not exist or is wrong; one line with the remedy."""


def find_table(name: str, folder: Path, what: str, error: type[TableError]) -> Path:
    """Return the path of a shipped table by its name, or the absolute path that was given.

    Args:
        name: ``virtual_face``, or a path (which contains a slash or ends in .yaml).
        folder: where the shipped tables are.
        what: the kind of table, for the message: ``robot``.
        error: raised if there is no such table, or a path is relative.
    """
    name = name.strip()
    if "/" in name or "\\" in name or name.lower().endswith((".yaml", ".yml")):
        try:
            path = Path(name).expanduser()
        except RuntimeError:  # ~somebody who has no account
            path = Path(name)
        if not path.is_absolute():
            raise error(
                f"{name}: a node has no folder of its own to look in: give the absolute path"
            )
        return path
    names = table_names(folder)
    if name not in names:
        raise error(
            f"no {what} {name!r}; {what}s: {', '.join(names)}, or the absolute path of a table"
        )
    return folder / f"{name}.yaml"


def table_names(folder: Path) -> list[str]:
    """Return the names of the tables in a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def read_table(path: Path, what: str, error: type[TableError]) -> Any:
    """Return the content of a YAML file; raises ``error`` with one line if it cannot be read."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # a SafeLoader
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise error(f"{path}: {reason}: give the path of a {what} table") from None
    except UnicodeDecodeError:
        raise error(f"{path}: is not UTF-8 text: save it as UTF-8") from None
    # Also what int(), float() and datetime() raise for 2024-13-01, and RecursionError.
    except Exception as problem:
        raise error(f"{path}: {_one_line(problem)}") from None


class TableReader:
    """Looks at the parts of a parsed table; every complaint names the file.

    Args:
        file: its path, as it is to be named.
        error: what to raise.
    """

    def __init__(self, file: str, error: type[TableError]):
        self._file = file
        self._error = error

    def fail(self, problem: str) -> TableError:
        """Return the error to raise."""
        return self._error(f"{self._file}: {problem}")

    def mapping(self, value: Any, what: str, keys: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return a mapping with text keys, which are among ``keys`` if any are given."""
        if not isinstance(value, dict):
            form = f"with the keys {', '.join(keys)}" if keys else "of 'key: value' lines"
            raise self.fail(f"{what} is {shown(value)}: make it a mapping {form}")
        for key in value:
            if not isinstance(key, str):
                raise self.fail(f"{what} has the key {shown(key)}: put it in quotes")
            if keys and key not in keys:
                raise self.fail(f"{what} has the unknown key {key!r}: known are {', '.join(keys)}")
        return value

    def text(self, value: Any, what: str, *, empty: bool = False) -> str:
        """Return a text without the blanks around it."""
        if value is None and not empty:
            raise self.fail(f"{what} is missing: add it")
        if not isinstance(value, str) or not (empty or value.strip()):
            raise self.fail(f"{what} is {shown(value)}: make it a text (in quotes)")
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise self.fail(f"{what} is {shown(value)}: ROS cannot send it, write other letters")
        return value.strip()

    def number(
        self, value: Any, what: str, low: float | None = None, high: float | None = None
    ) -> float:
        """Return a finite number, within ``low`` .. ``high`` where these are given."""
        if value is None:
            raise self.fail(f"{what} is missing: add it")
        try:
            number = float(value) if type(value) in (int, float) else math.nan
        except OverflowError:
            number = math.nan
        if not math.isfinite(number):
            raise self.fail(f"{what} is {shown(value)}: make it a finite number")
        if low is not None and high is not None and not low <= number <= high:
            raise self.fail(f"{what} is {number:g}: make it {low:g} to {high:g}")
        return number

    def emotion(self, word: str, what: str, known: tuple[str, ...] = EMOTIONS) -> str:
        """Return a word that is one of ``known``; otherwise say which of them is meant."""
        if word not in known:
            raise self.fail(f"{what} the unknown emotion {word!r}: {_meant(word, known)}")
        return word


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice, of which YAML would keep only the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen and key_node.value != "<<":
                    raise yaml.constructor.ConstructorError(
                        problem=f"{key_node.value!r} is given twice: keep one of them",
                        problem_mark=key_node.start_mark,
                    )
                seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)


def _one_line(error: BaseException) -> str:
    """Return a YAML error as ``line 3: what is wrong``."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error) or "is nested too deeply"
    where = f"line {mark.line + 1}: " if mark is not None else ""
    line = " ".join(f"{where}{problem}".split())
    return line if "keep one" in line else f"{line}: correct the YAML"


def _meant(word: str, known: tuple[str, ...]) -> str:
    """Return the remedy for a word that is none of the known ones."""
    try:
        label = canonical_label(word)
    except UnknownLabelError:
        label = ""
    return f"write {label}" if label in known else f"emotions are {', '.join(known)}"


def shown(value: Any) -> str:
    """Return a value for a message: short, on one line, in the words of YAML."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"the YAML truth value {str(value).lower()}"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
