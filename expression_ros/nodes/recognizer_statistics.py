"""What the recognizer counts and measures, and how it tells it on /diagnostics."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rclpy.node import Node

from expression_ros.nodes.diagnostics import OK, WARN, Rate, Window, status
from expression_ros.nodes.image_input import ImageInput
from expression_ros.recognition.pipeline import FrameReading
from expression_ros.vocabulary import UNKNOWN


class RecognizerStatistics:
    """Counters since the node was activated, and windows over the last frames.

    Written by the reading thread while the executor's tells them: what may grow is copied before
    it is walked through.
    """

    def __init__(self, now: float):
        self.received = 0
        self.processed = 0
        self.failed = 0
        self.refused: Counter[str] = Counter()
        self.last_refusal = ""
        self.last_image = now
        self._refused_before = 0
        self._faces = 0
        self._unknown = 0
        self._label = ""
        self._latency_ms = Window()
        self._stage_ms: dict[str, Window] = {}
        self._receive_rate = Rate()
        self._process_rate = Rate()
        self.frame_rate = 0.0

    def image_received(self, now: float) -> None:
        self.received += 1
        self.last_image = now

    def image_refused(self, reason: str, text: str) -> None:
        self.refused[reason] += 1
        self.last_refusal = text

    def frame_read(self, reading: FrameReading, latency_s: float) -> None:
        """Take one processed frame; latency from the image's stamp to its publication."""
        self.processed += 1
        self._faces = len(reading.faces)
        self._label = reading.primary.label if reading.primary else ""
        self._unknown += sum(face.label == UNKNOWN for face in reading.faces)
        self._latency_ms.add(1000 * latency_s)
        for stage, seconds in reading.stage_s.items():
            self._stage_ms.setdefault(stage, Window()).add(1000 * seconds)

    def input_status(
        self, node: Node, source: ImageInput, dropped: int, now: float, timeout: float
    ) -> Any:
        """Return the status of the input: does it come, how fast, is it readable."""
        rate = self._receive_rate.update(self.received, now)
        silent = now - self.last_image
        level, text = OK, f"{rate:.1f} images/s on {source.topic}"
        refused = sum(self.refused.values())
        if silent > timeout:
            level, text = WARN, source.explain_silence(silent)
        elif refused > self._refused_before:
            level, text = WARN, self.last_refusal
        self._refused_before = refused
        values = {
            "topic": source.topic,
            "reliability": source.reliability.name.lower().replace("_", " "),
            "publishers": ", ".join(source.publishers()) or "none",
            "images received": self.received,
            "images dropped": dropped,
            "images refused": refused,
            "rate (Hz)": f"{rate:.1f}",
            "age of the last image (s)": f"{silent:.2f}",
        }
        values |= {f"refused: {reason}": count for reason, count in list(self.refused.items())}
        return status(node, "input", level, text, values)

    def recognition_status(self, node: Node, now: float) -> Any:
        """Return the status of the reading: what is seen, how long it takes."""
        self.frame_rate = self._process_rate.update(self.processed, now)
        seen = f"{self._faces} face{'' if self._faces == 1 else 's'}"
        text = f"{seen}, {self._label}" if self._label else seen
        values = {
            "frames processed": self.processed,
            "frames failed": self.failed,
            "rate (Hz)": f"{self.frame_rate:.1f}",
            "faces": self._faces,
            "label": self._label,
            "faces read as unknown": self._unknown,
            "latency median (ms)": f"{self._latency_ms.percentile(50):.1f}",
            "latency p95 (ms)": f"{self._latency_ms.percentile(95):.1f}",
        }
        values |= {
            f"{stage} median (ms)": f"{window.percentile(50):.1f}"
            for stage, window in list(self._stage_ms.items())
        }
        level = OK
        if self.failed:
            level, text = WARN, f"{self.failed} frames could not be read; see the log"
        return status(node, "recognition", level, text, values)
