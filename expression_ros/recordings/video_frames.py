"""Frames of a video file, a folder of images or one image. Imports no ROS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2

from expression_ros.frame_sources import FrameSource, VideoFile, open_source
from expression_ros.recordings.recorded_frames import SECOND_NS, RecordedFrame, Recording

_NAMED = 5  # of the images that cannot be decoded
FOLDER_RATE_HZ = 30.0  # of pictures that were cut out of a video, as most are


class VideoRecording(Recording):
    """A video, or images that are taken for the frames of one.

    Args:
        path: a video file, a folder of images or an image.
        rate: frames per second; 0 for the video's own, and 30 for images.

    Raises:
        SourceError: nothing can be read from it.
    """

    def __init__(self, path: Path, rate: float = 0.0):
        is_folder = path.is_dir()
        rate = rate or (FOLDER_RATE_HZ if is_folder else 0.0)
        # Its whole name: what looks like a webcam's number is a file here.
        self._source = open_source(str(path.absolute()), frame_rate=rate)
        self._is_video = isinstance(self._source, VideoFile)
        self.name = path.resolve().name if is_folder else path.resolve().stem
        self.description = self._source.description
        self.total = (
            self._source.declared_frames
            if isinstance(self._source, VideoFile)
            else _count(self._source)
        )

    def frames(self, every: int = 1) -> Iterator[RecordedFrame]:
        source = self._source
        while source.grab():
            index = source.position - 1
            if index % every:
                continue
            stamp_ns = round(source.seconds * SECOND_NS)
            bgr = source.retrieve()
            if bgr is None:
                yield RecordedFrame(index, stamp_ns, None, "decode", "OpenCV cannot decode it")
            else:
                # As the conversion of the node does with what a camera node sends (bgr8).
                yield RecordedFrame(index, stamp_ns, cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY))

    def close(self) -> None:
        self._source.close()

    def missing(self, read: int) -> str:
        if not self._is_video:
            names = self._source.skipped
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            return f"no pictures: {', '.join(names[:_NAMED])}{more}" if names else ""
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
