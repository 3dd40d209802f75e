"""A robot as a table: which of its expressions answers which emotion, and how they are shown.

Part of ``expression_ros.mirroring``: imports no ROS. A table is one YAML file; the shipped ones are
in ``config/robots/``, and their comments explain every key.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from expression_ros.resources import config_path
from expression_ros.vocabulary import EMOTIONS, NEUTRAL, UnknownLabelError, canonical_label

# Where the mirror always says which expression is shown. A table may name it as a label output.
EXPRESSION_TOPIC = "robot_expression"

# What an output can be. One class for each is in expression_ros/nodes/robot_outputs.py.
OUTPUT_TYPES = ("label", "joint_trajectory")

_TABLE_KEYS = ("name", "description", "expressions", "outputs", "joints", "poses")
_OUTPUT_KEYS = ("type", "topic")
_JOINT_KEYS = ("min", "max", "max_velocity", "max_acceleration")

_TOPIC = re.compile(r"(~/|/)?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*")


class RobotTableError(ValueError):
    """A robot that does not exist, or a table that is wrong; one line with the remedy."""


@dataclass(frozen=True)
class Joint:
    """The limits of one joint, in rad (m for a prismatic joint) and per second.

    Attributes:
        name: as the controller knows it.
        minimum, maximum: the positions it may take.
        max_velocity: per second, positive.
        max_acceleration: per second squared, positive; None for no limit but that of the velocity.
    """

    name: str
    minimum: float
    maximum: float
    max_velocity: float
    max_acceleration: float | None = None


@dataclass(frozen=True)
class Output:
    """One way in which the robot is told its expression.

    Attributes:
        type: one of ``OUTPUT_TYPES``.
        topic: a ROS topic name; a relative one goes into the mirror's namespace.
    """

    type: str
    topic: str


@dataclass(frozen=True)
class Robot:
    """What a table says.

    Attributes:
        name: of the robot.
        description: one sentence, may be empty.
        expressions: the robot's own word for every emotion of the vocabulary.
        outputs: how an expression is shown.
        joints: in the order of the table; empty for a robot without joint outputs.
        poses: for every expression word the position of every joint, in the order of ``joints``.
    """

    name: str
    description: str
    expressions: Mapping[str, str]
    outputs: tuple[Output, ...]
    joints: tuple[Joint, ...] = ()
    poses: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def expression_for(self, emotion: str) -> str:
        """Return the robot's word for an emotion of the vocabulary; KeyError for any other word."""
        return self.expressions[emotion]

    @property
    def neutral(self) -> str:
        """The robot's word for ``neutral``."""
        return self.expressions[NEUTRAL]


def available_robots() -> list[str]:
    """Return the names of the shipped robot tables, sorted.

    Raises:
        ResourceError: the package's config folder is not installed.
    """
    return sorted(path.stem for path in config_path("robots").glob("*.yaml"))


def load_robot(name_or_path: str) -> Robot:
    """Return the robot of a shipped table (``virtual_face``) or of a file (``/home/me/bot.yaml``).

    An emotion the table leaves out is answered by the robot's neutral expression, a joint a pose
    leaves out stays where it is in the neutral pose.

    Raises:
        RobotTableError: there is no such robot, or its table is wrong: one line that says which
            file, what is wrong, and what to do.
        ResourceError: the package's config folder is not installed.
    """
    path = _find(str(name_or_path).strip())
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text, Loader=_UniqueKeyLoader)  # a SafeLoader
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RobotTableError(f"{path}: {reason}: give the path of a robot table") from None
    except UnicodeDecodeError:
        raise RobotTableError(f"{path}: is no UTF-8 text: save it as UTF-8") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise RobotTableError(f"{path}: {_one_line(error)}") from None
    return _Reader(str(path)).robot(content)


