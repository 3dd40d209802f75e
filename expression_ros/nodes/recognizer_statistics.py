"""What the recognizer counts and measures, and how it tells it on /diagnostics."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rclpy.node import Node

from expression_ros.nodes.diagnostics import (
    OK,
    WARN,
    Rate,
    RecentShare,
    Window,
    level_above,
    level_below,
    status,
    summary,
)
from expression_ros.nodes.image_input import ImageInput
from expression_ros.nodes.parameters import NodeParameters
from expression_ros.recognition.frame_time import GOES_BACK, JUMPS
from expression_ros.recognition.pipeline import FrameReading
from expression_ros.vocabulary import UNKNOWN

_RATE_LOOKS = 3  # seconds in a row that have to be slow: one is short of an image now and then
_FEWEST_FACES = 20  # of which a share of unknown ones says something
_OTHER_CLOCK_S = 60.0  # no image is under way for so long: its stamp is of another clock
_AHEAD_S = 1.0  # by which another computer's clock may be ahead
_STAMP_REMEDY = "let the camera's driver stamp each image with the time it was taken"
_STAMP_REMEDIES = dict.fromkeys(
    (GOES_BACK, JUMPS),
    "see to it that one camera alone publishes the topic, with a clock that is not set meanwhile",
)


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
        self.stamps_ignored = ""  # why, see FrameTime.reason
        self._ahead_s = 0.0
        self._faces = 0
        self._faces_read = 0
        self._unknown = 0
        self._label = ""
        self._latency_ms = Window()
        self._stage_ms: dict[str, Window] = {}
        self._receive_rate = Rate()
        self._receive_rates: deque[float] = deque(maxlen=_RATE_LOOKS)
        self._process_rate = Rate()
        self._refused_share = RecentShare()
        self._dropped_share = RecentShare()
        self._failed_share = RecentShare()
        self._unknown_share = RecentShare(fewest=_FEWEST_FACES)
        self.frame_rate = 0.0

    def image_received(self, now: float) -> None:
        self.received += 1
        self.last_image = now

    def image_refused(self, reason: str, text: str) -> None:
        self.refused[reason] += 1
        self.last_refusal = text

    def frame_read(
        self, reading: FrameReading, latency_s: float, stamped_ahead_s: float = 0.0
    ) -> None:
        """Take one processed frame.

        Args:
            reading: what was read.
            latency_s: from the image's stamp to its publication, or from its arrival where the
                stamp is of no use.
            stamped_ahead_s: by how much the stamp is later than the time of its arrival.
        """
        self.processed += 1
        self._ahead_s = stamped_ahead_s
        self._faces = len(reading.faces)
        self._faces_read += len(reading.faces)
        self._label = reading.primary.label if reading.primary else ""
        self._unknown += sum(face.label == UNKNOWN for face in reading.faces)
        self._latency_ms.add(1000 * latency_s)
        for stage, seconds in reading.stage_s.items():
            self._stage_ms.setdefault(stage, Window()).add(1000 * seconds)

    def input_status(
        self,
        node: Node,
        source: ImageInput,
        dropped: int,
        now: float,
        limits: NodeParameters,
        *,
        clock: tuple[bytes, str] = (OK, ""),
        values: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        """Return the status of the input: does it come, how fast, is it readable, when was it.

        Args:
            node: the recognizer.
            source: of the images.
            dropped: images that were not read.
            now: in seconds of the clock that the images' arrival was taken by.
            limits: the thresholds.
            clock: level and sentence about the node's clock.
            values: further ones to show.
        """
        rate = self._receive_rate.update(self.received, now)
        silent = now - self.last_image
        refused = sum(self.refused.values())
        level, text = self._judged_input(source, rate, silent, refused, limits, clock)
        shown = {
            "topic": source.topic,
            "reliability": source.reliability.name.lower().replace("_", " "),
            "publishers": ", ".join(source.publishers()) or "none",
            "images received": self.received,
            "images dropped": dropped,
            "images refused": refused,
            "rate (Hz)": f"{rate:.1f}",
            "age of the last image (s)": f"{silent:.2f}",
            "stamps": f"ignored: {self.stamps_ignored}" if self.stamps_ignored else "trusted",
            **values,
        }
        shown |= {f"refused: {reason}": count for reason, count in list(self.refused.items())}
        return status(node, "input", level, text, shown)

    def _judged_input(
        self,
        source: ImageInput,
        rate: float,
        silent: float,
        refused: int,
        limits: NodeParameters,
        clock: tuple[bytes, str],
    ) -> tuple[bytes, str]:
        self._receive_rates.append(rate)
        refused_share = self._refused_share.update(refused, self.received)
        silence = level_above(silent, limits["image_timeout"], limits["image_timeout_error"])
        if silence != OK:  # then the rest follows from it
            return summary([(silence, source.explain_silence(silent)), clock], "")
        fastest = max(self._receive_rates)
        slow = OK
        if len(self._receive_rates) == _RATE_LOOKS and fastest > 0:  # else it is a silence
            slow = level_below(fastest, limits["image_rate_warn"], limits["image_rate_error"])
        findings = [
            (
                level_above(refused_share, limits["refused_warn"], limits["refused_error"]),
                f"{refused_share:.0%} of the images refused: {self.last_refusal}",
            ),
            (
                slow,
                f"{fastest:.1f} images/s on {source.topic} are few: give the camera more light, a "
                "higher rate or a better network, or lower image_rate_warn",
            ),
            *self._judged_time(source.topic),
            clock,
        ]
        return summary(findings, f"{rate:.1f} images/s on {source.topic}")

    def _judged_time(self, topic: str) -> list[tuple[bytes, str]]:
        reason, ahead = self.stamps_ignored, self._ahead_s
        return [
            (
                WARN if reason else OK,
                f"the stamps on {topic} {reason} and are ignored, the time of arrival counts: "
                f"{_STAMP_REMEDIES.get(reason, _STAMP_REMEDY)}",
            ),
            (
                WARN if ahead > _AHEAD_S else OK,
                f"images are stamped {ahead:.0f} s ahead of this node's clock: synchronise the "
                "computers, or set use_sim_time where a bag is played with --clock",
            ),
        ]

    def recognition_status(
        self, node: Node, dropped: int, now: float, limits: NodeParameters
    ) -> Any:
        """Return the status of the reading: what is seen, how long it takes, what is lost."""
        self.frame_rate = self._process_rate.update(self.processed, now)
        dropped_share = self._dropped_share.update(dropped, self.received)
        failed_share = self._failed_share.update(self.failed, self.processed + self.failed)
        unknown_share = self._unknown_share.update(self._unknown, self._faces_read)
        seen = f"{self._faces} face{'' if self._faces == 1 else 's'}"
        fine = f"{seen}, {self._label}" if self._label else seen
        latency = self._latency_ms.percentile(50) / 1000 if self.frame_rate > 0 else 0.0
        findings = [
            (
                level_above(failed_share, limits["failed_warn"], limits["failed_error"]),
                f"{failed_share:.0%} of the frames could not be read, {self.failed} so far; see "
                "the log",
            ),
            (
                level_above(latency, limits["latency_warn"], limits["latency_error"]),
                _latency_text(latency),
            ),
            (
                level_above(dropped_share, limits["dropped_warn"], limits["dropped_error"]),
                f"{dropped_share:.0%} of the images dropped, {self.frame_rate:.0f} read a second: "
                "send fewer or smaller ones, raise min_face, or free this computer",
            ),
            (
                level_above(unknown_share, limits["unknown_warn"], limits["unknown_error"]),
                f"{unknown_share:.0%} of the faces are read as unknown: see to light on the face, "
                "come closer, or lower min_confidence",
            ),
        ]
        values = {
            "frames processed": self.processed,
            "frames failed": self.failed,
            "rate (Hz)": f"{self.frame_rate:.1f}",
            "faces": self._faces,
            "label": self._label,
            "faces read as unknown": self._unknown,
            "share of unknown (5 s)": f"{unknown_share:.2f}",
            "share of images dropped (5 s)": f"{dropped_share:.2f}",
            "latency median (ms)": f"{self._latency_ms.percentile(50):.1f}",
            "latency p95 (ms)": f"{self._latency_ms.percentile(95):.1f}",
        }
        values |= {
            f"{stage} median (ms)": f"{window.percentile(50):.1f}"
            for stage, window in list(self._stage_ms.items())
        }
        return status(node, "recognition", *summary(findings, fine), values)


def _latency_text(latency: float) -> str:
    if latency > _OTHER_CLOCK_S:
        return (
            f"images are stamped {latency:.0f} s before they come: their clock is not this node's; "
            "set use_sim_time where a bag is played with --clock, or synchronise the computers"
        )
    return (
        f"labels come {latency:.2f} s after their images: send smaller ones, raise min_face, or "
        "free this computer"
    )
