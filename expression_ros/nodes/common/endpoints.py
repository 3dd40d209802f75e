"""Who publishes and subscribes a topic, in words."""

from __future__ import annotations

from typing import Any

UNNAMED = "a node"  # one whose name the graph does not know (yet)


def full_name(info: Any) -> str:
    """Return the full name of the node of an endpoint, as ``/front/usb_cam``.

    Args:
        info: of get_publishers_info_by_topic or get_subscriptions_info_by_topic.
    """
    # Right after a node has appeared the graph may not know its name yet.
    if "UNKNOWN" in info.node_name:
        return UNNAMED
    return f"{info.node_namespace.rstrip('/')}/{info.node_name}"
