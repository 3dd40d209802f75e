"""What a parameter is: name, default, meaning, range. Plain data, imports no ROS.

Nodes declare from these tables, the README's reference is written from them, and a test holds every
file in config/ against them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Value = bool | int | float | str | list[str]


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter of a node.

    Attributes:
        name: as in ``ros2 param get``.
        default: its default; its Python type is the parameter's type.
        description: one sentence, with the unit.
        minimum, maximum: inclusive range of a number; both or neither.
        choices: the words a text may be; empty for any text.
        run_time: whether a change takes effect in a running node.
        lifecycle: whether the node is managed, that is, whether cleanup makes it accept a change.
    """

    name: str
    default: Value
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    run_time: bool = True
    lifecycle: bool = False

    def full_description(self) -> str:
        """Return the description with the accepted words and whether it may change at run time."""
        words = f" One of: {', '.join(self.choices)}." if self.choices else ""
        change = "" if self.run_time else f" Fixed while running: {self.how_to_change()}."
        return f"{self.description}{words}{change}"

    def how_to_change(self) -> str:
        """Return what to do to change a parameter that is not a run-time one."""
        if self.lifecycle:
            return "set it while the node is unconfigured (ros2 lifecycle set <node> cleanup)"
        return "set it when the node is started"


def check_value(spec: ParameterSpec, value: Any) -> str:
    """Return why ``value`` is not acceptable for ``spec``, or an empty string if it is.

    Integers are accepted where a float is asked for; NaN never is. Integers are accepted where a
    text is asked for, too: on a command line, ``-p source:=0`` is one.
    """
    if not _right_type(spec.default, value):
        return f"{spec.name} must be {_type_name(spec.default)}, not {value!r}"
    if spec.minimum is not None and spec.maximum is not None:
        inside = spec.minimum <= value <= spec.maximum  # false for NaN, so that it is refused
        if not inside:
            return f"{spec.name} must be from {spec.minimum:g} to {spec.maximum:g}, not {value!r}"
    if spec.choices and value not in spec.choices:
        return f"{spec.name} must be one of {', '.join(spec.choices)}, not {value!r}"
    return ""


def _right_type(default: Any, value: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, (int, float))
    if isinstance(default, str):
        return isinstance(value, (int, str))
    return isinstance(value, type(default))


def _type_name(default: Any) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return names.get(type(default), "a list")


# Two parameters that say from when on diagnostics are WARN and ERROR.
def threshold_pair(
    names: tuple[str, str], when: str, warn: float, error: float, minimum: float, maximum: float
) -> tuple[ParameterSpec, ParameterSpec]:
    """Return the parameters of the two thresholds of one quantity.

    Args:
        names: of the parameter for WARN and of that for ERROR.
        when: what is compared and how, up to the word "which".
        warn, error: their defaults.
        minimum, maximum: their range.
    """
    levels = ("warn", "call it an error")
    first, second = (
        ParameterSpec(name, default, f"{when} which the diagnostics {level}.", minimum, maximum)
        for name, default, level in zip(names, (warn, error), levels, strict=True)
    )
    return first, second
