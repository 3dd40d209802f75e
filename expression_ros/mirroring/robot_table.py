"""A robot as a table: which of its expressions answers which emotion, and how they are shown.

Part of ``expression_ros.mirroring``: imports no ROS. A table is one YAML file; the shipped ones are
in ``config/robots/``, and docs/robots.md explains every key. This module is the way in; the parts
are ``robot`` (what is read) and ``yaml_tables`` (reading YAML).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from expression_ros.mirroring.robot import (
    ANSWERS,
    CONCERN,
    DEFAULT_FADE,
    DEFAULT_TIMEOUT,
    EXPRESSION_TOPIC,
    OUTPUT_TYPES,
    Joint,
    Output,
    Robot,
)
from expression_ros.mirroring.yaml_tables import (
    TableError,
    TableReader,
    find_table,
    read_table,
    shown,
    table_names,
)
from expression_ros.resources import config_path
from expression_ros.vocabulary import EMOTIONS, NEUTRAL

_TABLE_KEYS = (
    "name", "description", "checked_against", "expressions", "outputs", "joints", "poses",
    "colours", "affect",
)  # fmt: skip
_OUTPUT_KEYS: dict[str, tuple[str, ...]] = {
    "label": ("type", "topic"),
    "joint_trajectory": ("type", "topic", "joints"),
    "led": ("type", "topic", "fade"),
    "expression": ("type", "topic"),
    "service": ("type", "service", "service_type", "field", "timeout"),
}
_JOINT_KEYS = ("min", "max", "max_velocity", "max_acceleration")
_AFFECT_KEYS = ("valence", "arousal")

_LONGEST_S = 300.0  # from one limit of a joint to the other; more is a mistake in the table

_NAME = re.compile(r"(~/|/)?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*")
_SERVICE_TYPE = re.compile(r"[a-z][a-z0-9_]*/srv/[A-Z][A-Za-z0-9]*")
_FIELD = re.compile(r"[a-z][a-z0-9_]*")


class RobotTableError(TableError):
    """A robot that does not exist, or a table that is wrong; one line with the remedy."""


class RobotReader(TableReader):
    """Reads one table.

    Args:
        file: its path; every complaint names it.
    """

    def __init__(self, file: str):
        super().__init__(file, RobotTableError)

    def robot(self, content: Any) -> Robot:
        """Return the robot; raises RobotTableError."""
        table = self.mapping(content, "the table", _TABLE_KEYS)
        expressions = self._expressions(table.get("expressions"))
        words = tuple(dict.fromkeys(expressions.values()))
        joints = self._joints(table.get("joints"))
        outputs = self._outputs(table.get("outputs"), joints)
        return Robot(
            name=self.text(table.get("name"), "name"),
            description=self.text(table.get("description", ""), "description", empty=True),
            expressions=expressions,
            outputs=outputs,
            joints=joints,
            poses=self._poses(table.get("poses"), joints, words),
            colours=self._colours(table.get("colours"), outputs, words),
            affect=self._affect(table.get("affect"), outputs, words),
            checked_against=self.text(
                table.get("checked_against", ""), "checked_against", empty=True
            ),
        )

    def _expressions(self, value: Any) -> dict[str, str]:
        if value is None:
            raise self.fail("expressions is missing: add it, with at least neutral")
        table = self.mapping(value, "expressions")
        for emotion in table:
            self.emotion(emotion, "expressions has", ANSWERS)
        if NEUTRAL not in table:
            raise self.fail("expressions lacks neutral: say which word is the robot's neutral face")
        words = {key: self.text(word, f"expressions.{key}") for key, word in table.items()}
        result = {emotion: words.get(emotion, words[NEUTRAL]) for emotion in EMOTIONS}
        return {**result, CONCERN: words.get(CONCERN, result["sadness"])}

    # Outputs

    def _outputs(self, value: Any, joints: tuple[Joint, ...]) -> tuple[Output, ...]:
        if not isinstance(value, list) or not value:
            raise self.fail(
                f"outputs is {shown(value)}: make it a list such as [{{type: label, topic: "
                f"{EXPRESSION_TOPIC}}}]"
            )
        names = [joint.name for joint in joints]
        outputs: list[Output] = []
        owner: dict[str, int] = {}  # of a joint: the number of its output
        for number, entry in enumerate(value, start=1):
            output = self._output(entry, f"output {number}", names)
            for other in outputs:
                if other.topic == output.topic and bool(other.field) == bool(output.field):
                    raise self.fail(f"two outputs are on {output.topic}: keep one of them")
            outputs.append(output)
            if output.type != "joint_trajectory":
                continue
            for joint in output.joints or names:
                if joint in owner:
                    raise self.fail(
                        f"joint {joint} is moved by output {owner[joint]} and output {number}: "
                        f"give each output its own joints, as in joints: [{joint}]"
                    )
                owner[joint] = number
        for joint in names:
            if joint not in owner:
                raise self.fail(
                    f"joint {joint} is moved by no output: remove it, or name it in the joints of "
                    "a joint_trajectory output"
                )
        return tuple(outputs)

    def _output(self, value: Any, what: str, joints: list[str]) -> Output:
        table = self.mapping(value, what)
        kind = self.text(table.get("type"), f"{what}: type")
        if kind not in OUTPUT_TYPES:
            raise self.fail(
                f"{what} has the unknown type {kind!r}: known are {', '.join(OUTPUT_TYPES)}"
            )
        what = f"{what} ({kind})"
        self.mapping(table, what, _OUTPUT_KEYS[kind])
        if kind == "service":
            return self._service(table, what)
        topic = self._name(table.get("topic"), f"{what}: topic")
        if topic == EXPRESSION_TOPIC and kind != "label":
            raise self.fail(f"{what}: {topic} carries the label: give the {kind} another topic")
        fade = self.number(table.get("fade", DEFAULT_FADE), f"{what}: fade", 0.0, 10.0)
        if kind != "joint_trajectory":
            return Output(kind, topic, fade=fade)
        if not joints:
            raise self.fail(f"{what} moves joints, but joints is missing: add it")
        return Output(kind, topic, joints=self._joint_names(table.get("joints"), what, joints))

    def _joint_names(self, value: Any, what: str, joints: list[str]) -> tuple[str, ...]:
        if value is None:
            return ()
        if not isinstance(value, list) or not value:
            raise self.fail(f"{what}: joints is {shown(value)}: make it a list of their names")
        for name in value:
            if name not in joints:
                raise self.fail(
                    f"{what} names the unknown joint {name!r}: joints are {', '.join(joints)}"
                )
            if value.count(name) > 1:
                raise self.fail(f"{what} names the joint {name} twice: keep one of them")
        return tuple(value)

    def _service(self, table: dict[str, Any], what: str) -> Output:
        kind = self.text(table.get("service_type"), f"{what}: service_type")
        if not _SERVICE_TYPE.fullmatch(kind):
            raise self.fail(
                f"{what}: service_type is {kind!r}: write it as package/srv/Type "
                "(ros2 service type says which)"
            )
        field = self.text(table.get("field"), f"{what}: field")
        if not _FIELD.fullmatch(field):
            raise self.fail(
                f"{what}: field is {field!r}: name a field of the request "
                f"(ros2 interface show {kind})"
            )
        return Output(
            "service",
            self._name(table.get("service"), f"{what}: service"),
            service_type=kind,
            field=field,
            timeout=self.number(
                table.get("timeout", DEFAULT_TIMEOUT), f"{what}: timeout", 0.1, 60.0
            ),
        )

    def _name(self, value: Any, what: str) -> str:
        name = self.text(value, what)
        if not _NAME.fullmatch(name) or "__" in name:
            raise self.fail(f"{what} is {name!r}: use letters, digits and _ between single /")
        return name

    # What the outputs need for every word

    def _joints(self, value: Any) -> tuple[Joint, ...]:
        if value is None:
            return ()
        table = self.mapping(value, "joints")
        return tuple(self._joint(name, limits) for name, limits in table.items())

    def _joint(self, name: str, value: Any) -> Joint:
        what = f"joint {name}"
        table = self.mapping(value, what, _JOINT_KEYS)
        low = self.number(table.get("min"), f"{what}: min")
        high = self.number(table.get("max"), f"{what}: max")
        velocity = self.number(table.get("max_velocity"), f"{what}: max_velocity")
        acceleration = None
        if "max_acceleration" in table:
            acceleration = self.number(table["max_acceleration"], f"{what}: max_acceleration")
        if low >= high:
            raise self.fail(f"{what}: min {low:g} is not below max {high:g}: correct them")
        if velocity <= 0 or (acceleration is not None and acceleration <= 0):
            raise self.fail(f"{what}: max_velocity and max_acceleration are above 0: correct them")
        longest = max((high - low) / velocity, math.sqrt((high - low) / (acceleration or math.inf)))
        if longest > _LONGEST_S:
            raise self.fail(
                f"{what}: at these limits it takes {longest:.3g} s from min to max: correct them "
                f"(at most {_LONGEST_S:g} s)"
            )
        return Joint(name, low, high, velocity, acceleration)

    def _poses(
        self, value: Any, joints: tuple[Joint, ...], words: tuple[str, ...]
    ) -> dict[str, tuple[float, ...]]:
        if not joints:
            if value is not None:
                raise self.fail("there are poses but no joints: add joints, or remove poses")
            return {}
        table = self._for_every_word(value, "poses", "a pose", words)
        neutral = self._pose(table[words[0]], words[0], joints, {})
        rest = {joint.name: position for joint, position in zip(joints, neutral, strict=True)}
        return {word: self._pose(table[word], word, joints, rest) for word in words}

    def _pose(
        self, value: Any, word: str, joints: tuple[Joint, ...], rest: Mapping[str, float]
    ) -> tuple[float, ...]:
        """Return the position of every joint; one that is not given takes that of ``rest``."""
        table = self.mapping(value, f"pose {word!r}")
        names = [joint.name for joint in joints]
        for name in table:
            if name not in names:
                raise self.fail(f"pose {word!r} names the unknown joint {name!r}: joints are "
                                f"{', '.join(names)}")  # fmt: skip
        positions = []
        for joint in joints:
            given = table.get(joint.name, rest.get(joint.name))
            position = self.number(given, f"pose {word!r}: joint {joint.name}")
            if not joint.minimum <= position <= joint.maximum:
                raise self.fail(
                    f"pose {word!r} puts {joint.name} at {position:g}, outside "
                    f"{joint.minimum:g} .. {joint.maximum:g}: correct the pose or the limits"
                )
            positions.append(position)
        return tuple(positions)

    def _colours(
        self, value: Any, outputs: tuple[Output, ...], words: tuple[str, ...]
    ) -> dict[str, tuple[float, ...]]:
        if not self._used(value, "colours", "led", outputs):
            return {}
        table = self._for_every_word(value, "colours", "a colour", words)
        return {word: self._colour(table[word], f"colour {word!r}") for word in words}

    def _colour(self, value: Any, what: str) -> tuple[float, ...]:
        if not isinstance(value, list) or len(value) not in (3, 4):
            raise self.fail(
                f"{what} is {shown(value)}: make it [red, green, blue], each 0 to 1, and opacity "
                "if you like"
            )
        parts = [self.number(part, what, 0.0, 1.0) for part in value]
        return (*parts, 1.0)[:4]

    def _affect(
        self, value: Any, outputs: tuple[Output, ...], words: tuple[str, ...]
    ) -> dict[str, tuple[float, ...]]:
        if not self._used(value, "affect", "expression", outputs):
            return {}
        table = self._for_every_word(value, "affect", "valence and arousal", words)
        result = {}
        for word in words:
            entry = self.mapping(table[word], f"affect {word!r}", _AFFECT_KEYS)
            result[word] = tuple(
                self.number(entry.get(key), f"affect {word!r}: {key}", -1.0, 1.0)
                for key in _AFFECT_KEYS
            )
        return result

    def _used(self, value: Any, key: str, kind: str, outputs: tuple[Output, ...]) -> bool:
        """Return whether an output needs this key; refuse the key where none does."""
        used = any(output.type == kind for output in outputs)
        if value is not None and not used:
            raise self.fail(
                f"{key} is given but there is no {kind} output: add one, or remove {key}"
            )
        return used

    def _for_every_word(
        self, value: Any, key: str, what: str, words: tuple[str, ...]
    ) -> dict[str, Any]:
        """Return the mapping of a key that has one entry for each of the robot's words."""
        table = self.mapping(value if value is not None else {}, key)
        for word in words:
            if word not in table:
                raise self.fail(f"{key} lacks the expression {word!r}: add {what} for it")
        for word in table:
            if word not in words:
                raise self.fail(f"{key} has {word!r}, which answers no emotion: remove it, "
                                f"or use it in expressions ({', '.join(words)})")  # fmt: skip
        return table


