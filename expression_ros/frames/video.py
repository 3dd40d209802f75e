"""Frames from a video file, each at its time. Imports no ROS."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from expression_ros.frames.sources import (
    Frame,
    FrameSource,
    SourceError,
    plausible_rate,
    retrieve,
    size_and_rate,
)
from expression_ros.images.files import quiet_opencv, readable_name

_TURNS = {  # by degrees clockwise
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}
_ON_THE_SIDE = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE)


class VideoFile(FrameSource):
    """A video file; its frames come when their own stamps say, and stand upright.

    Args:
        path: the file.
        frame_rate: in Hz, in place of the stamps; 0 for the file's own (30 where its header says
            nothing plausible).

    Raises:
        SourceError: OpenCV finds no image in it.
    """

    def __init__(self, path: Path, frame_rate: float = 0.0):
        self._path = path
        self._is_even = frame_rate > 0
        self._turn: int | None = None  # one of cv2's codes
        self._seconds = 0.0
        self._ahead: float | None = None  # the time of a frame that was grabbed before its turn
        self._capture = self._open()
        if not (self._capture.isOpened() and self._capture.grab()):
            self._capture.release()
            name = readable_name(path)
            raise SourceError(
                f"{name} is not a video that OpenCV can decode; "
                "check it with a player and convert it (ffmpeg -i FILE out.mp4)"
            )
        rate = frame_rate or plausible_rate(self._capture.get(cv2.CAP_PROP_FPS))
        size = size_and_rate(self._capture, rate, self._turn in _ON_THE_SIDE)
        super().__init__(f"video {readable_name(path.name)} ({size})", rate)
        self._restart()  # the first frame was only looked at

    @property
    def seconds(self) -> float:
        """When the frame grabbed last was taken, in seconds from the first frame."""
        return super().seconds if self._is_even else self._seconds

    @property
    def declared_frames(self) -> int | None:
        """How many frames the header says there are, or None."""
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        return int(count) if 0 < count < 1e9 else None  # raw streams claim negative numbers

    def gap(self) -> float | None:
        """Return the seconds to the next frame by its own time stamp; see FrameSource.gap."""
        if self._is_even or not self.position:
            return None
        if self._ahead is None and self._capture.grab():
            self._ahead = self._next_seconds()
        return None if self._ahead is None else self._ahead - self._seconds

    def retrieve(self) -> Frame | None:
        """Return the frame grabbed last, upright; see FrameSource.retrieve."""
        if self._ahead is not None:
            return None
        image = retrieve(self._capture)
        if image is None or self._turn is None:
            return image
        return np.asarray(cv2.rotate(image, self._turn), np.uint8)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _advance(self) -> bool:
        if self._ahead is not None:
            self._seconds, self._ahead = self._ahead, None
            return True
        if not self._capture.grab():
            return False
        self._seconds = self._next_seconds()
        return True

    def _next_seconds(self) -> float:
        return self._times.add(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0)

    def _restart(self) -> None:
        # Seeking to frame 0 lands on another frame in some containers; opening again never does.
        self._capture.release()
        self._capture = self._open()
        self._times = FrameTimes(self.frame_rate)
        self._seconds, self._ahead = 0.0, None
        if not self._capture.isOpened():
            name = readable_name(self._path)
            raise SourceError(f"{name} can no longer be read; was it moved or changed?")

    def _open(self) -> Any:
        with quiet_opencv():
            capture = _capture_of(self._path)
        self._turn = None
        angle = None
        with suppress(OSError):  # OpenCV has said, or will say, what is the matter
            angle = rotation_of(self._path)
        if angle is not None:
            capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
            if not capture.get(cv2.CAP_PROP_ORIENTATION_AUTO):
                self._turn = _TURNS.get(angle)
        return capture


def _capture_of(path: Path) -> Any:
    """Open a video whatever its name is: OpenCV crashes on one that is not UTF-8."""
    name = str(path)
    if name.isprintable():
        return cv2.VideoCapture(name)
    try:
        with path.open("rb") as file:  # until OpenCV has opened it for itself
            return cv2.VideoCapture(f"/dev/fd/{file.fileno()}")
    except OSError:
        return cv2.VideoCapture()  # one that is not open


# How far a phone's video has to be turned, as its header says.
_MATRIX = {  # a, b, c, d of the display matrix: clockwise degrees
    (1, 0, 0, 1): 0,
    (0, 1, -1, 0): 90,
    (-1, 0, 0, -1): 180,
    (0, -1, 1, 0): 270,
}
_ONE = 1 << 16  # 16.16 fixed point
_MOST_BOXES = 10_000  # so that a damaged file does not take forever
_LONGEST_BOX = 1 << 20  # bytes of a box that is read as a whole


def rotation_of(path: Path) -> int | None:
    """Return by how many degrees clockwise an MP4 or QuickTime file's images are to be turned.

    Returns:
        0, 90, 180 or 270; None if it is not such a file or does not say.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        top = list(_boxes(file, 0, size))
        if not any(name in (b"ftyp", b"moov") for name, _, _ in top[:2]):
            return None
        for begin, end in _named(file, top, b"moov"):
            tracks = list(_boxes(file, begin, end))
            for track_begin, track_end in _named(file, tracks, b"trak"):
                inner = list(_boxes(file, track_begin, track_end))
                if _is_video(file, inner):
                    return _turned(file, inner)
    return None


