"""Frames from a webcam, a video file, a folder of images or one image, behind one interface.

Imports no ROS, and of this package only how files are read and played.
"""

from __future__ import annotations

import os
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from expression_ros.folder_kinds import AUTO, PHOTOS
from expression_ros.picture_files import (
    PICTURE_SUFFIXES,
    PictureFileError,
    are_frames,
    natural_key,
    picture_size,
    pictures_in,
    quiet_opencv,
    read_picture,
    readable_name,
)
from expression_ros.playback import PlaybackSchedule as PlaybackSchedule
from expression_ros.playback import RateLimit as RateLimit
from expression_ros.playback import frames_in_time as frames_in_time
from expression_ros.video_header import rotation_of
from expression_ros.video_times import FrameTimes

Frame = NDArray[np.uint8]  # (H, W, 3), blue green red

IMAGE_SUFFIXES = tuple(suffix for suffix in PICTURE_SUFFIXES if suffix != ".gif")  # mostly a film
FALLBACK_RATE_HZ = 30.0  # of a video or webcam that does not know its own
IMAGE_RATE_HZ = 10.0  # of a folder of images
PHOTO_RATE_HZ = 1.0  # of a folder of photos: time to look, and to forget the one before
_PLAUSIBLE_RATES_HZ = (0.1, 480.0)  # raw streams claim 90,000, broken headers 0 or NaN
_TURNS = {  # by degrees clockwise
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")  # of Docker and Podman
_ON_THE_SIDE = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE)


class SourceError(ValueError):
    """Frames cannot be had from a source; one line that says why and what to do."""


class FrameSource(ABC):
    """One frame after the other.

    Attributes:
        description: what it is, for a log line, such as ``video smile.mp4 (640x360, 30 Hz)``.
        frame_rate: frames per second at which it is meant to be seen, or at which it delivers.
        is_live: whether frames come when they come (a webcam) and cannot be had again.
        has_photos: whether the frames are photos that have nothing to do with each other: each is
            to be read by itself.
        position: frames passed since opening or the last rewind; the last frame has the index
            ``position - 1``. Images that could not be decoded count.
    """

    is_live = False
    has_photos = False

    def __init__(self, description: str, frame_rate: float):
        self.description = description
        self.frame_rate = frame_rate
        self.position = 0

    @property
    def skipped(self) -> tuple[str, ...]:
        """Names of the images that could not be decoded, each once."""
        return ()

    @property
    def seconds(self) -> float:
        """When the frame grabbed last was taken, in seconds since the first; 0 before any."""
        return max(0, self.position - 1) / self.frame_rate

    def gap(self) -> float | None:
        """Return how many seconds after the frame grabbed last the next one was taken.

        To be called when that frame is no longer wanted: retrieve() may be without it after that.

        Returns:
            None if the frames come evenly, at frame_rate, or there is no next one.
        """
        return None

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
    text: str,
    *,
    width: int = 0,
    height: int = 0,
    frame_rate: float = 0.0,
    folder: str = AUTO,
) -> FrameSource:
    """Open what ``text`` names.

    Args:
        text: a webcam (``0``, ``/dev/video0``), a video file, a folder of images (played in natural
            order: 2 before 10) or one image. A file that is called ``0`` is written ``./0``.
        width, height: picture size in pixels to ask a webcam for, 0 for its own. Files keep theirs.
        frame_rate: in Hz, 0 for the source's own. A webcam is asked for it and reports what it
            gives; a file or folder is to be played at it.
        folder: what the images of a folder are: the ``frames`` of one film, ``photos`` that have
            nothing to do with each other, or ``auto``: frames if they have one size and names that
            differ in a number which goes up in equal steps, else photos.

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
        images = _images_of(path)
        has_photos = folder == PHOTOS or (folder == AUTO and not _are_one_film(images))
        description = f"folder {readable_name(path.name)}"
        return ImageSequence(images, description, frame_rate, has_photos=has_photos)
    _check_file(path, readable_name(text))
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageSequence([path], f"image {readable_name(path.name)}", frame_rate)
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
        frame_rate: in Hz, 0 for 10, or 1 for photos.
        has_photos: whether they have nothing to do with each other.

    Raises:
        SourceError: not one of them can be decoded.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        description: str,
        frame_rate: float = 0.0,
        *,
        has_photos: bool = False,
    ):
        self._paths = list(paths)
        self._next = 0
        self._skipped: dict[str, None] = {}  # an ordered set
        self.problem = ""  # why the last image that could not be decoded could not
        self.has_photos = has_photos
        self._last: tuple[Path, Frame] | None = None  # one image in a loop is decoded once
        if len(paths) > 1 or has_photos:
            kind = "photo" if has_photos else "image"
            description += f" ({len(paths)} {kind}{'' if len(paths) == 1 else 's'})"
        super().__init__(
            description, frame_rate or (PHOTO_RATE_HZ if has_photos else IMAGE_RATE_HZ)
        )
        if all(self._decode(path) is None for path in self._paths):  # stops at the first good one
            what = "any of them" if len(paths) > 1 else "it"
            raise SourceError(f"{description}: OpenCV cannot decode {what}: {self.problem}")

    @property
    def name(self) -> str:
        """The name of the image grabbed last."""
        return self._paths[max(0, self._next - 1)].name

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
        try:
            image = read_picture(path, colour=True)
        except PictureFileError as error:
            self.problem = str(error)
            self._skipped[readable_name(path.name)] = None
            return None
        self._last = path, image
        return self._last[1].copy()


class VideoFile(FrameSource):
    """A video file; its frames come when their own stamps say, and stand upright.

    Args:
        path: the file.
        frame_rate: in Hz, in place of the stamps; 0 for the file's own (30 where its header says
            nothing plausible).

    Raises:
        SourceError: OpenCV finds no picture in it.
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
                f"{name} is no video that OpenCV can read; "
                "check it with a player and convert it (ffmpeg -i FILE out.mp4)"
            )
        rate = frame_rate or _plausible_rate(self._capture.get(cv2.CAP_PROP_FPS))
        size = _size_and_rate(self._capture, rate, self._turn in _ON_THE_SIDE)
        super().__init__(f"video {readable_name(path.name)} ({size})", rate)
        self._restart()  # the first frame was only looked at

    @property
    def seconds(self) -> float:
        return super().seconds if self._is_even else self._seconds

    @property
    def declared_frames(self) -> int | None:
        """How many frames the header says there are, or None."""
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        return int(count) if 0 < count < 1e9 else None  # raw streams claim negative numbers

    def gap(self) -> float | None:
        if self._is_even or not self.position:
            return None
        if self._ahead is None and self._capture.grab():
            self._ahead = self._next_seconds()
        return None if self._ahead is None else self._ahead - self._seconds

    def retrieve(self) -> Frame | None:
        if self._ahead is not None:
            return None
        image = _retrieve(self._capture)
        return image if image is None or self._turn is None else cv2.rotate(image, self._turn)  # type: ignore[return-value]

    def close(self) -> None:
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
        with quiet_opencv():
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


