"""A subscription to a camera that really receives, whatever the camera publishes and offers.

For nodes, and as a plain iterator for a command that is not a node.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import CompressedImage, Image

from expression_ros.images.conversion import ImageError, grey_from_message
from expression_ros.images.depth import DepthMemory
from expression_ros.nodes.common.clock_watch import steady_clock
from expression_ros.nodes.common.running import profile_variable, use_large_image_transport
from expression_ros.nodes.common.topics import (
    COMPRESSED,
    IMAGE,
    TRANSPORTS,
    Company,
    ImageTopic,
    all_publish,
    full_name,
    is_remapped,
    places_of_images,
)
from expression_ros.resources import ResourceError, config_path

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

DEFAULT_IMAGE_TOPIC = "image_raw"

_LOOK_PERIOD_S = 0.25
_RECENT_S = 5.0
# The worker keeps only the newest frame; the middleware holds a few so that every dropped frame
# passes through the callback and is counted.
_DEPTH = 5
_TYPES = {IMAGE: Image, COMPRESSED: CompressedImage}
# Images that this package's own nodes publish: no camera's.
_OUR_IMAGES = ("/face_emotion/", "/robot_face/", "/humans/faces/")
_CHOICE = "image_topic:={0} (ros2 launch) or --ros-args -r image:={0} (ros2 run, python -m)"


def image_topic_of(node: Node) -> str:
    """Return the camera's topic: ``image`` where that is remapped, else the usual image_raw."""
    remapped = node.resolve_topic_name("image")
    expanded = node.resolve_topic_name("image", only_expand=True)
    if remapped != expanded or is_remapped("image", sys.argv[1:]):
        return remapped
    return node.resolve_topic_name(DEFAULT_IMAGE_TOPIC)


