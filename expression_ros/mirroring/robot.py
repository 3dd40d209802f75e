"""What a robot is to the mirror: its words, its outputs and their ROS types, its joints.

Plain data. Part of ``expression_ros.mirroring``: imports no ROS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from expression_ros.vocabulary import EMOTIONS, NEUTRAL

# Where the mirror always says which expression is shown. A table may name it as a label output.
EXPRESSION_TOPIC = "robot_expression"

# What a robot can be asked to show: the emotions that are read from faces, and concern, which is
# not read from any but answers some of them. A robot without a face for it shows its sad one.
CONCERN = "concern"
ANSWERS = (*EMOTIONS, CONCERN)

# The types of output and the ROS interface of each; that of a service is named in the table.
OUTPUT_INTERFACES = {
    "label": "std_msgs/msg/String",
    "joint_trajectory": "trajectory_msgs/msg/JointTrajectory",
    "led": "std_msgs/msg/ColorRGBA",
    "expression": "hri_msgs/msg/Expression",
    "service": "",
}
OUTPUT_TYPES = tuple(OUTPUT_INTERFACES)

DEFAULT_FADE = 0.3  # s
DEFAULT_TIMEOUT = 2.0  # s


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
        topic: a ROS name, that of the service for a service; a relative one goes into the mirror's
            namespace.
        joints: of a joint_trajectory, those its controller moves; empty for all of the robot's.
        fade: of a led, s from one colour to the next at least.
        service_type: of a service, ``package/srv/Type``.
        field: of a service, the text field of the request that takes the word.
        timeout: of a service, s after which an answer is given up.
    """

    type: str
    topic: str
    joints: tuple[str, ...] = ()
    fade: float = DEFAULT_FADE
    service_type: str = ""
    field: str = ""
    timeout: float = DEFAULT_TIMEOUT

    @property
    def interface(self) -> str:
        """The ROS type, such as ``std_msgs/msg/String``."""
        return self.service_type or OUTPUT_INTERFACES[self.type]


@dataclass(frozen=True)
class Robot:
    """What a table says.

    Attributes:
        name: of the robot.
        description: one sentence, may be empty.
        expressions: the robot's own word for every one of ``ANSWERS``.
        outputs: how an expression is shown.
        joints: in the order of the table; empty for a robot without joint outputs.
        poses: for every expression word the position of every joint, in the order of ``joints``.
        colours: for every word red, green, blue and opacity, each 0 .. 1; empty without a led.
        affect: for every word valence and arousal, each -1 .. 1; empty without an expression
            output.
        checked_against: what the table was compared with, and when; may be empty.
    """

    name: str
    description: str
    expressions: Mapping[str, str]
    outputs: tuple[Output, ...]
    joints: tuple[Joint, ...] = ()
    poses: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    colours: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    affect: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    checked_against: str = ""

    def expression_for(self, answer: str) -> str:
        """Return the robot's word for one of ``ANSWERS``; KeyError for any other word."""
        if answer == CONCERN and CONCERN not in self.expressions:
            return self.expressions["sadness"]
        return self.expressions[answer]

    @property
    def neutral(self) -> str:
        """The robot's word for ``neutral``."""
        return self.expressions[NEUTRAL]

    @property
    def words(self) -> tuple[str, ...]:
        """All the robot's words, each once, neutral first."""
        return tuple(dict.fromkeys(self.expressions.values()))

    def joints_of(self, output: Output) -> tuple[Joint, ...]:
        """Return the joints that one of its outputs moves, in the order the output names them."""
        if not output.joints:
            return self.joints
        by_name = {joint.name: joint for joint in self.joints}
        return tuple(by_name[name] for name in output.joints)

    def poses_of(self, output: Output) -> dict[str, tuple[float, ...]]:
        """Return for every word the positions of the joints that one of its outputs moves."""
        order = [self.joints.index(joint) for joint in self.joints_of(output)]
        return {word: tuple(pose[k] for k in order) for word, pose in self.poses.items()}
