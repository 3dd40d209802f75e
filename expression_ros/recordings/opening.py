"""From what somebody typed to a recording. Imports no ROS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2

from expression_ros.frames.folder import AUTO, ImageSequence
from expression_ros.frames.opening import is_webcam, open_source
from expression_ros.frames.sources import FrameSource
from expression_ros.frames.video import VideoFile
from expression_ros.images.files import listed, readable_name
from expression_ros.recordings.bag_images import BAG_SUFFIXES, BagRecording, is_bag
from expression_ros.recordings.recorded_frames import (
    SECOND_NS,
    RecordedFrame,
    Recording,
    RecordingError,
)


def open_recording(
    text: str, *, topic: str = "", rate: float = 0.0, folder: str = AUTO
) -> Recording:
    """Open a video file, a folder of images, an image or a rosbag2 recording.

    Args:
        text: its path.
        topic: of a bag, which images; empty for the only ones.
        rate: of a video or folder, frames per second; 0 for the video's own, 30 for a folder of
            frames and 1 for one of photos.
        folder: what the images of a folder are, see open_source.

    Raises:
        ValueError: it cannot be read, or an option does not fit it; one line that says what to do.
    """
    path = Path(text).expanduser()
    if not path.exists():
        if is_webcam(text):
            raise RecordingError(
                f"{text} is a webcam, no recording: expression-ros demo --camera {text}"
            )
        raise RecordingError(f"no such file or folder: {text}; check the spelling")
    if is_bag(path):
        if rate:
            raise RecordingError(f"--rate is for videos and folders; {path} has its own stamps")
        return BagRecording(path, topic)
    if path.suffix == ".zstd" and Path(path.stem).suffix in BAG_SUFFIXES:
        raise RecordingError(f"{path} is packed; give the folder of the bag, {path.parent}")
    if path.suffix == ".bag":
        raise RecordingError(
            f"{path} is a bag of ROS 1: rosbags-convert --src {path} --dst {path.stem}, "
            f"then give {path.stem}"
        )
    if topic:
        raise RecordingError(f"--topic is for bags, and {path} is none")
    return VideoRecording(path, rate, folder)


# Frames of a video file, a folder of images or one image.
FOLDER_RATE_HZ = 30.0  # of images that were cut out of a video, as most are


class VideoRecording(Recording):
    """A video, or images that are taken for the frames of one.

    Args:
        path: a video file, a folder of images or an image.
        rate: frames per second; 0 for the video's own, 30 for images and 1 for photos.
        folder: what the images of a folder are, see open_source.

    Raises:
        SourceError: nothing can be read from it.
    """

    def __init__(self, path: Path, rate: float = 0.0, folder: str = AUTO):
        is_folder = path.is_dir()
        # Its whole name: what looks like a webcam's number is a file here.
        self._source = open_source(str(path.absolute()), frame_rate=rate, folder=folder)
        self.has_photos = self._source.has_photos
        if is_folder and not rate and not self.has_photos:
            self._source.frame_rate = FOLDER_RATE_HZ
        self._is_video = isinstance(self._source, VideoFile)
        self.name = path.resolve().name if is_folder else path.resolve().stem
        self.description = self._source.description
        self.total = (
            self._source.declared_frames
            if isinstance(self._source, VideoFile)
            else _count(self._source)
        )

    def frames(self, every: int = 1) -> Iterator[RecordedFrame]:
        """See Recording.frames."""
        source = self._source
        while source.grab():
            index = source.position - 1
            if index % every:
                continue
            stamp_ns = round(source.seconds * SECOND_NS)
            bgr = source.retrieve()
            why, file = "OpenCV cannot decode it", ""
            if isinstance(source, ImageSequence):
                why, file = source.problem, readable_name(source.name)
            if bgr is None:
                yield RecordedFrame(index, stamp_ns, None, "decode", why, file)
            else:
                # As the conversion of the node does with what a camera node sends (bgr8).
                grey = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
                yield RecordedFrame(index, stamp_ns, grey, file=file)

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def missing(self, read: int) -> str:
        """See Recording.missing."""
        if not self._is_video:
            names = self._source.skipped
            return f"no images: {listed(names)}" if names else ""
        if not self.total:
            return ""
        # Containers round their length; a video that was cut short lacks more.
        if self.total - read <= max(5, 0.05 * self.total):
            return ""
        return (
            f"the video says that it has {self.total} frames, but ends after {read}; "
            "it may be damaged or cut short"
        )


def _count(images: FrameSource) -> int:
    """Return how many images there are; none is decoded for that."""
    while images.grab():
        pass
    count = images.position
    images.rewind()
    return count