class ImageInput:
    """Subscribes to a camera's images and follows what its publishers really offer.

    The type and the topic: what is published as Image or CompressedImage under the name, or under
    the name with ``/compressed``, the wanted one first; where nobody has chosen a topic and
    image_raw has no images, ``image`` is tried, under which some cameras publish.

    The reliability: a best-effort subscription over Fast DDS's default transports loses every
    large image, and a reliable one never matches a best-effort camera (image_pipeline's issue 770).
    So: reliable as long as every publisher offers it, best effort as soon as one does not.

    The durability: what a latched camera sent before the start comes only to those who ask for it.

    Args:
        node: the node that owns the subscription.
        topic: resolved name of the raw image topic.
        transport: ``raw`` or ``compressed``, which is read where both are published.
        received: called with each message.
        choice: how the user names another topic, with {0} for it.

    Attributes:
        lost: images that were sent and did not come through, as the middleware tells.
        arrived: images that came.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        transport: str,
        received: Callable[[Any], None],
        choice: str = _CHOICE,
    ):
        self._node = node
        self._received = received
        self._choice = choice
        chosen = topic != node.resolve_topic_name(DEFAULT_IMAGE_TOPIC)
        other = "" if chosen else node.resolve_topic_name("image")
        self._places = places_of_images(topic, transport, "" if other == topic else other)
        self._company = Company()
        self.lost = 0
        self.arrived = 0
        self._last_loss = -float("inf")
        self._sources: set[bytes] = set()  # the publishers that were there at the last look
        self._place, self._qos = self._wanted()
        self._subscription: Any = self._subscribe()
        steady = steady_clock()  # a simulated clock may stand still
        self._timer = node.create_timer(_LOOK_PERIOD_S, self._follow_publishers, clock=steady)

    @property
    def topic(self) -> str:
        """The topic that is read now."""
        return self._place.name

    @property
    def transport(self) -> str:
        """``raw`` or ``compressed``: the type that is read now."""
        return TRANSPORTS[self._place.type]

    @property
    def reliability(self) -> ReliabilityPolicy:
        """The reliability that is asked for now."""
        return self._qos[0]

    @property
    def note(self) -> str:
        """What is read instead of what was asked for; empty if it is the same."""
        if self._place == self._places[0]:
            return ""
        return f"reading {self._place}, since nobody publishes {self._places[0]}"

    def close(self) -> None:
        """End the subscription; no message is delivered afterwards."""
        self._node.destroy_timer(self._timer)
        self._unsubscribe()

    def publishers(self) -> list[str]:
        """Return one phrase per publisher of the images: its node and its reliability."""
        return [_phrase(info) for info in self._publishers(self._place)]

    def mixture(self, now: float) -> str:
        """Return that several nodes publish the images, with the remedy; empty if it is one."""
        names = [full_name(info) for info in self._publishers(self._place)]
        several = self._company.of(names, now)
        if not several:
            return ""
        return (
            f"{all_publish(several, self.topic)}, so that their images mix: stop all but one, or "
            "start one in a namespace: --ros-args -r __ns:=/second"
        )

    def explain_silence(self, silent_s: float) -> str:
        """Return why probably no image comes, and what to do about it."""
        line = f"no image on {self.topic} for {silent_s:.0f} s"
        names = self.publishers()
        if names and self.arrived and not self._is_losing:
            return (
                f"{line} although {', '.join(names)} publishes it and did send: its images have "
                "stopped; look at the camera and its driver's log, and start the driver again"
            )
        if names:
            return f"{line} although {', '.join(names)} publishes it; {self._transport_advice()}"
        others = {
            f"{full_name(info)} publishes {place.name} as {info.topic_type}"
            for place in self._places[:1]
            for info in self._node.get_publishers_info_by_topic(place.name)
            if info.topic_type not in TRANSPORTS
        }
        wrong = f"; {', '.join(sorted(others))}, which is not an image" if others else ""
        return f"{line}; publishers: none{wrong}; {self._similar_topics()}"

    def explain_losses(self, share: float) -> str:
        """Return what to do about images of which a share, 0 to 1, is lost on the way."""
        return f"{share:.0%} of them are lost on their way: {self._transport_advice()}"

    @property
    def _is_losing(self) -> bool:
        return time.monotonic() - self._last_loss < _RECENT_S

    def _transport_advice(self) -> str:
        condition = "" if self._is_losing else "if it sends images, "
        if "fastrtps" not in get_rmw_implementation_identifier():
            return f"look whether it sends: ros2 topic hz {self.topic}"
        variable = profile_variable()
        try:
            file = os.environ.get(variable) or str(config_path("fastdds_large_images.xml"))
        except ResourceError:
            file = "fastdds_large_images.xml of expression_ros"
        return f"{condition}start it again after: export {variable}={file}"

    def _similar_topics(self) -> str:
        similar = []
        for name, types in self._node.get_topic_names_and_types():
            for kind in types:
                ours = any(part in name for part in _OUR_IMAGES)
                if kind in TRANSPORTS and self._node.count_publishers(name) and not ours:
                    similar.append(ImageTopic(name, kind))
        if similar:
            # The raw one of a camera first: where it is not published, its compressed one is read.
            best = min(similar, key=lambda one: (one.type != IMAGE, one.name)).name
            return (
                f"image topics there are: {', '.join(map(str, similar))}; choose one, as in "
                f"{self._choice.format(best)}"
            )
        return "no image topic has a publisher; start a camera, for example with camera:=0"

    def _publishers(self, place: ImageTopic) -> list[Any]:
        found = self._node.get_publishers_info_by_topic(place.name)
        return [info for info in found if info.topic_type == place.type]

    def _wanted(self) -> tuple[ImageTopic, tuple[ReliabilityPolicy, DurabilityPolicy]]:
        """Return what is to be read, and how, as the graph is now."""
        place, infos = self._places[0], []
        for one in self._places:
            if infos := self._publishers(one):
                place = one
                break
        profiles = [info.qos_profile for info in infos]
        best_effort = any(p.reliability == ReliabilityPolicy.BEST_EFFORT for p in profiles)
        latched = profiles and all(
            p.durability == DurabilityPolicy.TRANSIENT_LOCAL for p in profiles
        )
        return place, (
            ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
            DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )

    def _follow_publishers(self) -> None:
        wanted = self._wanted()
        sources = {bytes(info.endpoint_gid) for info in self._publishers(wanted[0])}
        if sources and self._sources and sources.isdisjoint(self._sources):
            self.lost = self.arrived = 0  # of another driver, or of the same one before its start
        self._sources = sources or self._sources
        if wanted == (self._place, self._qos) and self._subscription is not None:
            return
        self._unsubscribe()
        if wanted[0] != self._place:
            self.lost = self.arrived = 0
        self._place, self._qos = wanted
        self._subscription = self._subscribe()
        if self.note:
            self._node.get_logger().info(self.note)

    def _subscribe(self) -> Any:
        qos = QoSProfile(
            depth=_DEPTH,
            history=HistoryPolicy.KEEP_LAST,
            reliability=self._qos[0],
            durability=self._qos[1],
        )
        what = _TYPES[self._place.type], self._place.name, self._take, qos
        try:
            try:
                events = SubscriptionEventCallbacks(message_lost=self._lose)
                return self._node.create_subscription(*what, event_callbacks=events)
            except UnsupportedEventTypeError:
                return self._node.create_subscription(*what)
        except rclpy_implementation.RCLError as error:
            # Within a process Fast DDS holds a topic to one type, and an ended subscription may
            # be in use a little longer: tried again at the next look.
            self._node.get_logger().warning(
                f"{self._place} cannot be subscribed now: {error}", throttle_duration_sec=5.0
            )
            return None

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _take(self, message: Any) -> None:
        self.arrived += 1
        self._received(message)

    def _lose(self, event: Any) -> None:
        self.lost += event.total_count_change
        self._last_loss = time.monotonic()


def _phrase(info: Any) -> str:
    name = full_name(info).rsplit("/", 1)[-1]
    return f"{name} ({info.qos_profile.reliability.name.lower().replace('_', ' ')})"


_SILENT_S = 10.0


class TopicError(ValueError):
    """No image can be had from a topic; one line that says why and what to do."""


@contextmanager
def subscribed_frames(
    topic: str, transport: str = "raw"
) -> Iterator[Iterator[tuple[np.ndarray, float]]]:
    """Subscribe to a topic for as long as the context lasts.

    Yields:
        An iterator of ((H, W) uint8 grey, stamp of its arrival in seconds), always the newest
        image; it raises TopicError when none comes for ten seconds.
    """
    use_large_image_transport()
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("expression_ros_calibrate", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    newest: deque[Any] = deque(maxlen=1)
    resolved = node.resolve_topic_name(topic)
    images = ImageInput(
        node, resolved, transport, lambda message: newest.append(message), choice="--topic {0}"
    )
    try:
        yield _newest_frames(executor, images, newest)
    finally:
        executor.shutdown()
        node.destroy_node()
        context.try_shutdown()


def _newest_frames(
    executor: SingleThreadedExecutor, images: ImageInput, newest: deque[Any]
) -> Iterator[tuple[np.ndarray, float]]:
    heard, depth = time.monotonic(), DepthMemory()
    while True:
        executor.spin_once(timeout_sec=0.1)
        if not newest:
            if time.monotonic() - heard > _SILENT_S:
                raise TopicError(images.explain_silence(time.monotonic() - heard))
            continue
        heard = time.monotonic()
        try:
            yield grey_from_message(newest.popleft(), depth), heard
        except ImageError as error:
            print(f"expression-ros: image refused: {error}", file=sys.stderr)
