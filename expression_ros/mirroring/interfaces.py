"""Which ROS message and service types are installed here.

Part of ``expression_ros.mirroring``: imports no ROS by itself; it asks for the packages that a
robot's table names, so that nobody has to install those of other robots.
"""

from __future__ import annotations

import importlib
from typing import Any


class NotInstalledError(ValueError):
    """A ROS type that a robot needs is not installed; one line with the remedy."""


def interface_class(name: str) -> Any:
    """Return the class of a ROS type such as ``hri_msgs/msg/Expression``.

    Raises:
        NotInstalledError: the package is not installed, or has no such type.
    """
    package, kind, type_name = name.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.{kind}"), type_name)
    except (ImportError, AttributeError):
        raise NotInstalledError(
            f"{name} is not installed: sudo apt install ros-$ROS_DISTRO-{package.replace('_', '-')}"
            f", or build {package} in your workspace, and source it"
        ) from None