def _find(name: str) -> Path:
    if "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
        try:
            path = Path(name).expanduser()
        except RuntimeError:  # ~somebody who has no account
            path = Path(name)
        if not path.is_absolute():
            raise RobotTableError(
                f"{name}: a node has no folder of its own to look in: give the absolute path"
            )
        return path
    robots = available_robots()
    if name not in robots:
        raise RobotTableError(
            f"no robot {name!r}; robots: {', '.join(robots)}, or the absolute path of a table"
        )
    return config_path("robots", f"{name}.yaml")


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice, of which YAML would keep only the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict:
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


class _Reader:
    """Turns the parsed YAML into a Robot; every complaint names the file."""

    def __init__(self, file: str):
        self._file = file

    def _fail(self, problem: str) -> RobotTableError:
        return RobotTableError(f"{self._file}: {problem}")

    def robot(self, content: Any) -> Robot:
        table = self._mapping(content, "the table", _TABLE_KEYS)
        expressions = self._expressions(table.get("expressions"))
        joints = self._joints(table.get("joints"))
        return Robot(
            name=self._text(table.get("name"), "name"),
            description=self._text(table.get("description", ""), "description", empty=True),
            expressions=expressions,
            outputs=self._outputs(table.get("outputs"), bool(joints)),
            joints=joints,
            poses=self._poses(table.get("poses"), joints, expressions),
        )

    def _mapping(self, value: Any, what: str, keys: tuple[str, ...] = ()) -> dict[str, Any]:
        if not isinstance(value, dict):
            form = f"with the keys {', '.join(keys)}" if keys else "of 'key: value' lines"
            raise self._fail(f"{what} is {_shown(value)}: make it a mapping {form}")
        for key in value:
            if not isinstance(key, str):
                raise self._fail(f"{what} has the key {_shown(key)}: put it in quotes")
            if keys and key not in keys:
                raise self._fail(f"{what} has the unknown key {key!r}: known are {', '.join(keys)}")
        return value

    def _text(self, value: Any, what: str, *, empty: bool = False) -> str:
        if value is None and not empty:
            raise self._fail(f"{what} is missing: add it")
        if not isinstance(value, str) or not (empty or value.strip()):
            raise self._fail(f"{what} is {_shown(value)}: make it a text (in quotes)")
        return value.strip()

    def _number(self, value: Any, what: str) -> float:
        if value is None:
            raise self._fail(f"{what} is missing: add it")
        try:
            number = float(value) if type(value) in (int, float) else math.nan
        except OverflowError:
            number = math.nan
        if not math.isfinite(number):
            raise self._fail(f"{what} is {_shown(value)}: make it a finite number")
        return number

    def _expressions(self, value: Any) -> dict[str, str]:
        if value is None:
            raise self._fail("expressions is missing: add it, with at least neutral")
        table = self._mapping(value, "expressions")
        for emotion in table:
            if emotion not in EMOTIONS:
                raise self._fail(
                    f"expressions has the unknown emotion {emotion!r}: {_meant(emotion)}"
                )
        if NEUTRAL not in table:
            raise self._fail(
                "expressions lacks neutral: say which word is the robot's neutral face"
            )
        words = {key: self._text(word, f"expressions.{key}") for key, word in table.items()}
        return {emotion: words.get(emotion, words[NEUTRAL]) for emotion in EMOTIONS}

    def _outputs(self, value: Any, has_joints: bool) -> tuple[Output, ...]:
        if not isinstance(value, list) or not value:
            raise self._fail(
                f"outputs is {_shown(value)}: make it a list such as [{{type: label, topic: "
                f"{EXPRESSION_TOPIC}}}]"
            )
        outputs: list[Output] = []
        for number, entry in enumerate(value, start=1):
            outputs.append(self._output(entry, f"output {number}"))
            if outputs[-1].topic in [output.topic for output in outputs[:-1]]:
                raise self._fail(f"two outputs are on {outputs[-1].topic}: keep one of them")
            if outputs[-1].type == "joint_trajectory" and not has_joints:
                raise self._fail(f"output {number} moves joints, but joints is missing: add it")
        return tuple(outputs)

    def _output(self, value: Any, what: str) -> Output:
        table = self._mapping(value, what, _OUTPUT_KEYS)
        kind = self._text(table.get("type"), f"{what}: type")
        if kind not in OUTPUT_TYPES:
            raise self._fail(
                f"{what} has the unknown type {kind!r}: known are {', '.join(OUTPUT_TYPES)}"
            )
        topic = self._text(table.get("topic"), f"{what} ({kind}): topic")
        if not _TOPIC.fullmatch(topic) or "__" in topic:
            raise self._fail(
                f"{what} has the topic {topic!r}: use letters, digits and _ between single /"
            )
        if topic == EXPRESSION_TOPIC and kind != "label":
            raise self._fail(f"{what}: {topic} carries the label: give the {kind} another topic")
        return Output(kind, topic)

    def _joints(self, value: Any) -> tuple[Joint, ...]:
        if value is None:
            return ()
        table = self._mapping(value, "joints")
        return tuple(self._joint(name, limits) for name, limits in table.items())

    def _joint(self, name: str, value: Any) -> Joint:
        what = f"joint {name}"
        table = self._mapping(value, what, _JOINT_KEYS)
        low = self._number(table.get("min"), f"{what}: min")
        high = self._number(table.get("max"), f"{what}: max")
        velocity = self._number(table.get("max_velocity"), f"{what}: max_velocity")
        acceleration = None
        if "max_acceleration" in table:
            acceleration = self._number(table["max_acceleration"], f"{what}: max_acceleration")
        if low >= high:
            raise self._fail(f"{what}: min {low:g} is not below max {high:g}: correct them")
        if velocity <= 0 or (acceleration is not None and acceleration <= 0):
            raise self._fail(f"{what}: max_velocity and max_acceleration are above 0: correct them")
        return Joint(name, low, high, velocity, acceleration)

    def _poses(
        self, value: Any, joints: tuple[Joint, ...], expressions: dict[str, str]
    ) -> dict[str, tuple[float, ...]]:
        if not joints:
            if value is not None:
                raise self._fail("there are poses but no joints: add joints, or remove poses")
            return {}
        table = self._mapping(value if value is not None else {}, "poses")
        words = list(dict.fromkeys(expressions.values()))
        for word in words:
            if word not in table:
                raise self._fail(f"poses lacks the expression {word!r}: add a pose for it")
        for word in table:
            if word not in words:
                raise self._fail(f"poses has {word!r}, which answers no emotion: remove it, "
                                 f"or use it in expressions ({', '.join(words)})")  # fmt: skip
        neutral_word = expressions[NEUTRAL]
        neutral = self._pose(table[neutral_word], neutral_word, joints, {})
        rest = {joint.name: position for joint, position in zip(joints, neutral, strict=True)}
        return {word: self._pose(table[word], word, joints, rest) for word in words}

    def _pose(
        self, value: Any, word: str, joints: tuple[Joint, ...], rest: dict[str, float]
    ) -> tuple[float, ...]:
        """Return the position of every joint; one that is not given takes that of ``rest``."""
        table = self._mapping(value, f"pose {word!r}")
        names = [joint.name for joint in joints]
        for name in table:
            if name not in names:
                raise self._fail(f"pose {word!r} names the unknown joint {name!r}: joints are "
                                 f"{', '.join(names)}")  # fmt: skip
        positions = []
        for joint in joints:
            given = table.get(joint.name, rest.get(joint.name))
            position = self._number(given, f"pose {word!r}: joint {joint.name}")
            if not joint.minimum <= position <= joint.maximum:
                raise self._fail(
                    f"pose {word!r} puts {joint.name} at {position:g}, outside "
                    f"{joint.minimum:g} .. {joint.maximum:g}: correct the pose or the limits"
                )
            positions.append(position)
        return tuple(positions)


def _meant(word: str) -> str:
    """Return the remedy for a word that is no emotion of the vocabulary."""
    try:
        label = canonical_label(word)
    except UnknownLabelError:
        label = ""
    return f"write {label}" if label in EMOTIONS else f"emotions are {', '.join(EMOTIONS)}"


def _shown(value: Any) -> str:
    """Return a value for a message: short, on one line, in the words of YAML."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"the YAML truth value {str(value).lower()}"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