__all__ = [
    "ANSWERS",
    "CONCERN",
    "EXPRESSION_TOPIC",
    "OUTPUT_TYPES",
    "Joint",
    "Output",
    "Robot",
    "RobotTableError",
    "available_robots",
    "load_robot",
    "robot_path",
]


def available_robots() -> list[str]:
    """Return the names of the shipped robot tables, sorted.

    Raises:
        ResourceError: the package's config folder is not installed.
    """
    return table_names(config_path("robots"))


def robot_path(name_or_path: str) -> Path:
    """Return the file of a robot's table.

    Raises:
        RobotTableError: there is no such robot, or the path is not absolute.
        ResourceError: the package's config folder is not installed.
    """
    return find_table(str(name_or_path), config_path("robots"), "robot", RobotTableError)


def load_robot(name_or_path: str) -> Robot:
    """Return the robot of a shipped table (``virtual_face``) or of a file (``/home/me/bot.yaml``).

    An emotion the table leaves out is answered by the robot's neutral expression, concern by that
    of sadness; a joint a pose leaves out stays where it is in the neutral pose.

    Raises:
        RobotTableError: there is no such robot, or its table is wrong: one line that says which
            file, what is wrong, and what to do.
        ResourceError: the package's config folder is not installed.
    """
    path = robot_path(name_or_path)
    return RobotReader(str(path)).robot(read_table(path, "robot", RobotTableError))
