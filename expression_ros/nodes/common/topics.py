"""Topics as the graph knows them: who is at their ends, and which carry images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
TRANSPORTS = {IMAGE: "raw", COMPRESSED: "compressed"}
_SUFFIX = "/compressed"
_LINGER_S = 30.0  # Fast DDS goes on listing a node that was killed for 20 s


@dataclass(frozen=True)
class ImageTopic:
    """A topic with the type of its images, as ROS names it."""

    name: str
    type: str

    def __str__(self) -> str:
        return f"{self.name} ({TRANSPORTS[self.type]})"


def places_of_images(topic: str, transport: str, other: str = "") -> list[ImageTopic]:
    """Return where the images may be that are asked for as ``topic``, the likeliest first.

    Args:
        topic: full name of the raw topic, or of a compressed one.
        transport: ``raw`` or ``compressed``, the type that is wanted.
        other: another topic to try where the first has no images; empty for none.
    """
    wanted, unwanted = (COMPRESSED, IMAGE) if transport == "compressed" else (IMAGE, COMPRESSED)
    names = [topic] if topic.endswith(_SUFFIX) else [topic, topic + _SUFFIX]
    if wanted == COMPRESSED:
        names.reverse()
    places = [ImageTopic(name, wanted) for name in names]
    places += [ImageTopic(name, unwanted) for name in reversed(names)]
    # An Image on .../compressed is not usual, and the first place is what diagnostics name.
    places = [one for one in places if one.type == COMPRESSED or not one.name.endswith(_SUFFIX)]
    if topic.endswith(_SUFFIX):
        places.append(ImageTopic(topic.removesuffix(_SUFFIX), IMAGE))
    return places + (places_of_images(other, transport) if other else [])


def is_remapped(name: str, words: Sequence[str]) -> bool:
    """Return whether a command line remaps a topic, to itself (``image:=/image``) included.

    ROS tells only what a name becomes, which is not to be told from a name that is left alone.

    Args:
        name: as the node uses it, ``image``.
        words: of the command line.
    """
    rule = re.compile(rf"(?:[^:/]+:)?(?:\S*/)?{re.escape(name)}:=\S+")
    return any(rule.fullmatch(word) for word in words)


class Company:
    """Whether several nodes publish one topic, so that their messages mix.

    A node that was started again goes on being listed twice for a while, and one that appears may
    have no name yet: what may be the same node twice is believed only after that.
    """

    def __init__(self) -> None:
        self._since: float | None = None

    def of(self, names: Iterable[str], now: float) -> list[str]:
        """Return the names of the nodes if they are several, else nothing.

        Args:
            names: full name of each publisher's node, as often as it publishes.
            now: seconds that never go back.
        """
        listed = sorted(names)
        if len(listed) < 2:
            self._since = None
            return []
        self._since = now if self._since is None else self._since
        if len(set(listed) - {UNNAMED}) < 2 and now - self._since < _LINGER_S:
            return []
        return listed


def all_publish(names: Sequence[str], topic: str) -> str:
    """Return that several nodes publish a topic, as a sentence without its end."""
    return f"{', '.join(names[:-1])} and {names[-1]} publish {topic}"
