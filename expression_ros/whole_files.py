"""Files that are there as a whole or not at all. Imports no ROS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to beside ``path``, and put it in its place if the block succeeds.

    If it fails, what was written is removed, and a file that was there before is left as it is.

    Raises:
        OSError: of the block, or of putting it in its place.
    """
    part = path.with_name(f".{os.getpid()}-{path.name}"[:120])
    try:
        yield part
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
