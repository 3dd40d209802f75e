"""From what somebody typed to a source of frames. Imports no ROS."""

from __future__ import annotations

import os
import re
from pathlib import Path

from expression_ros.frames.folder import (
    AUTO,
    IMAGE_SUFFIXES,
    PHOTOS,
    ImageSequence,
    are_one_film,
    images_of,
)
from expression_ros.frames.sources import FrameSource, SourceError
from expression_ros.frames.video import VideoFile
from expression_ros.frames.webcam import Webcam
from expression_ros.images.files import readable_name


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
        width, height: image size in pixels to ask a webcam for, 0 for its own. Files keep theirs.
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
        images = images_of(path)
        has_photos = folder == PHOTOS or (folder == AUTO and not are_one_film(images))
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