def _images_of(folder: Path) -> list[Path]:
    try:
        images = pictures_in(folder)
    except PictureFileError as error:
        raise SourceError(str(error)) from None
    if not images:
        kinds = " ".join(suffix[1:] for suffix in PICTURE_SUFFIXES)
        name = readable_name(folder)
        raise SourceError(f"folder {name} holds no images ({kinds}); name the one that does")
    return images


def _are_one_film(images: Sequence[Path]) -> bool:
    """Return whether the images of a folder look like the frames of one film."""
    if len(images) == 1:
        return True  # nothing came before it
    if not are_frames([path.name for path in images]):
        return False
    sizes = {picture_size(path) for path in images}
    return len(sizes - {None}) <= 1  # of unknown size is what is damaged, and seldom formats


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


def _size_and_rate(capture: Any, rate: float, on_the_side: bool = False) -> str:
    width, height = (
        int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    if on_the_side:
        width, height = height, width
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
    return sorted(found, key=natural_key)


def _webcam_problem(device: int | str, present: list[str]) -> str:
    """Return in one line why a webcam that did not open did not, given the devices there are."""
    path = f"/dev/video{device}" if isinstance(device, int) else device
    listed = f"cameras here: {', '.join(present)}" if present else "there are no cameras here"
    if not sys.platform.startswith("linux"):
        return f"webcam {device} does not open; check that it is plugged in and may be used"
    if not os.path.exists(path):
        remedy = "name one of them, or plug it in" if present else "plug one in, or play a file"
        if any(os.path.exists(mark) for mark in _CONTAINER_MARKS):
            remedy += f"; a container sees only what it is given (docker run --device {path})"
        return f"webcam {device} does not open: there is no {path} ({listed}); {remedy}"
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
