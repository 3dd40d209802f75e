"""Images out of rosbag2 recordings (sqlite3, mcap), by the library rosbags. Imports no ROS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros.images.conversion import ImageError, grey_from_message
from expression_ros.images.depth import DepthMemory
from expression_ros.recognition.frame_time import FrameTime
from expression_ros.recordings.recorded_frames import (
    SECOND_NS,
    RecordedFrame,
    Recording,
    RecordingError,
)

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
BAG_SUFFIXES = (".db3", ".mcap")
_METADATA = "metadata.yaml"
_METADATA_KEY = "rosbag2_bagfile_information"
_NAMED_TOPICS = 8  # of a bag that has no images; robots record hundreds


def is_bag(path: Path) -> bool:
    """Return whether a path looks like a rosbag2 recording: its folder, or one of its files."""
    if not path.is_dir():
        return path.suffix.lower() in BAG_SUFFIXES
    if _storage_files(path):
        return True
    try:
        return _METADATA_KEY in (path / _METADATA).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


class BagRecording(Recording):
    """The images of one topic of a bag.

    A message is converted by the recognizer's own code. Its stamp is that of its header
    while that moves plausibly against the time at which it was recorded, else that time counts.

    Args:
        path: the folder of a bag, or a .db3 or .mcap file.
        topic: which images; empty for the only topic that has any.

    Raises:
        RecordingError: rosbags is missing, the bag cannot be read, or it has no such images.
    """

    def __init__(self, path: Path, topic: str = ""):
        self._typestore, reader = _open(path)
        self._reader: Any = reader
        self._depth = DepthMemory()
        try:
            self.topic, self._connections = _choose(path, reader.connections, topic)
        except RecordingError:
            self.close()
            raise
        self.name = path.resolve().name if path.is_dir() else path.resolve().stem
        self._path = path
        self._times = BagTimes()
        self.total = sum(connection.msgcount for connection in self._connections)
        self.description = f"{self.topic} of the bag {path.resolve().name} ({_images(self.total)})"

    def frames(self, every: int = 1) -> Iterator[RecordedFrame]:
        """See Recording.frames."""
        index = -1
        messages = self._reader.messages(self._connections)
        while True:
            try:
                entry = next(messages, None)
            except Exception as error:  # of SQLite, of zstd, of struct: all mean the same here
                raise RecordingError(
                    f"{self._path} is damaged after image {index + 1} of {self.total}: "
                    f"{_one_line(error)}"
                ) from error
            if entry is None:
                return
            index += 1
            if index % every == 0:
                connection, recorded_ns, data = entry
                yield self._frame(index, connection.msgtype, recorded_ns, data)

    def close(self) -> None:
        """Close the bag; may be called twice."""
        reader, self._reader = self._reader, None
        if reader is not None:
            with suppress(Exception):
                reader.close()

    def missing(self, read: int) -> str:
        """See Recording.missing."""
        if self.total and read < self.total:
            return f"{self._path} says that it has {_images(self.total)}, but holds {read}"
        return ""

    def remark(self) -> str:
        """See Recording.remark."""
        return self._times.remark()

    def _frame(self, index: int, kind: str, recorded_ns: int, data: bytes) -> RecordedFrame:
        try:
            message = self._typestore.deserialize_cdr(data, kind)
        except Exception as error:  # whatever its parser meets in damaged bytes
            return RecordedFrame(
                index, recorded_ns, None, "message", f"not a {kind}: {_one_line(error)}"
            )
        stamp = message.header.stamp
        own_ns = stamp.sec * SECOND_NS + stamp.nanosec
        stamp_ns = own_ns or recorded_ns
        try:
            grey = np.asarray(grey_from_message(message, self._depth))
        except ImageError as error:
            return RecordedFrame(index, stamp_ns, None, error.reason, str(error))
        time_ns = self._times.add(own_ns, recorded_ns)
        anew = self._times.restarted
        return RecordedFrame(index, stamp_ns, grey, time_ns=time_ns, starts_anew=anew)


def _open(path: Path) -> tuple[Any, Any]:
    """Return rosbags' types and an open reader."""
    try:
        from rosbags.rosbag2 import Reader
        from rosbags.typesys import Stores, get_typestore
    except ImportError:
        raise RecordingError("bags are read by rosbags: pip install 'rosbags>=0.11'") from None
    _check_complete(path)
    try:
        reader = Reader(path)
        reader.open()
    except Exception as error:  # of YAML, SQLite, zstd, struct: all mean the same here
        raise RecordingError(
            f"{path} is not a bag that can be read ({_one_line(error)}); check it with "
            "'ros2 bag info', and mend it with 'ros2 bag reindex' or 'mcap recover'"
        ) from error
    # The definition of images has not changed since ROS 2 began.
    return get_typestore(Stores.LATEST), reader


