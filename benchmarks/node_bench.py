"""The running node: latency through DDS, processor time, memory, time to start, overload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from material import CLIPS, read_clip, shaken, to_and_fro, wall_of_faces
from node_camera import Camera, Run
from node_process import RecognizerProcess
from rclpy.clock import Clock
from sensor_msgs.msg import Image

from expression_ros.nodes.common.image_messages import to_image_message
from expression_ros.recognition.detection import FaceDetector

_SMALL, _HD, _FULL_HD = (640, 480), (1280, 720), (1920, 1080)
_OVERLOAD_HZ = 200.0
_SETTLING_FRAMES = 300  # sent before anything is measured: caches fill, memory settles
_EMPTY_FRAMES = 90  # the same without a face: the cascades take memory once, when it is first lost


def measure_node(clips: Path, frames: int, starts: int, short: int) -> dict[str, Any]:
    """Return the figures of the running node.

    Args:
        clips: folder of the clips.
        frames: sent in the long run at 60 Hz, over which memory may not grow.
        starts: how often the time to start is measured.
        short: frames of each of the other runs.
    """
    small = [_messages(read_clip(clips / name, _SMALL, 300).frames) for name in CLIPS]
    with Camera() as camera:
        start_s = []
        for _ in range(starts - 1):
            with RecognizerProcess() as process:
                start_s.append(camera.until_first_label(small[0], process))
        with RecognizerProcess() as process:
            start_s.append(camera.until_first_label(small[0], process))
            camera.send(small[0], 30, _SETTLING_FRAMES, process)
            camera.send(_messages([_empty_room(_SMALL)]), 30, _EMPTY_FRAMES, process)
            by_clip = [camera.send(messages, 30, short, process) for messages in small]
            long = camera.send(small[1], 60, frames, process)
            overload = camera.send(small[1], _OVERLOAD_HZ, 4 * short, process)
            del small
            faces = camera.send(_wall_messages(clips), 30, short, process)
            large = camera.send(_messages(read_clip(clips / CLIPS[0], _FULL_HD, 40).frames),
                                30, short, process)  # fmt: skip
    latency = np.concatenate([run.latencies_ms() for run in by_clip])
    rss = [sample["rss"] for sample in long.memory_mb]
    edge = max(1, len(rss) // 20)
    return {
        "start_to_first_emotion_s": float(np.median(start_s)),
        "starts_s": start_s,
        "latency_ms": _percentiles(latency),
        "cpu_cores_at_30fps": sum(r.cpu_s for r in by_clip) / sum(r.seconds for r in by_clip),
        "rss_mb": float(max(rss)),
        "rss_shared_with_middleware_mb": float(np.median([s["shared"] for s in long.memory_mb])),
        "rss_growth_mb": float(np.median(rss[-edge:]) - np.median(rss[:edge])),
        "rss_growth_over_frames": frames,
        "rss_series_mb": [round(value, 2) for value in rss],
        "at_30fps": {name: _figures(run) for name, run in zip(CLIPS, by_clip, strict=True)},
        "at_60fps": _figures(long),
        "overload": _figures(overload),
        "eight_faces_1280x720_30fps": _figures(faces),
        "at_1920x1080_30fps": _figures(large),
    }


def _figures(run: Run) -> dict[str, Any]:
    latency = run.latencies_ms()
    third = max(1, len(latency) // 3)
    received, dropped, refused, processed = (
        run.counters[name]
        for name in ("images received", "images dropped", "images refused", "frames processed")
    )
    first, last = float(np.median(latency[:third])), float(np.median(latency[-third:]))
    return {
        "images": len(run.sent_ns),
        "images_per_s": len(run.sent_ns) / run.seconds,
        "labels_per_image": len(run.labels_ns) / len(run.sent_ns),
        "frames_per_s": processed / run.seconds,
        "received": received,
        "dropped_and_counted": dropped,
        "unaccounted": received - processed - dropped - refused,
        "latency_ms": _percentiles(latency),
        "latency_is_exact": run.answered_ns is not None,
        "latency_first_third_ms": first,
        "latency_last_third_ms": last,
        "delay_growth": last / first,
        "cpu_cores": run.cpu_s / run.seconds,
        "threads": run.threads,
    }


def _percentiles(values: np.ndarray) -> dict[str, float]:
    return {f"p{share}": float(np.percentile(values, share)) for share in (50, 95, 99)}


def _wall_messages(clips: Path) -> list[Image]:
    """Return 1280x720 images of eight faces that move from one to the next."""
    frame = read_clip(clips / CLIPS[0], _HD, 1).frames[0]
    box = FaceDetector().search_frame(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))[0].box
    wall, rng = wall_of_faces(frame, box, 8), np.random.default_rng(8)
    return _messages([shaken(wall, rng) for _ in range(40)])


def _empty_room(size: tuple[int, int]) -> np.ndarray:
    """Return a (H, W, 3) uint8 image of nobody."""
    return np.random.default_rng(0).integers(90, 110, (size[1], size[0], 3), np.uint8)


def _messages(frames: list[np.ndarray]) -> list[Image]:
    """Return the frames as messages, forwards and backwards: a loop without a jump."""
    stamp = Clock().now().to_msg()
    messages = [to_image_message(frame, stamp, "camera") for frame in frames]
    return [messages[k] for k in to_and_fro(len(messages))]
