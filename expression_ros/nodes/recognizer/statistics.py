"""What the recognizer counts and measures, and how it tells it on /diagnostics."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rclpy.node import Node

from expression_ros.nodes.common.diagnostics import (
    ERROR,
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
from expression_ros.nodes.common.image_input import ImageInput, image_topic_of
from expression_ros.nodes.common.parameters import NodeParameters
from expression_ros.nodes.common.topics import Company, all_publish, full_name
from expression_ros.nodes.recognizer.image_quality import QualityWatch
from expression_ros.nodes.recognizer.outputs import TOPIC as LABEL_TOPIC
from expression_ros.recognition.frame_time import GOES_BACK, JUMPS
from expression_ros.recognition.readings import FrameReading
from expression_ros.vocabulary import UNKNOWN

_RATE_LOOKS = 3  # seconds in a row that have to be slow: one is short of an image now and then
_FEWEST_FACES = 20  # of which a share of unknown ones says something
_MANY_LOST = 0.5  # of a radio link's images some are lost always
_SLOW_CAMERA = (
    "give the camera more light, a higher rate or a better network, or lower image_rate_warn"
)
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
        self.quality = QualityWatch()
        self._company = Company()
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
        self._lost_share = RecentShare()
        self._dropped_share = RecentShare()
        self._failed_share = RecentShare()
        self._unknown_share = RecentShare(fewest=_FEWEST_FACES)
        self.frame_rate = 0.0

    def image_received(self, now: float) -> None:
        """Count an image that came; ``now`` is steady time in seconds."""
        self.received += 1
        self.last_image = now

    def image_refused(self, reason: str, text: str) -> None:
        """Count an image that cannot be read, by a word; the text says why."""
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
        level, text = self._judged_input(source, rate, now, refused, limits, clock)
        shown = {
            "topic": source.topic,
            "type": source.transport,
            "reliability": source.reliability.name.lower().replace("_", " "),
            "publishers": ", ".join(source.publishers()) or "none",
            "images received": self.received,
            "images lost on their way": source.lost,
            "images dropped": dropped,
            "images refused": refused,
            "rate (Hz)": f"{rate:.1f}",
            "age of the last image (s)": f"{silent:.2f}",
            "stamps": f"ignored: {self.stamps_ignored}" if self.stamps_ignored else "trusted",
            **values,
        }
        shown |= {f"refused: {reason}": count for reason, count in list(self.refused.items())}
        return status(node, "input", level, text, shown, source.topic)

    def _judged_input(
        self,
        source: ImageInput,
        rate: float,
        now: float,
        refused: int,
        limits: NodeParameters,
        clock: tuple[bytes, str],
    ) -> tuple[bytes, str]:
        silent = now - self.last_image
        self._receive_rates.append(rate)
        refused_share = self._refused_share.update(refused, self.received)
        lost_share = self._lost_share.update(source.lost, source.lost + source.arrived)
        losing = lost_share > _MANY_LOST
        silence = level_above(silent, limits["image_timeout"], limits["image_timeout_error"])
        if silence != OK:  # then the rest follows from it
            return summary([(silence, source.explain_silence(silent)), clock], "")
        fastest = max(self._receive_rates)
        slow = OK
        if len(self._receive_rates) == _RATE_LOOKS and fastest > 0:  # else it is a silence
            slow = level_below(fastest, limits["image_rate_warn"], limits["image_rate_error"])
        mixture = source.mixture(now)
        few = source.explain_losses(lost_share) if losing else _SLOW_CAMERA
        findings = [
            (WARN if self.quality.problem else OK, self.quality.problem),
            (
                level_above(refused_share, limits["refused_warn"], limits["refused_error"]),
                f"{refused_share:.0%} of the images refused: {self.last_refusal}",
            ),
            (
                slow,
                f"{fastest:.1f} images/s on {source.topic} are few: {few}",
            ),
            *self._judged_time(source.topic),
            clock,
            (WARN if losing and slow == OK else OK, f"images on {source.topic}: {few}"),
            (WARN if mixture else OK, mixture),
        ]
        fine = f"{rate:.1f} images/s on {source.topic}"
        return summary(findings, f"{fine}; {source.note}" if source.note else fine)

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
        company = self._company_of_labels(node, now)
        latency = self._latency_ms.percentile(50) / 1000 if self.frame_rate > 0 else 0.0
        findings = [
            (WARN if company else OK, company),
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
        return status(node, "recognition", *summary(findings, fine), values, image_topic_of(node))

    def _company_of_labels(self, node: Node, now: float) -> str:
        topic = node.resolve_topic_name(LABEL_TOPIC)
        names = map(full_name, node.get_publishers_info_by_topic(topic))
        several = self._company.of(names, now)
        if not several:
            return ""
        return (
            f"{all_publish(several, topic)}, so that their labels mix: stop all but one, or start "
            f"one in a namespace: --ros-args -r __ns:=/second -r image:={image_topic_of(node)}"
        )


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


def idle_statuses(
    node: Node, counts: RecognizerStatistics, configured: bool, problem: str, limits: NodeParameters
) -> list[Any]:
    """Return the statuses of input and recognition while no image is read, and why none is.

    Args:
        node: the recognizer.
        counts: since it was last active.
        configured: whether it is inactive, else it is unconfigured.
        problem: why the last transition failed; empty if it did not.
        limits: the thresholds.
    """
    state = "inactive" if configured else "unconfigured"
    name = node.get_fully_qualified_name()
    steps = ("activate",) if configured else ("configure", "activate")
    commands = " && ".join(f"ros2 lifecycle set {name} {step}" for step in steps)
    text = f"{state}: no image is read; to begin: {commands}"
    if problem:
        text = f"{state}: no image is read, since it could not be started (see {name[1:]}: model)"
    level = ERROR if problem else OK
    topic = image_topic_of(node)
    values = {
        "topic": topic,
        "images received": counts.received,
        "images refused": sum(counts.refused.values()),
    }
    recognition = counts.recognition_status(node, 0, time.monotonic(), limits)
    recognition.level, recognition.message = level, text
    # Who was seen before is not who is seen now.
    recognition.values = [v for v in recognition.values if v.key not in ("faces", "label")]
    return [status(node, "input", level, text, values, topic), recognition]
