"""Stands in for ROS 2's launch: enough to ask what a launch file of ours would start, and how.

Its classes take only what those of ROS 2 Humble take, the oldest that we run on: an argument that
only newer ones know is a TypeError here as it is there.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(eq=False)
class Node:
    executable: str
    package: str
    name: str
    namespace: str = ""
    parameters: list[Any] = field(default_factory=list)
    remappings: list[tuple[str, str]] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    output: str = "log"
    respawn: bool = False
    respawn_delay: float | None = None
    additional_env: dict[str, str] = field(default_factory=dict)


class LifecycleNode(Node):
    pass


@dataclass
class PushRosNamespace:
    namespace: str


@dataclass
class ParameterValue:
    value: str
    value_type: type


@dataclass
class LaunchDescription:
    entities: list[Any]


@dataclass
class LaunchConfiguration:
    name: str

    def perform(self, context: Context) -> str:
        return context.launch_configurations[self.name]


@dataclass
class DeclareLaunchArgument:
    name: str
    default_value: str | None = None
    description: str = "no description given"
    choices: list[str] | None = None


@dataclass
class GroupAction:
    actions: list[Any]


@dataclass
class OpaqueFunction:
    function: Callable[[Context], list[Any]]


@dataclass
class RegisterEventHandler:
    event_handler: OnProcessExit


@dataclass
class OnProcessExit:
    on_exit: Callable[[Any, Context], Any]
    target_action: Node | None = None


@dataclass
class SetEnvironmentVariable:
    name: str
    value: str


@dataclass
class EmitEvent:
    event: Any


@dataclass
class LogInfo:
    msg: str


@dataclass
class ShutdownProcess:
    process_matcher: Callable[[Node], bool]


@dataclass
class Shutdown:
    reason: str


@dataclass
class PythonLaunchDescriptionSource:
    path: str


class IncludeLaunchDescription:
    def __init__(self, source: PythonLaunchDescriptionSource, launch_arguments: Any = ()):
        self.source, self.arguments = source, dict(launch_arguments)


def matches_action(action: Node) -> Callable[[Node], bool]:
    return lambda other: other is action


@dataclass
class Context:
    launch_configurations: dict[str, str]
    environment: dict[str, str]
    is_shutdown: bool = False


MODULES = {
    "launch": (LaunchDescription,),
    "launch.actions": (DeclareLaunchArgument, EmitEvent, GroupAction, IncludeLaunchDescription,
                       LogInfo, OpaqueFunction, RegisterEventHandler, SetEnvironmentVariable),
    "launch.event_handlers": (OnProcessExit,),
    "launch.events": (Shutdown, matches_action),
    "launch.events.process": (ShutdownProcess,),
    "launch.launch_description_sources": (PythonLaunchDescriptionSource,),
    "launch.substitutions": (LaunchConfiguration,),
    "launch_ros": (),
    "launch_ros.actions": (LifecycleNode, Node, PushRosNamespace),
    "launch_ros.parameter_descriptions": (ParameterValue,),
    "ament_index_python": (),
    "ament_index_python.packages": (),
}  # fmt: skip


@contextmanager
def stand_in_modules() -> Iterator[None]:
    """Put the stand-ins where launch files import launch from; what was there comes back."""
    before = {name: sys.modules.get(name) for name in MODULES}
    for name, members in MODULES.items():
        sys.modules[name] = ModuleType(name)
        for member in members:
            setattr(sys.modules[name], member.__name__, member)
    sys.modules["ament_index_python.packages"].get_package_share_directory = (  # type: ignore
        lambda package: str(REPOSITORY)
    )
    try:
        yield
    finally:
        for name, module in before.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


class Launched:
    """What a launch file does with these arguments in this environment.

    Attributes:
        declared: the arguments it declares, by name.
        nodes: what it starts, in namespaces that are absolute but for the slash.
        handlers: the event handlers it registers.
        context: that of the whole launch, in which a stranger's actions come after ours.
    """

    def __init__(self, file: str, arguments: Mapping[str, str], environment: Mapping[str, str]):
        self.context = Context(dict(arguments), dict(environment))
        self.declared: dict[str, DeclareLaunchArgument] = {}
        self.nodes: list[Node] = []
        self.handlers: list[OnProcessExit] = []
        with stand_in_modules():
            self._include(REPOSITORY / "launch" / file)

    def node(self, name: str) -> Node:
        (found,) = [node for node in self.nodes if node.name == name]
        return found

    def _include(self, path: Path) -> None:
        self._visit(runpy.run_path(str(path))["generate_launch_description"]().entities, ())

    def _visit(self, entities: list[Any], namespace: tuple[str, ...]) -> None:
        for entity in entities:
            if isinstance(entity, Node):
                entity.namespace = "/".join(filter(None, [*namespace, entity.namespace]))
                self.nodes.append(entity)
            elif isinstance(entity, PushRosNamespace):
                namespace = (*namespace, entity.namespace)
            elif isinstance(entity, GroupAction):
                self._visit(entity.actions, namespace)
            elif isinstance(entity, RegisterEventHandler):
                self.handlers.append(entity.event_handler)
            elif isinstance(entity, OpaqueFunction):
                self._visit(entity.function(self.context), namespace)
            else:
                self._simple(entity)

    def _simple(self, entity: Any) -> None:
        if isinstance(entity, DeclareLaunchArgument):
            self.declared.setdefault(entity.name, entity)
            if entity.default_value is not None:
                self.context.launch_configurations.setdefault(entity.name, entity.default_value)
        elif isinstance(entity, IncludeLaunchDescription):
            for name, value in entity.arguments.items():
                given = value.perform(self.context) if hasattr(value, "perform") else value
                self.context.launch_configurations[name] = given
            self._include(Path(entity.source.path))
        elif isinstance(entity, SetEnvironmentVariable):
            self.context.environment[entity.name] = entity.value
        else:
            raise TypeError(f"the stand-in knows no {entity}")
