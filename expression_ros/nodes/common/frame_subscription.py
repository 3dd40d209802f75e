"""The images of a topic as a plain iterator, for a command that is no node of its own."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor

from expression_ros.images.conversion import ImageError, grey_from_message
from expression_ros.images.depth import DepthMemory
from expression_ros.nodes.common.image_input import ImageInput
from expression_ros.nodes.common.running import use_large_image_transport

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
