"""One table per node says what its parameters are; this module gives the table to ROS.

A node declares its table once. Ranges and choices are enforced here, with a sentence that tells
what would be accepted, because rclpy's own range check differs between distributions.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import yaml
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterNotDeclaredException,
)
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from expression_ros.parameters.files import did_you_mean
from expression_ros.parameters.table import ParameterSpec, check_value


class ParameterError(ValueError):
    """A parameter was given at start with a value the node cannot use."""


def descriptor(spec: ParameterSpec) -> ParameterDescriptor:
    """Return the ROS descriptor (description, range, hint on run-time change) of one parameter."""
    result = ParameterDescriptor(
        name=spec.name,
        description=spec.full_description(),
        # The node looks at every value itself (check_value), so an integer for a float is welcome.
        dynamic_typing=True,
    )
    if spec.minimum is not None and spec.maximum is not None:
        if isinstance(spec.default, bool):
            raise TypeError(f"parameter {spec.name}: a bool has no range")
        if isinstance(spec.default, int):
            result.integer_range = [
                IntegerRange(from_value=int(spec.minimum), to_value=int(spec.maximum), step=0)
            ]
        else:
            result.floating_point_range = [
                FloatingPointRange(
                    from_value=float(spec.minimum), to_value=float(spec.maximum), step=0.0
                )
            ]
    return result


def _is_same(present: Any, given: Any) -> bool:
    """Return whether a value is the present one, also after its way through YAML and back."""
    if type(present) is type(given) and present == given:
        return True
    if isinstance(present, str):
        try:
            return bool(yaml.safe_load(present) == given and not isinstance(given, str))
        except (yaml.YAMLError, ValueError):
            return False
    if isinstance(present, float) and isinstance(given, (str, int)):
        try:
            return float(given) == present
        except ValueError:
            return False
    return False


class NodeParameters:
    """The declared parameters of one node, checked at start and at every later change.

    Args:
        node: the node that owns the parameters.
        table: what they are.

    Raises:
        ParameterError: an override given at start is not acceptable; says which and why.
    """

    def __init__(self, node: Node, table: Iterable[ParameterSpec]):
        self._node = node
        self._table = {spec.name: spec for spec in table}
        self._locked = False
        for spec in self._table.values():
            self._declare(spec)
        if hasattr(node, "add_pre_set_parameters_callback"):  # not in Humble
            node.add_pre_set_parameters_callback(self._as_meant)
        node.add_on_set_parameters_callback(self._check_request)

    def _declare(self, spec: ParameterSpec) -> None:
        try:
            declared: Any = self._node.declare_parameter(spec.name, spec.default, descriptor(spec))
            given = declared.value
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise ParameterError(str(error)) from None
        problem = check_value(spec, given)
        if problem:
            raise ParameterError(problem)

    def __getitem__(self, name: str) -> Any:
        """Return the present value, floats and texts as such even when an integer was given."""
        spec = self._table[name]
        value = self._node.get_parameter(name).value
        return type(spec.default)(value) if isinstance(spec.default, (float, str)) else value

    def values(self) -> dict[str, Any]:
        """Return all present values by name."""
        return {name: self[name] for name in self._table}

    def lock_fixed(self, locked: bool) -> None:
        """Refuse (or accept again) changes of those parameters that are read at configure only."""
        self._locked = locked

    def _as_meant(self, parameters: list[RosParameter[Any]]) -> list[RosParameter[Any]]:
        """Return a request to change parameters as it was meant by who loads a dumped file.

        ``ros2 param load`` sends all that was dumped, read-only ones too, and guesses the types
        anew: a text like ``1.5`` comes as a number, a float like ``1e-05`` as a text. What is
        unchanged is accepted.

        Raises:
            ParameterNotDeclaredException: there is no such parameter; names the nearest.
        """
        return [self._one_as_meant(parameter) for parameter in parameters]

    def _one_as_meant(self, parameter: RosParameter[Any]) -> RosParameter[Any]:
        name = parameter.name
        if not self._node.has_parameter(name):
            known = self._node.get_parameters_by_prefix("")
            raise ParameterNotDeclaredException([f"{name}{did_you_mean(name, known)}"])
        present = self._node.get_parameter(name)
        if _is_same(present.value, parameter.value):
            if self._node.describe_parameter(name).read_only:  # rclpy refuses it even so
                return self._node.get_parameter("use_sim_time")
            return present
        spec = self._table.get(name)
        if spec and isinstance(spec.default, float) and isinstance(parameter.value, str):
            with suppress(ValueError):
                return RosParameter(name, value=float(parameter.value))
        return parameter

    def _check_request(self, parameters: list[RosParameter[Any]]) -> SetParametersResult:
        for parameter in parameters:
            spec = self._table.get(parameter.name)
            if spec is None:
                continue  # use_sim_time and other parameters of rclpy itself
            problem = check_value(spec, parameter.value)
            changed = parameter.value != self._node.get_parameter(parameter.name).value
            if not problem and self._locked and not spec.run_time and changed:
                problem = (
                    f"{spec.name} cannot change while the node is running; {spec.how_to_change()}"
                )
            if problem:
                return SetParametersResult(successful=False, reason=problem)
        return SetParametersResult(successful=True)
