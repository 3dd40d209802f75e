"""Sends a recognizer thousands of messages that no camera should, and measures when it reads again.

Corrupt images, every change of size, stamps of every kind, in bursts; after each a good camera goes
on, and the time to its labels is taken. Ends with 1 where that was longer than the limit.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from node_processes import Processes, Watcher, until

LABELS = 3  # of a good camera: it reads again
_PACE_S = 0.002  # between two hostile messages
_ENCODINGS = ("bgr8", "rgb8", "bgra8", "mono8", "mono16", "16UC1", "32FC1", "yuv422_yuy2", "nv21",
              "bayer_rggb8", "bayer_gbrg16", "8UC3", "64FC4", "", "h264", "no_such_encoding",
              "rgb8; jpeg compressed bgr8")  # fmt: skip
_SIDES = (0, 1, 2, 23, 24, 25, 63, 101, 240, 320, 480, 641, 1080, 4096)


class Hostile:
    """Makes hostile messages, the same ones for the same seed.

    Args:
        face: (H, W) uint8 with a face in it.
        seed: of the random choices.
    """

    def __init__(self, face: np.ndarray, seed: int):
        self._rng = np.random.default_rng(seed)
        self._face = face
        self._noise = self._rng.integers(0, 256, 1 << 24).astype(np.uint8)
        self._still = int(time.time())

    def messages(self) -> Iterator[Any]:
        """Yield messages without end."""
        kinds = (self._resized, self._random, self._cut, self._lying)
        while True:
            message = kinds[self._rng.integers(len(kinds))]()
            self._stamp(message)
            yield message

    def _side(self) -> int:
        if self._rng.random() < 0.5:
            return int(self._rng.integers(1, 400))
        return int(self._rng.choice(_SIDES[:-2] if self._rng.random() < 0.95 else _SIDES))

    def _image(self, height: int, width: int, encoding: str, data: np.ndarray) -> Any:
        from sensor_msgs.msg import Image

        message = Image(height=height, width=width, encoding=encoding)
        message.step = width * max(1, data.size // max(1, height * width))
        message.data = data.tobytes()
        message.header.frame_id = "camera"
        return message

    def _resized(self) -> Any:
        """A face, noise or nothing, in a sound image of any size."""
        import cv2

        width, height = max(1, self._side()), max(1, self._side())
        image = (self._face, self._noise[:4096].reshape(64, 64), np.full((9, 9), 128, np.uint8))
        grey = cv2.resize(image[self._rng.integers(3)], (width, height))
        return self._image(height, width, "mono8", grey)

    def _random(self) -> Any:
        """Any encoding, with random bytes of a length that suits some encoding."""
        height, width = self._side(), self._side()
        channels = int(self._rng.choice([1, 2, 3, 4, 8]))
        data = self._noise[: min(height * width * channels, len(self._noise))]
        return self._image(height, width, str(self._rng.choice(_ENCODINGS)), data)

    def _cut(self) -> Any:
        """Too little data, or none."""
        message = self._resized()
        message.data = message.data[: self._rng.integers(0, len(message.data) + 1)]
        return message

    def _lying(self) -> Any:
        """Sizes and steps that the data cannot have."""
        message = self._resized()
        largest = 2**32 - 1
        field = self._rng.choice(["height", "width", "step", "is_bigendian"])
        choices = [0, 1, 7, 65_536, largest] if field != "is_bigendian" else [1, 255]
        setattr(message, field, int(self._rng.choice(choices)))
        return message

    def _stamp(self, message: Any) -> None:
        now = int(time.time())
        seconds = (0, now, self._still, now + 7200, now - 7200, 2**31 - 1, -(2**31), now + 1)
        message.header.stamp.sec = int(seconds[self._rng.integers(len(seconds))])
        message.header.stamp.nanosec = int(self._rng.choice([0, 5 * 10**8, 10**9 - 1, 2**32 - 1]))


def smiling_face() -> np.ndarray:
    """Return (480, 512) uint8: the public-domain portrait that comes with scikit-image."""
    import cv2
    from skimage import data

    return cv2.cvtColor(data.astronaut()[:480], cv2.COLOR_RGB2GRAY)


def good_frames(publisher: Any, watcher: Watcher, face: np.ndarray, patience_s: float) -> float:
    """Send a good camera's frames until there are labels; return the seconds that took."""
    from expression_ros.nodes.common.image_messages import to_image_message

    begin, known = time.monotonic(), len(watcher.labels)
    for k in itertools.count():
        publisher.publish(to_image_message(face, watcher.get_clock().now().to_msg(), "camera"))
        time.sleep(max(0.0, begin + (k + 1) / 30 - time.monotonic()))
        took = time.monotonic() - begin
        if len(watcher.labels) - known >= LABELS or took > patience_s:
            return took
    raise AssertionError


def run(messages: int, burst: int, seed: int, log: Path) -> tuple[list[float], dict[str, str]]:
    """Send the bursts; return the seconds to labels after each, and the recognizer's counts."""
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    from expression_ros.nodes.common.running import use_large_image_transport

    use_large_image_transport()
    face, took = smiling_face(), []
    with Processes(log) as processes, Watcher() as watcher:
        processes.start("recognizer")
        qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        publisher = watcher.create_publisher(Image, "image_raw", qos)
        until(publisher.get_subscription_count, "the recognizer", 60.0)
        good_frames(publisher, watcher, face, 30.0)
        stream = Hostile(face, seed).messages()
        sent = 0
        while sent < messages:
            for message in itertools.islice(stream, min(burst, messages - sent)):
                publisher.publish(message)
                sent += 1
                time.sleep(_PACE_S)
            took.append(good_frames(publisher, watcher, face, 30.0))
            if dead := processes.dead():
                raise TimeoutError(f"{', '.join(dead)} died after {sent} messages")
        counted = time.monotonic()
        names = ("recognizer: input", "recognizer: recognition")
        until(lambda: all(watcher.received_at.get(n, 0) > counted for n in names), "diagnostics")
        return took, {**watcher.values[names[0]], **watcher.values[names[1]]}


def main(arguments: list[str] | None = None) -> int:
    """Send the messages and print what was measured; return 0 when it was within the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--burst", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=1.0, help="seconds to labels after a burst")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ROS_LOG_DIR"] = folder
        log = Path(folder) / "recognizer.log"
        try:
            took, counts = run(options.messages, options.burst, options.seed, log)
        except TimeoutError as error:
            print(f"{error}\n{log.read_text(errors='replace')[-3000:]}", file=sys.stderr)
            return 1
    refused = sum(int(v) for k, v in counts.items() if k.startswith("refused: "))
    print(
        f"{options.messages} messages in {len(took)} bursts: labels again after "
        f"{np.median(took):.2f} s (median), {max(took):.2f} s (longest); "
        f"{counts['images received']} received, {refused} refused, {counts['images dropped']} "
        f"dropped for newer ones, {counts['frames processed']} read, {counts['frames failed']} "
        "failed"
    )
    return 0 if max(took) <= options.limit else 1


if __name__ == "__main__":
    sys.exit(main())
