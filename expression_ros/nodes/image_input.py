"""A subscription to a camera that really receives, whatever reliability the camera offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

DEFAULT_IMAGE_TOPIC = "image_raw"

_LOOK_PERIOD_S = 0.25
# The worker keeps only the newest frame; the middleware holds a few so that every dropped frame
# passes through the callback and is counted.
_DEPTH = 5
_IMAGE_TYPES = {
    "sensor_msgs/msg/Image": "raw",
    "sensor_msgs/msg/CompressedImage": "compressed",
}
# Pictures that this package's own nodes publish: no camera's.
_OUR_PICTURES = ("/face_emotion/", "/robot_face/", "/humans/faces/")


def image_topic_of(node: Node) -> str:
    """Return the camera's topic: ``image`` where that is remapped, else the usual image_raw."""
    remapped = node.resolve_topic_name("image")
    if remapped != node.resolve_topic_name("image", only_expand=True):
        return remapped
    return node.resolve_topic_name(DEFAULT_IMAGE_TOPIC)


class ImageInput:
    """Subscribes to an image topic and follows the reliability of its publishers.

    A best-effort subscription over Fast DDS's default transports loses every large image, and a
    reliable one never matches a best-effort camera (image_pipeline's issue 770). So: reliable as
    long as every publisher offers it, best effort as soon as one does not.

    Args:
        node: the node that owns the subscription.
        topic: resolved name of the raw image topic.
        transport: ``raw`` or ``compressed`` (then ``topic/compressed`` is read).
        received: called with each message.
    """

    def __init__(self, node: Node, topic: str, transport: str, received: Callable[[Any], None]):
        self._node = node
        self._received = received
        self._type = CompressedImage if transport == "compressed" else Image
        self.topic = _transport_topic(topic, transport)
        self.reliability = self._wanted_reliability()
        self._subscription = self._subscribe()
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # a simulated clock may stand still
        self._timer = node.create_timer(_LOOK_PERIOD_S, self._follow_publishers, clock=steady)

    def close(self) -> None:
        """End the subscription; no message is delivered afterwards."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._subscription)

    def publishers(self) -> list[str]:
        """Return one phrase per publisher of the topic: its node and its reliability."""
        return [_phrase(info) for info in self._publishers()]

    def explain_silence(self, silent_s: float) -> str:
        """Return why probably no image comes, and what to do about it."""
        line = f"no image on {self.topic} for {silent_s:.0f} s"
        names = self.publishers()
        if names:
            return (
                f"{line} although {', '.join(names)} publishes it; if it sends images, start it "
                "with FASTDDS_DEFAULT_PROFILES_FILE set to expression_ros's "
                "config/fastdds_large_images.xml"
            )
        return f"{line}; publishers: none; {self._similar_topics()}"

    def _similar_topics(self) -> str:
        similar = []
        for name, types in self._node.get_topic_names_and_types():
            for kind in types:
                ours = any(part in name for part in _OUR_PICTURES)
                if kind in _IMAGE_TYPES and self._node.count_publishers(name) and not ours:
                    similar.append(f"{name} ({_IMAGE_TYPES[kind]})")
        if similar:
            return f"image topics there are: {', '.join(similar)}; choose one with image_topic:="
        return "no image topic has a publisher; start a camera, for example with camera:=0"

    def _publishers(self) -> list[Any]:
        return list(self._node.get_publishers_info_by_topic(self.topic))

    def _wanted_reliability(self) -> ReliabilityPolicy:
        best_effort = any(
            info.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
            for info in self._publishers()
        )
        return ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE

    def _follow_publishers(self) -> None:
        wanted = self._wanted_reliability()
        if wanted == self.reliability:
            return
        self._node.destroy_subscription(self._subscription)
        self.reliability = wanted
        self._subscription = self._subscribe()

    def _subscribe(self) -> Any:
        qos = QoSProfile(
            depth=_DEPTH,
            history=HistoryPolicy.KEEP_LAST,
            reliability=self.reliability,
            durability=DurabilityPolicy.VOLATILE,
        )
        return self._node.create_subscription(self._type, self.topic, self._received, qos)


def _phrase(info: Any) -> str:
    # Right after a node has appeared the graph may not know its name yet.
    name = "a node" if "UNKNOWN" in info.node_name else info.node_name
    return f"{name} ({info.qos_profile.reliability.name.lower().replace('_', ' ')})"


def _transport_topic(topic: str, transport: str) -> str:
    if transport == "compressed" and not topic.endswith("/compressed"):
        return f"{topic}/compressed"
    return topic