def _boxes(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, begin and end of what is in each box between two places of the file."""
    for _ in range(_MOST_BOXES):
        file.seek(begin)
        head = file.read(16)
        if begin + 8 > end or len(head) < 8:
            return
        length, name = struct.unpack(">I4s", head[:8])
        header = 8
        if length == 1 and len(head) == 16:
            (length,), header = struct.unpack(">Q", head[8:]), 16
        elif length == 0:
            length = end - begin
        if length < header or begin + length > end:
            return
        yield name, begin + header, begin + length
        begin += length


def _named(
    file: BinaryIO, boxes: list[tuple[bytes, int, int]], wanted: bytes
) -> Iterator[tuple[int, int]]:
    yield from ((begin, end) for name, begin, end in boxes if name == wanted)


def _is_video(file: BinaryIO, track: list[tuple[bytes, int, int]]) -> bool:
    for begin, end in _named(file, track, b"mdia"):
        for inner, _ in _named(file, list(_boxes(file, begin, end)), b"hdlr"):
            file.seek(inner + 8)
            return file.read(4) == b"vide"
    return False


def _turned(file: BinaryIO, track: list[tuple[bytes, int, int]]) -> int | None:
    for begin, end in _named(file, track, b"tkhd"):
        file.seek(begin)
        data = file.read(min(end - begin, _LONGEST_BOX))
        place = 52 if data[:1] == b"\x01" else 40  # version 1 has longer times
        if len(data) < place + 36:
            return None
        a, b, _, c, d = struct.unpack(">5i", data[place : place + 20])
        return _MATRIX.get((a // _ONE, b // _ONE, c // _ONE, d // _ONE))
    return None


# When each frame of a video was taken: by its own time stamp, as far as that is plausible.
_EVEN_S = 0.001  # by which containers round; what is nearer to the even pace is at it
_LEAST_S = 1e-6  # passes from frame to frame; what is less is an error of rounding
_BACK_S = 1.0  # by which single stamps are out of order; what goes back further has begun anew
_LONGEST_GAP_S = 3600.0  # an image that stands still for longer is a broken stamp


class FrameTimes:
    """Turns the stamps of a video's frames into seconds since the first, ever later.

    Phones and screen recorders take images when they can: thirty a second in the sun and ten in
    the dusk, in one file. A stamp that does not move ahead, or leaps by an hour, is replaced by the
    pace that the file declares; where stamps begin anew (films that were joined), those that follow
    count from there.

    Args:
        rate: frames per second that the file declares, above 0.
    """

    def __init__(self, rate: float):
        self._rate = rate
        self._frames = 0
        self._last = 0.0
        self._offset = 0.0  # what to take off a stamp

    def add(self, stamp: float) -> float:
        """Return the time of the next frame in seconds; 0 for the first.

        Args:
            stamp: of the file, in seconds; NaN for none.
        """
        if self._frames == 0:
            self._offset = stamp if math.isfinite(stamp) else 0.0
        else:
            self._last = self._next(stamp)
        self._frames += 1
        return self._last

    def _next(self, stamp: float) -> float:
        even = self._last + 1.0 / self._rate
        if not math.isfinite(stamp):
            return even
        seconds = stamp - self._offset
        in_step = self._frames / self._rate
        if abs(seconds - in_step) <= _EVEN_S and in_step > self._last:
            return in_step  # without the rounding of the container
        if not self._last - _BACK_S <= seconds <= self._last + _LONGEST_GAP_S:
            self._offset = stamp - even
            return even
        return seconds if seconds > self._last + _LEAST_S else even