def _check_complete(path: Path) -> None:
    """Raise RecordingError for a recording whose recorder was interrupted."""
    if path.is_dir() and not (path / _METADATA).is_file():
        raise RecordingError(
            f"{path} has no {_METADATA}, its recorder was interrupted: 'ros2 bag reindex {path}', "
            f"or give one of its files, such as {_storage_files(path)[0]}"
        )
    # Opened as it is, a database shows nothing of what is still in its journal.
    for file in _storage_files(path) if path.is_dir() else [path]:
        journal = file.with_name(f"{file.name}-wal")
        if journal.is_file() and journal.stat().st_size:
            raise RecordingError(
                f"{journal} holds messages that are not in {file.name} yet, its recorder was "
                f"interrupted (or still records): sqlite3 {file} 'PRAGMA wal_checkpoint(TRUNCATE)'"
            )


def _storage_files(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix in BAG_SUFFIXES
        or (file.suffix == ".zstd" and Path(file.stem).suffix in BAG_SUFFIXES)
    )


def _choose(path: Path, connections: Sequence[Any], topic: str) -> tuple[str, list[Any]]:
    """Return the topic to read and what of the bag belongs to it."""
    images = [c for c in connections if c.msgtype in IMAGE_TYPES]
    if not images:
        named = sorted({c.topic for c in connections})
        more = f" and {len(named) - _NAMED_TOPICS} more" if len(named) > _NAMED_TOPICS else ""
        has = f"it has {', '.join(named[:_NAMED_TOPICS])}{more}" if named else "it is empty"
        raise RecordingError(f"{path} has no images (sensor_msgs Image or CompressedImage); {has}")
    counts: dict[str, int] = {}
    for connection in images:
        counts[connection.topic] = counts.get(connection.topic, 0) + connection.msgcount
    listed = ", ".join(f"{name} ({_images(count)})" for name, count in sorted(counts.items()))
    if topic:
        wanted = topic if topic.startswith("/") else f"/{topic}"
    else:
        filled = [name for name, count in counts.items() if count] or list(counts)
        if len(filled) > 1:
            raise RecordingError(f"{path} has several image topics, choose by --topic: {listed}")
        (wanted,) = filled
    if wanted not in counts:
        raise RecordingError(f"{path} has no images on {wanted}, but on {listed}")
    if not counts[wanted]:
        raise RecordingError(f"{path} has no image on {wanted}: nothing was recorded there")
    return wanted, [connection for connection in images if connection.topic == wanted]


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{text:.200}" or type(error).__name__


# Which time counts for an image of a bag: its stamp, or when it was recorded.
_LEAST_NS = 1_000_000  # passes from image to image


class BagTimes:
    """Judges stamps as the recognizer node does, the time of recording being that of arrival.

    Attributes:
        restarted: whether with the last image the stamps turned out to have begun anew.
    """

    def __init__(self) -> None:
        self.restarted = False
        self._judge = FrameTime()
        self._reasons: Counter[str] = Counter()
        self._images = 0
        self._now_ns = 0
        self._stamp_ns = self._recorded_ns = 0  # of the last image

    def add(self, stamp_ns: int, recorded_ns: int) -> int:
        """Return the time of the next image in nanoseconds, which only moves ahead.

        Args:
            stamp_ns: of its header, 0 for none.
            recorded_ns: when it was recorded.
        """
        # Its decision is taken, not its time: in floats of today nanoseconds are lost.
        self._judge.seconds(stamp_ns / SECOND_NS, recorded_ns / SECOND_NS)
        self.restarted = self._judge.restarted
        if not self._images:
            self._now_ns = stamp_ns or recorded_ns
        elif self._judge.trusted:
            self._now_ns += max(_LEAST_NS, stamp_ns - self._stamp_ns)
        else:
            self._now_ns += max(_LEAST_NS, recorded_ns - self._recorded_ns)
        self._images += 1
        if not self._judge.trusted:
            self._reasons[self._judge.reason or "jump"] += 1
        self._stamp_ns, self._recorded_ns = stamp_ns, recorded_ns
        return self._now_ns

    def remark(self) -> str:
        """Return how many stamps did not count and mostly why, or nothing."""
        if not self._reasons:
            return ""
        reason = self._reasons.most_common(1)[0][0]
        return (
            f"the time of recording counts for {self._reasons.total():,} of {self._images:,} "
            f"images, whose stamps {reason}"
        )
