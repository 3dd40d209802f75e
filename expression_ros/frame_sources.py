"""Frames from a webcam, a video file, a folder of images or one image, behind one interface.

Imports OpenCV and numpy, no ROS and nothing else of this package.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]  # (H, W, 3), blue green red

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
FALLBACK_RATE_HZ = 30.0  # of a video or webcam that does not know its own
IMAGE_RATE_HZ = 10.0  # of a folder of images
_PLAUSIBLE_RATES_HZ = (0.1, 480.0)  # raw streams claim 90,000, broken headers 0 or NaN


class SourceError(ValueError):
    """Frames cannot be had from a source; one line that says why and what to do."""


class FrameSource(ABC):
    """One frame after the other.

    Attributes:
        description: what it is, for a log line, such as ``video smile.mp4 (640x360, 30 Hz)``.
        frame_rate: frames per second at which it is meant to be seen, or at which it delivers.
        is_live: whether frames come when they come (a webcam) and cannot be had again.
        position: frames passed since opening or the last rewind; the last frame has the index
            ``position - 1``. Images that could not be decoded count.
    """

    is_live = False

    def __init__(self, description: str, frame_rate: float):
        self.description = description
        self.frame_rate = frame_rate
        self.position = 0

    @property
    def skipped(self) -> tuple[str, ...]:
        """Names of the images that could not be decoded, each once."""
        return ()

    def read(self) -> Frame | None:
        """Return the next frame, (H, W, 3) uint8 BGR, or None at the end (or a dead webcam).

        What cannot be decoded is passed over.
        """
        while self.grab():
            frame = self.retrieve()
            if frame is not None:
                return frame
        return None

    def grab(self) -> bool:
        """Move on to the next frame without handing it out; False at the end.

        With retrieve() the two halves of read(): for a time stamp right at the capture, and for
        passing over frames cheaply. A webcam blocks here until it has a frame.
        """
        if not self._advance():
            return False
        self.position += 1
        return True

    def rewind(self) -> None:
        """Start again at the first frame; without effect on a webcam.

        Raises:
            SourceError: the file is no longer what it was at opening.
        """
        self._restart()
        self.position = 0

    @abstractmethod
    def retrieve(self) -> Frame | None:
        """Return the frame grabbed last, (H, W, 3) uint8 BGR, or None if it cannot be decoded."""

    @abstractmethod
    def close(self) -> None:
        """Release the device or file; may be called twice."""

    @abstractmethod
    def _advance(self) -> bool:
        """Move on to the next frame; False if there is none."""

    @abstractmethod
    def _restart(self) -> None:
        """Go back to before the first frame."""


def open_source(
    text: str, *, width: int = 0, height: int = 0, frame_rate: float = 0.0
) -> FrameSource:
    """Open what ``text`` names.

    Args:
        text: a webcam (``0``, ``/dev/video0``), a video file, a folder of images (played in natural
            order: 2 before 10) or one image. A file that is called ``0`` is written ``./0``.
        width, height: picture size in pixels to ask a webcam for, 0 for its own. Files keep theirs.
        frame_rate: in Hz, 0 for the source's own. A webcam is asked for it and reports what it
            gives; a file or folder is to be played at it.

    Raises:
        SourceError: nothing can be read from it; says why and what to do.
    """
    text = text.strip()
    if not text:
        raise SourceError(
            "no source named; give a webcam (0), a video file, a folder of images or an image"
        )
    if is_webcam(text):
        return Webcam(int(text) if text.isdigit() else text, width, height, frame_rate)
    if "://" in text:
        raise SourceError(
            f"{text} is a network stream, which is not read here; "
            "use a camera driver node that publishes it as sensor_msgs/Image"
        )
    path = Path(text).expanduser().absolute()
    if path.is_dir():
        return ImageSequence(_images_of(path), f"folder {path.name}", frame_rate)
    _check_file(path, text)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageSequence([path], f"image {path.name}", frame_rate)
    return VideoFile(path, frame_rate)


def is_webcam(text: str) -> bool:
    """Return whether ``text`` names a webcam: an index or a device such as /dev/video0."""
    text = text.strip()
    # Robots name their cameras by udev rules, /dev/face_camera; /dev/shm is a folder for files.
    device = text.startswith("/dev/") and not text.startswith("/dev/shm/")
    return device or re.fullmatch("[0-9]{1,3}", text) is not None


class ImageSequence(FrameSource):
    """The images of a folder, or one image.

    Args:
        paths: the image files in order, at least one.
        description: what they are, without their number.
        frame_rate: in Hz, 0 for 10.

    Raises:
        SourceError: not one of them can be decoded.
    """

    def __init__(self, paths: Sequence[Path], description: str, frame_rate: float = 0.0):
        self._paths = list(paths)
        self._next = 0
        self._skipped: dict[str, None] = {}  # an ordered set
        self._last: tuple[Path, Frame] | None = None  # one image in a loop is decoded once
        if len(paths) > 1:
            description += f" ({len(paths)} images)"
        super().__init__(description, frame_rate or IMAGE_RATE_HZ)
        if all(self._decode(path) is None for path in self._paths):  # stops at the first good one
            raise SourceError(
                f"{description}: OpenCV cannot decode "
                f"{'any of them' if len(paths) > 1 else str(paths[0])}; "
                "check with an image viewer and save as PNG or JPEG"
            )

    @property
    def skipped(self) -> tuple[str, ...]:
        return tuple(self._skipped)

    def retrieve(self) -> Frame | None:
        return self._decode(self._paths[self._next - 1]) if self._next else None

    def close(self) -> None:
        pass  # no file stays open

    def _advance(self) -> bool:
        if self._next >= len(self._paths):
            return False
        self._next += 1
        return True

    def _restart(self) -> None:
        self._next = 0

    def _decode(self, path: Path) -> Frame | None:
        if self._last is not None and self._last[0] == path:
            return self._last[1].copy()
        with _quiet_opencv():
            try:
                image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            except cv2.error:  # a picture beyond OpenCV's size limit
                image = None
        if image is None:
            self._skipped[path.name] = None
            return None
        self._last = path, np.asarray(image, dtype=np.uint8)
        return self._last[1].copy()


class VideoFile(FrameSource):
    """A video file; pictures of phones are turned upright by OpenCV.

    Args:
        path: the file.
        frame_rate: in Hz, 0 for the file's own (30 where its header says nothing plausible).

    Raises:
        SourceError: OpenCV finds no picture in it.
    """

    def __init__(self, path: Path, frame_rate: float = 0.0):
        self._path = path
        self._capture = self._open()
        if not (self._capture.isOpened() and self._capture.grab()):
            self._capture.release()
            raise SourceError(
                f"{path} is no video that OpenCV can read; "
                "check it with a player and convert it (ffmpeg -i FILE out.mp4)"
            )
        rate = frame_rate or _plausible_rate(self._capture.get(cv2.CAP_PROP_FPS))
        super().__init__(f"video {path.name} ({_size_and_rate(self._capture, rate)})", rate)
        self._restart()  # the first frame was only looked at

    def retrieve(self) -> Frame | None:
        return _retrieve(self._capture)

    def close(self) -> None:
        self._capture.release()

    def _advance(self) -> bool:
        return bool(self._capture.grab())

    def _restart(self) -> None:
        # Seeking to frame 0 lands on another frame in some containers; opening again never does.
        self._capture.release()
        self._capture = self._open()
        if not self._capture.isOpened():
            raise SourceError(f"{self._path} can no longer be read; was it moved or changed?")

    def _open(self) -> Any:
        with _quiet_opencv():
            return cv2.VideoCapture(str(self._path))


class Webcam(FrameSource):
    """A camera of this machine.

    Args:
        device: index, or path such as ``/dev/video0``.
        width, height, frame_rate: what to ask for, in pixels and Hz; 0 for the device's own. The
            device may give something else: ``description`` and ``frame_rate`` say what it gives.

    Raises:
        SourceError: it does not open or gives no picture; says what may be the matter.
    """

    is_live = True

    def __init__(self, device: int | str, width: int = 0, height: int = 0, frame_rate: float = 0.0):
        with _quiet_opencv():
            # By name: the generic backend would try GStreamer first, or take a path for a file.
            backend = cv2.CAP_V4L2 if sys.platform.startswith("linux") else cv2.CAP_ANY
            self._capture = cv2.VideoCapture(device, backend)
            if self._capture.isOpened():
                for key, wanted in (
                    (cv2.CAP_PROP_FRAME_WIDTH, width),
                    (cv2.CAP_PROP_FRAME_HEIGHT, height),
                    (cv2.CAP_PROP_FPS, frame_rate),
                ):
                    if wanted > 0:
                        self._capture.set(key, wanted)
            opened = self._capture.isOpened() and self._capture.grab()
        if not opened:
            self._capture.release()
            raise SourceError(_webcam_problem(device, _video_devices()))
        rate = _plausible_rate(self._capture.get(cv2.CAP_PROP_FPS))
        super().__init__(f"webcam {device} ({_size_and_rate(self._capture, rate)})", rate)

    def retrieve(self) -> Frame | None:
        return _retrieve(self._capture)

    def close(self) -> None:
        self._capture.release()

    def _advance(self) -> bool:
        return bool(self._capture.grab())

    def _restart(self) -> None:
        pass  # the present cannot be had again


class PlaybackSchedule:
    """When the frames of a file are due: frame n at start + n / rate, so that errors never add up.

    Args:
        rate: frames per second, above 0.
        now: the time in seconds, of any clock that never jumps, at which the first frame is due.
    """

    def __init__(self, rate: float, now: float):
        self.rate = rate
        self._start = now
        self._frames = 0

    @property
    def due(self) -> float:
        """The time in seconds at which the next frame is due."""
        return self._start + self._frames / self.rate

    def advance(self) -> None:
        """Go on to the next frame."""
        self._frames += 1

    def frames_late(self, now: float) -> int:
        """Return by how many whole frames the playback is behind; these are to be passed over."""
        return max(0, int((now - self.due) * self.rate))

    def restart(self, now: float) -> None:
        """Make the next frame due now, and give up what was missed."""
        self._start, self._frames = now, 0

    def set_rate(self, rate: float, now: float) -> None:
        """Go on at another rate: the next frame comes one new period after the last one."""
        if rate == self.rate:
            return
        last = self.due - 1.0 / self.rate
        self._start, self._frames, self.rate = max(last + 1.0 / rate, now), 0, rate


class RateLimit:
    """Which frames of a webcam to keep so that they are no more than a number per second."""

    def __init__(self) -> None:
        self._due = 0.0

    def admits(self, now: float, rate: float) -> bool:
        """Return whether a frame taken at ``now`` (seconds) is kept; a ``rate`` of 0 keeps all."""
        if rate <= 0:
            return True
        period = 1.0 / rate
        self._due = min(self._due, now + period)  # the rate may have been lower before
        # A tenth of a period early is on time, or jitter would cost every other frame.
        if now < self._due - 0.1 * period:
            return False
        # From frame to frame the average holds; after a pause there is nothing to make up for.
        self._due = (self._due if now - self._due < period else now) + period
        return True


def _images_of(folder: Path) -> list[Path]:
    try:
        images = [
            path
            for path in folder.iterdir()
            # macOS leaves ._name.jpg files behind that are no pictures.
            if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
        ]
    except PermissionError:
        raise SourceError(f"folder {folder} may not be read; chmod u+rx it") from None
    if not images:
        kinds = " ".join(suffix[1:] for suffix in IMAGE_SUFFIXES)
        raise SourceError(f"folder {folder} holds no images ({kinds}); name the one that does")
    return sorted(images, key=lambda path: _natural_key(path.name))


def _natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Order digits by their value; the name itself decides between 01 and 1."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [(int(part), "") if part[0] in "0123456789" else (-1, part) for part in parts], name


def _check_file(path: Path, text: str) -> None:
    if not path.exists():
        raise SourceError(
            f"no such file or folder: {text} (that is {path}); check the spelling or give the "
            "whole path"
        )
    if not path.is_file():
        raise SourceError(f"{text} is neither a file nor a folder; name a video, image or folder")
    if not os.access(path, os.R_OK):
        raise SourceError(f"{text} may not be read; chmod u+r it or run as its owner")


def _plausible_rate(rate: float) -> float:
    lowest, highest = _PLAUSIBLE_RATES_HZ
    return float(rate) if lowest <= rate <= highest else FALLBACK_RATE_HZ  # NaN falls through


def _size_and_rate(capture: Any, rate: float) -> str:
    width, height = (
        int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    return f"{width}x{height}, {rate:.4g} Hz"


def _retrieve(capture: Any) -> Frame | None:
    good, image = capture.retrieve()
    if not good or image is None or image.size == 0 or image.dtype != np.uint8:
        return None
    if image.ndim == 2 or image.shape[2] == 1:  # an infrared camera
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return np.asarray(image) if image.shape[2] == 3 else None


def _video_devices() -> list[str]:
    found = (str(path) for path in Path("/dev").glob("video[0-9]*"))
    return sorted(found, key=_natural_key)


def _webcam_problem(device: int | str, present: list[str]) -> str:
    """Return in one line why a webcam that did not open did not, given the devices there are."""
    path = f"/dev/video{device}" if isinstance(device, int) else device
    listed = f"cameras here: {', '.join(present)}" if present else "there are no cameras here"
    if not sys.platform.startswith("linux"):
        return f"webcam {device} does not open; check that it is plugged in and may be used"
    if not os.path.exists(path):
        return (
            f"webcam {device} does not open: there is no {path} ({listed}); plug it in, name "
            f"another, or pass it into the container (docker run --device {path})"
        )
    if not os.access(path, os.R_OK | os.W_OK):
        return (
            f"webcam {device} does not open: no permission for {path}; "
            "sudo usermod -aG video $USER, then log in again"
        )
    return (
        f"webcam {device} gives no picture though {path} exists ({listed}): another program may "
        "be using it, or it is the second, pictureless device of a camera; close the other "
        "program or name another device"
    )


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep OpenCV and its FFmpeg from commenting on stderr on what we report in one line."""
    # The place of these functions differs between versions of OpenCV; without them it is noisy.
    utils = getattr(getattr(cv2, "utils", None), "logging", cv2)
    get_level = getattr(utils, "getLogLevel", None)
    set_level = getattr(utils, "setLogLevel", None)
    if get_level is None or set_level is None:
        yield
        return
    before = get_level()
    set_level(0)
    # FFmpeg's own level is read once, when the first video is opened; -8 is quiet.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        yield
    finally:
        set_level(before)


def frames_in_time(
    source: FrameSource, stopping: threading.Event, loop: bool = False
) -> Iterator[Frame]:
    """Yield the frames of a webcam as they come, those of a file when they are due.

    What is late is passed over, so that the speed stays true. Ends with the file, with the webcam,
    or when it is asked to.

    Args:
        source: what to read.
        stopping: set by whoever wants no more.
        loop: begin a file again at its end; not one without a single frame.

    Raises:
        SourceError: the file is no longer what it was at opening.
    """
    schedule = None if source.is_live else PlaybackSchedule(source.frame_rate, time.monotonic())
    while not stopping.is_set():
        if schedule is not None:
            stopping.wait(max(0.0, schedule.due - time.monotonic()))
            for _ in range(schedule.frames_late(time.monotonic())):
                schedule.advance()
                source.grab()
            schedule.advance()
        frame = source.read()
        if frame is not None:
            yield frame
        elif loop and schedule is not None and source.position:
            source.rewind()
            schedule.restart(time.monotonic())
        else:
            return
