"""Frames from a folder of images or from one image. Imports no ROS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from expression_ros.frames.sources import Frame, FrameSource, SourceError
from expression_ros.images.files import (
    IMAGE_FILE_SUFFIXES,
    ImageFileError,
    are_frames,
    image_size,
    images_in,
    read_image,
    readable_name,
)

AUTO, FRAMES, PHOTOS = FOLDER_KINDS = ("auto", "frames", "photos")


IMAGE_SUFFIXES = tuple(
    suffix for suffix in IMAGE_FILE_SUFFIXES if suffix != ".gif"
)  # mostly a film
IMAGE_RATE_HZ = 10.0  # of a folder of images
PHOTO_RATE_HZ = 1.0  # of a folder of photos: time to look, and to forget the one before


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
        """Names of the files that could not be decoded so far, in order."""
        return tuple(self._skipped)

    def retrieve(self) -> Frame | None:
        """Return the image grabbed last; see FrameSource.retrieve."""
        return self._decode(self._paths[self._next - 1]) if self._next else None

    def close(self) -> None:
        """Do nothing: no file stays open."""
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
            return np.array(self._last[1])
        try:
            image = read_image(path, colour=True)
        except ImageFileError as error:
            self.problem = str(error)
            self._skipped[readable_name(path.name)] = None
            return None
        self._last = path, image
        return np.array(image)


def images_of(folder: Path) -> list[Path]:
    """Return the image files of a folder, in the order of their names.

    Raises:
        SourceError: it cannot be read, or holds no images.
    """
    try:
        images = images_in(folder)
    except ImageFileError as error:
        raise SourceError(str(error)) from None
    if not images:
        kinds = " ".join(suffix[1:] for suffix in IMAGE_FILE_SUFFIXES)
        name = readable_name(folder)
        raise SourceError(f"folder {name} holds no images ({kinds}); name the one that does")
    return images


def are_one_film(images: Sequence[Path]) -> bool:
    """Return whether the images of a folder look like the frames of one film."""
    if len(images) == 1:
        return True  # nothing came before it
    if not are_frames([path.name for path in images]):
        return False
    sizes = {image_size(path) for path in images}
    return len(sizes - {None}) <= 1  # of unknown size is what is damaged, and seldom formats
